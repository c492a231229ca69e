#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A start that its app's user holds up for ever (a lease on the program, SIGSTOP before the program began, directories, programs and logs
on a file system that does not answer) is the problem of that app alone: others are started, stopped and reaped meanwhile, it fails at its
deadline with words, it can be stopped, and svd ends when it is told to; as PID 1, too."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import hanging
import harness
from harness import APP, Daemon, alive, check, parents, run, say, status_of, wait_gone
from pid1 import NAMESPACE, SVD, child_of

UID = 200_000 + os.getpid() % 100_000  # nobody else's
USER = f'user: "{UID}", group: "{UID}"'
QUICK = 8.0  # seconds for what must not wait for the other app's deadline, which is 10
PATIENT = "restart: { delay: 1ms, max_delay: 1ms, max_restarts: 1, window: 1m }"


class Init(Daemon):
    """`svd FILE` as PID 1 of a pid namespace of its own."""

    SVCTL = harness.SVCTL

    def __init__(self):
        super().__init__()
        self.process = None

    def begin(self, text):
        path = self.write(text)
        environment = {**self.environment, "SVD_LOG": "stderr"}
        with open(self.directory / "output", "wb") as output:
            self.process = subprocess.Popen([*NAMESPACE, SVD, str(path)], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.init = child_of(self.process.pid)
        # A peer outside of its pid namespace has no pid for it, and is refused.
        inside = self.directory / "svctl"
        inside.write_text(f'#!/bin/sh\nexec nsenter -t {self.init} -p -m {self.SVCTL} "$@"\n')
        inside.chmod(0o755)
        harness.SVCTL = str(inside)
        self.wait_until(lambda: self.svctl("ls", ok=False).returncode == 0, "svd serves")

    def explain(self):
        super().explain()
        say((self.directory / "output").read_text(errors="replace")[-4000:])

    def stop(self):
        """What entered the namespace, and was orphaned, is ours; its init does not end before it is reaped."""
        if self.process.poll() is None:
            os.kill(self.init, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            check(time.monotonic() < deadline, "svd ends when it is told to")
            for pid, parent in parents().items():
                if parent == os.getpid() and pid != self.process.pid and not alive(pid):
                    os.waitpid(pid, os.WNOHANG)
            os.sched_yield()

    def clean_up(self):
        if self.process and self.process.poll() is None:
            os.kill(self.init, signal.SIGKILL)
            self.process.wait()
        harness.SVCTL = self.SVCTL
        super().clean_up()


def file_of(bad):
    return (f"version: 1\nname: t\napps:\n  good: {{ exec: [{APP}, wait], instances: 2, logs: {{ to: none }} }}\n"
            f"  short: {{ exec: [{APP}, exit, \"0\"], logs: {{ to: none }}, restart: {{ policy: never }} }}\n"
            f"  bad: {{ {bad}, {PATIENT} }}\n")


def within(seconds, work, what):
    begun = time.monotonic()
    done = work()
    check(time.monotonic() - begun < seconds, f"{what} waits for the app that hangs: {time.monotonic() - begun:.1f} s")
    return done


def others_go_on(svd):
    """Another app is restarted, killed and reaped, scaled, and svctl answers."""
    before = svd.pids("t:good")
    within(QUICK, lambda: svd.svctl("restart", "t:good"), "a restart of another app")
    check(set(before.values()).isdisjoint(svd.pids("t:good").values()), "new processes")
    victim = svd.pids("t:good")["t:good/0"]
    if svd.process_is_ours:
        os.kill(victim, signal.SIGKILL)
        within(QUICK, lambda: wait_gone([victim], what="the killed process"), "reaping")
    within(QUICK, lambda: svd.svctl("scale", "t:good", "3"), "a start of another app")
    within(QUICK, lambda: svd.wait_ready("t:good", 3), "another app")


def holds_up(bad, *words, init=False, started=None):
    """Applies an app that hangs and all that must be true beside it."""
    with Init() if init else Daemon() as svd:
        svd.process_is_ours = not init
        if init:
            svd.begin(file_of(bad))
        else:
            svd.write(file_of(bad))
            svd.start("apply", "--no-wait", svd.directory / "ecosystem.yaml", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
        if started:
            check(started(), "the start hangs")
        svd.wait_ready("t:good", 2)
        others_go_on(svd)
        bad_one = svd.wait_until(lambda: [i for i in svd.instances("t:bad").values() if i["phase"] in ("failed", "backoff") and i["reason"]],
                                 "the start fails at its deadline")[0]
        for word in words:
            check(word in bad_one["reason"], f"{word!r} in the reason: {bad_one}")
        shown = svd.svctl("status", ok=False)
        check(words[0] in shown.stdout, f"status says it:\n{shown.stdout}")
        others_go_on_after(svd)


def others_go_on_after(svd):
    # Again under way, and stopped: that does not take until its deadline.
    svd.start("restart", "--no-wait", "t:bad", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
    within(QUICK, lambda: svd.svctl("stop", "t:bad", ok=False), "its stop")
    within(QUICK, lambda: svd.wait_until(lambda: all(i["phase"] in ("stopped", "failed") for i in svd.instances("t:bad").values()), "it is stopped"),
           "its stop")
    svd.start("restart", "--no-wait", "t:bad", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
    within(25, svd.stop, "the end of svd")


def place(name):
    """A directory and a program that this test's user owns."""
    directory = pathlib.Path(f"/tmp/svd-frozen-{UID}")
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    program = directory / name
    shutil.copy(APP, program)
    program.chmod(0o755)
    for path in (directory, program):
        os.chown(path, UID, UID)
    return program


def unborn():
    """The process that is held up: of this user, and not yet its program."""
    for pid in parents():
        status = status_of(pid)
        if status.get("Uid", "").split()[:1] == [str(UID)] and status["Name"].startswith("svd"):
            return pid
    return 0


def is_closed_to_its_user():
    """Nobody but root gets at the memory of who is held up: it may be a launcher's."""
    if pathlib.Path("/proc/sys/fs/suid_dumpable").read_text().strip() == "1":
        return True  # then it is a copy that holds nothing of others
    deadline = time.monotonic() + 20
    while not (pid := unborn()):
        check(time.monotonic() < deadline, "a process is held up")
        os.sched_yield()
    def attack(ready):
        tried = 0
        for path in ("mem", "environ", "root", "fd", "maps"):
            try:
                os.listdir(f"/proc/{pid}/{path}") if path in ("root", "fd") else os.open(f"/proc/{pid}/{path}", os.O_RDONLY)
                return  # without a word: it could
            except PermissionError:
                tried += 1
        if hanging.LIBC.ptrace(0x4206, pid, 0, 0) < 0 and tried == 5:  # PTRACE_SEIZE
            ready()
    hanging.end(hanging.as_user(UID, attack))
    return True


def lease(init=False):
    program = place("leased")
    holder = hanging.as_user(UID, hanging.hold_lease(str(program)))
    try:
        holds_up(f"exec: [{program}, wait], cwd: /, {USER}, logs: {{ to: none }}", "did not begin within 10s", "executing the program", init=init,
                 started=None if init else is_closed_to_its_user)
    finally:
        hanging.end(holder)


def a_lease_on_the_program():
    """its user holds a write lease on the program: execve(2) waits"""
    lease()


def a_lease_beside_pid_1():
    """the same where svd is PID 1"""
    lease(init=True)


def stopped_by_its_user():
    """its user stops whatever runs as it, again and again"""
    stopper = hanging.as_user(UID, hanging.stop_everything)
    try:
        with Daemon() as svd:
            svd.process_is_ours = True
            bad = f"exec: [{place('stopped')}, wait], cwd: /, {USER}, logs: {{ to: none }}, instances: 8"
            svd.write(file_of(bad))
            svd.start("apply", "--no-wait", svd.directory / "ecosystem.yaml", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
            svd.wait_ready("t:good", 2)
            for _ in range(5):
                svd.start("restart", "--no-wait", "--force", "t:bad", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
                within(QUICK, lambda: svd.svctl("restart", "t:good"), "a restart of another app")
            others_go_on(svd)
            within(25, svd.stop, "the end of svd")
    finally:
        hanging.end(stopper)


def with_mount(test, yields=False):
    reason = hanging.why_no_fuse()
    if reason:
        return say(f"   SKIPPED: {reason}")
    directory = pathlib.Path(f"/tmp/svd-frozen-mount-{UID}")
    try:
        with hanging.Mount(directory, yields) as mount:
            test(directory, mount)
    finally:
        directory.rmdir()


def a_directory_that_hangs():
    """its working directory is below a mount whose server does not answer"""
    with_mount(lambda at, mount: holds_up(f"exec: [{APP}, wait], cwd: {at}/place, {USER}, logs: {{ to: none }}", "did not begin within 10s",
                                          "changing to the working directory", started=lambda: mount.asked.wait(20)))


def a_directory_that_hangs_beside_pid_1():
    """the same where svd is PID 1; where a process cannot be killed the kernel itself keeps the namespace, so this mount gives in to SIGKILL"""
    with_mount(lambda at, mount: holds_up(f"exec: [{APP}, wait], cwd: {at}/place, {USER}, logs: {{ to: none }}", "did not begin within 10s",
                                          "changing to the working directory", started=lambda: mount.asked.wait(20), init=True), yields=True)


def a_directory_of_our_own_that_hangs():
    """the same for an app of svd's own user"""
    with_mount(lambda at, mount: holds_up(f"exec: [{APP}, wait], cwd: {at}/place, logs: {{ to: none }}", "did not begin within 10s",
                                          "changing to the working directory", started=lambda: mount.asked.wait(20)))


def a_program_that_hangs():
    """its program is on such a mount"""
    with_mount(lambda at, mount: holds_up(f"exec: [{at}/program], cwd: /, {USER}, logs: {{ to: none }}", "did not begin within 10s",
                                          "executing the program", started=lambda: mount.asked.wait(20)))


def a_log_that_hangs():
    """its log is on such a mount"""
    with_mount(lambda at, mount: holds_up(f"exec: [{APP}, wait], cwd: /, {USER}, logs: {{ to: file, path: {at}/log }}", "opening the log",
                                          started=lambda: mount.asked.wait(20)))


def a_credential_that_hangs():
    """a credential, and a path that it is not to see, are on such a mount"""
    with_mount(lambda at, mount: holds_up(f"exec: [{APP}, wait], cwd: /, {USER}, credentials: {{ key: {at}/key }}, logs: {{ to: none }}",
                                          "does not answer", "hardening", started=lambda: mount.asked.wait(20)))
    with_mount(lambda at, mount: holds_up(f"exec: [{APP}, wait], cwd: /, harden: {{ inaccessible: [{at}/place] }}, logs: {{ to: none }}",
                                          "does not answer", "hardening", started=lambda: mount.asked.wait(20)))


def many_that_hang():
    """dozens of starts of one app and of one user hang, and others have their turn"""
    def test(at, mount):
        apps = "".join(f"  bad{i}: {{ exec: [{APP}, wait], cwd: {at}/place, instances: 10, {USER}, logs: {{ to: none }}, {PATIENT} }}\n" for i in range(12))
        with Daemon() as svd:
            svd.process_is_ours = True
            svd.write(file_of(f"exec: [{APP}, wait], logs: {{ to: none }}") + apps)
            svd.start("apply", "--no-wait", svd.directory / "ecosystem.yaml", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
            check(mount.asked.wait(20), "one hangs")
            others_go_on(svd)
            within(25, svd.stop, "the end of svd")
    with_mount(test)


if __name__ == "__main__":
    if os.geteuid() != 0:
        say("SKIPPED: the attacker is another user, which takes root")
        sys.exit(77)
    try:
        hanging.own_mounts()
    except OSError as error:
        say(f"SKIPPED: no mounts of its own: {error}")
        sys.exit(77)
    wanted = sys.argv[1:]
    tests = [a_lease_on_the_program, a_lease_beside_pid_1, stopped_by_its_user, a_directory_that_hangs, a_directory_that_hangs_beside_pid_1,
             a_directory_of_our_own_that_hangs, a_program_that_hangs, a_log_that_hangs, a_credential_that_hangs,
             many_that_hang]
    try:
        run(*[test for test in tests if not wanted or test.__name__ in wanted])
    finally:
        shutil.rmtree(f"/tmp/svd-frozen-{UID}", ignore_errors=True)
