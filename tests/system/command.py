#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`svd -- COMMAND…`: the init of one program, as PID 1 of a pid namespace and as an ordinary process."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from harness import check, equal, run, say, status_of, wait_gone
from pid1 import NAMESPACE, PROBE, SVD, Lines, Running, Terminal, inside, require_namespaces

UNCATCHABLE = {signal.SIGKILL, signal.SIGSTOP}
CATCHABLE = [number for number in range(1, 65) if number not in UNCATCHABLE]  # libc's own two (32, 33) are among them


class Place:
    """A directory for the test's files."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="svd-test-"))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def plainly(*arguments, **more):
    return subprocess.run([SVD, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, **more)


def every_signal_arrives(namespace):
    with Place() as place:
        lines = Lines(place / "lines")
        with Running(SVD, "--", PROBE, "signals", lines.path, namespace=namespace) as svd:
            ready, word = lines.next().split()
            equal(word, "ready", "the first report")
            for number in CATCHABLE:
                svd.signal(number)
                equal(lines.next(), f"{ready} {number} 0", f"the report after signal {number}")
    say(f"{len(CATCHABLE)} signals passed on: 1 to 64 but for {sorted(map(int, UNCATCHABLE))}")


def all_signals_as_pid_1():
    """all 62 signals that can be caught (29 of the 31 standard ones, 33 real-time ones) reach the command of a PID 1"""
    every_signal_arrives(True)


def all_signals_as_a_process():
    """the same when svd is not PID 1"""
    every_signal_arrives(False)


def signals_reach_the_group():
    """with -g every process of the command's group gets each signal, without it the command alone"""
    for option, receivers in (("-g", 2), ("-s", 1)):
        with Place() as place:
            lines = Lines(place / "lines")
            with Running(SVD, option, "--", PROBE, "family", lines.path) as svd:
                for _ in range(2):
                    lines.next()
                for number in CATCHABLE:
                    svd.signal(number)
                    equal([lines.next().split()[1] for _ in range(receivers)], [str(number)] * receivers, f"reports of signal {number}")
                svd.signal(signal.SIGUSR1)
                equal({lines.next().split()[1] for _ in range(receivers)}, {"10"}, "nothing came in between")


def signals_are_rewritten():
    """-r turns one signal into another, or into none; a queued one keeps its value"""
    with Place() as place:
        lines = Lines(place / "lines")
        with Running(SVD, "-r", "TERM:SIGQUIT", "-r", "2:0", "--rewrite", "SIGRTMIN+1:RTMAX", "--", PROBE, "signals", lines.path) as svd:
            lines.next()
            for number in (signal.SIGINT, signal.SIGTERM):
                svd.signal(number)
            equal(lines.next().split()[1], str(int(signal.SIGQUIT)), "SIGINT is dropped, SIGTERM arrives as")
            svd.signal(signal.SIGRTMIN + 1)
            equal(lines.next().split()[1], "64", "SIGRTMIN+1 arrives as")
            subprocess.run(["/bin/kill", "-q", "4711", "-s", "USR2", str(svd.init)], check=True)
            equal(lines.next().split()[1:], [str(int(signal.SIGUSR2)), "4711"], "a queued signal")


def exit_codes_pass_through():
    """exit codes 0 to 255 pass through, and signal n is 128 + n, as PID 1 and as a process"""
    deadly = [number for number in range(1, 65) if number not in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
                                                                    signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH)]
    for name, execute in (("PID 1", lambda *words: inside(SVD, *words)), ("a process", plainly)):
        for code in range(256):
            equal(execute("--", "sh", "-c", f"exit {code}").returncode, code, f"exit code as {name}")
        for number in deadly:
            equal(execute("--", PROBE, "raise", number).returncode, 128 + number, f"exit code as {name} after signal {number}")
    say(f"256 exit codes and {len(deadly)} signals, twice")


def exit_codes_become_success():
    """-e turns the codes that it names into 0, and no other"""
    for code, want in ((0, 0), (1, 1), (3, 0), (143, 0), (255, 255)):
        equal(inside(SVD, "-e", "3", "--success-exit=143", "--", "sh", "-c", f"exit {code}").returncode, want, f"instead of {code}")
    equal(inside(SVD, "-e", "143", "--", PROBE, "raise", 15).returncode, 0, "instead of 143, after SIGTERM")


def what_cannot_be_executed():
    """a command that is not there is 127, one that cannot be executed 126, a mistake in the options 2, each with its reason"""
    with Place() as place:
        (place / "plain").write_text("no program\n")
        (place / "script").write_text("exit 9\n")
        (place / "script").chmod(0o755)
        (place / "orphaned").write_text("#!/nonexistent/interpreter\n")
        (place / "orphaned").chmod(0o755)
        for command, code, reason in (("/nope", 127, "'/nope': No such file or directory"), ("nope", 127, "No such file"),
                                      (place / "plain/x", 127, "Not a directory"), (place / "orphaned", 127, "No such file"),
                                      (place / "plain", 126, "Permission denied"), (place, 126, "Permission denied"), (place / "script", 9, "")):
            done = inside(SVD, "--", command)
            equal(done.returncode, code, f"exit code of {command}")
            check(reason in done.stderr and done.stderr.startswith("svd: cannot execute") == (code != 9), f"said of {command}: {done.stderr!r}")
    for words in (["--"], ["-e", "256", "--", "true"], ["-e", "x", "--", "true"], ["-p", "NOPE", "--", "true"], ["-r", "15", "--", "true"],
                  ["-z", "--", "true"], ["--profile", "x", "--", "true"], ["file", "--", "true"]):
        done = plainly(*words)
        equal(done.returncode, 2, f"exit code of svd {' '.join(words)}")
        check(done.stderr.count("\n") == 1 and "svd: " in done.stderr, f"said of {words}: {done.stderr!r}")


def orphans_are_reaped():
    """1,000 orphans that end at once leave no zombie, with svd as PID 1"""
    done = inside(SVD, "--", PROBE, "orphans", 1000)
    equal((done.returncode, done.stdout), (0, "1000 orphans, 0 zombies\n"), "as PID 1")
    say(done.stdout.strip())


def orphans_are_told():
    """-w says which orphans were reaped, and nothing is said without it"""
    for option, told in (("-w", True), ("-s", False)):
        done = inside(SVD, option, "--", PROBE, "orphans", 3)
        equal(done.stderr.count("svd: reaped orphan "), 3 * told, f"lines with {option}: {done.stderr!r}")


def subreaper_adopts():
    """when svd is not PID 1, orphans come to it and not to the init of the system"""
    with Place() as place:
        lines = Lines(place / "lines")
        for name in ("go", "end"):
            os.mkfifo(place / name)
        with Running(SVD, "--", "sh", "-c", f"(sh -c 'read x < {place}/go; exit 0' & echo $! > {lines.path}); cat {place}/end >/dev/null", namespace=False) as svd:
            orphan = int(lines.next())
            while status_of(orphan).get("PPid") != str(svd.init):
                os.sched_yield()
            (place / "go").write_text("\n")
            wait_gone([orphan], what="the orphan")
            while pathlib.Path(f"/proc/{orphan}").exists():  # until it was reaped
                os.sched_yield()
            (place / "end").write_text("\n")
            equal(svd.code(), 0, "exit code")


def parents_death_is_a_signal():
    """-p: the parent's death is that signal to the command; SIGKILL ends both"""
    for name, reported in (("SIGUSR1", "10"), ("SIGKILL", None)):
        with Place() as place:
            lines = Lines(place / "lines")
            # The shell waits, and is killed; the command is not its child.
            with Running("sh", "-c", f"{SVD} -p {name} -- {PROBE} signals {lines.path}; exit", namespace=False) as shell:
                command = int(lines.next().split()[0])
                svd = int(status_of(command)["PPid"])
                os.kill(shell.init, signal.SIGKILL)
                if reported:
                    equal(lines.next().split()[1], reported, "the command is told")
                    os.kill(command, signal.SIGKILL)
                wait_gone([svd, command], what="svd and its command")


def what_the_command_inherits():
    """the command gets svd's descriptors, directory, signal mask and ignored signals, is told of its sockets, and svd keeps no copy"""
    with Place() as place:
        lines = Lines(place / "lines")
        reading, writing = os.pipe()
        script = f"""import os, signal
status = dict(line.split(':\\t') for line in open('/proc/self/status').read().splitlines())
print(os.getcwd(), status['SigBlk'], status['SigIgn'], os.environ['LISTEN_PID'] == str(os.getpid()), os.getpgrp() == os.getpid(), file=open('{lines.path}', 'w'))
os.close({writing})
signal.pause()
"""
        launcher = f"""import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR1])
os.environ['LISTEN_PID'] = str(os.getpid())
os.execv('{SVD}', ['svd', '--', '/usr/bin/python3', '-c', '''{script}'''])
"""
        with Running("/usr/bin/python3", "-c", launcher, namespace=False, cwd=place, pass_fds=[writing]) as svd:
            os.close(writing)
            ignored, user1 = 1 << signal.SIGHUP - 1 | 1 << signal.SIGCHLD - 1, 1 << signal.SIGUSR1 - 1
            words = lines.next().split(maxsplit=3)
            equal((words[0], int(words[1], 16), int(words[2], 16) & ignored), (str(place), user1, ignored), "directory, blocked, ignored")
            equal(words[3], "True True", "LISTEN_PID is its own; it leads a process group")
            equal(os.read(reading, 1), b"", "the pipe that the command has closed")
            svd.signal(signal.SIGTERM)
            equal(svd.code(), 143, "exit code, although SIGCHLD was ignored")
        os.close(reading)


# --- at a terminal ---------------------------------------------------------------------------------------------------------------


def the_terminal_is_the_commands():
    """at a terminal the command leads the foreground process group: Ctrl-C reaches it, and a shell has job control"""
    for prefix in ([], NAMESPACE):
        with Terminal(*prefix, SVD, "--", "python3", "-c", "import os; print('own', os.tcgetpgrp(0) == os.getpgrp() == os.getpid()); input(); input()") as at:
            at.expect("own True")
            at.type("x\n\x03")
            at.expect("KeyboardInterrupt")
            equal(at.code(), 130, "exit code after Ctrl-C")
        with Terminal(*prefix, SVD, "--", "bash", "--norc", "-i") as at:
            at.expect("$ ")
            at.type("sh -c 'echo up $((40 + 2)); exec sleep 1000'\n")
            at.expect("up 42")
            at.type("\x1a")
            at.expect("Stopped")
            at.type("kill %1; fg\n")
            at.expect("Terminated")
            at.type("exit 5\n")
            equal(at.code(), 5, "exit code of the shell")
            check("no job control" not in at.seen, at.seen)


def ctrl_z_stops_both():
    """below a shell, Ctrl-Z stops svd with its command, and fg continues both in the foreground"""
    with Terminal("bash", "--norc", "-i") as at:
        at.expect("$ ")
        at.type(f"{SVD} -- python3 -c 'print(\"re\" + \"ady\"); print(\"got\", input()); print(\"got\", input())'\n")
        at.expect("ready")
        at.type("one\n")
        at.expect("got one")
        at.type("\x1a")
        at.expect("Stopped")
        at.type("echo shell $((40 + 2)); fg\n")
        at.expect("shell 42")
        at.type("two\n")
        at.expect("got two")
        at.type("exit $?\n")
        equal(at.code(), 0, "exit code of the shell")


def the_foreground_is_left_alone_in_the_background():
    """started in the background svd does not take the terminal; at its end in the foreground it gives it back"""
    with Terminal("bash", "--norc", "-i") as at:
        at.expect("$ ")
        at.type(f"{SVD} -- sleep 1000 &\n")
        at.expect("$ ")
        at.type("echo still $((40 + 2))\n")
        at.expect("still 42")
        at.type("kill %1; wait; exit 3\n")
        equal(at.code(), 3, "exit code of the shell")
    # A shell without job control moves no foreground by itself.
    with Terminal("sh", "-c", f"{SVD} -- true; read line; echo read $line") as at:
        at.type("back\n")
        at.expect("read back")
        equal(at.code(), 0, "exit code of the script")


require_namespaces()
run(all_signals_as_pid_1, all_signals_as_a_process, signals_reach_the_group, signals_are_rewritten, exit_codes_pass_through,
    exit_codes_become_success, what_cannot_be_executed, orphans_are_reaped, orphans_are_told, subreaper_adopts, parents_death_is_a_signal,
    what_the_command_inherits, the_terminal_is_the_commands, ctrl_z_stops_both, the_foreground_is_left_alone_in_the_background)
