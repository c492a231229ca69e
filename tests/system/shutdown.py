#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The end of svd: everything stops in its time and nothing is left in the process table."""
import os
import pathlib
import signal
import subprocess
import time

from harness import APP, BUILD, Daemon, SVCTL, alive, check, descendants, equal, is_launcher, run, say, wait_gone

POLITE, STUBBORN, TIMEOUT = 80, 20, 2  # instances, instances, seconds


def ecosystem(svd):
    return ("version: 1\nname: t\ndefaults:\n  logs: { to: none }\n" f"  stop: {{ timeout: {TIMEOUT}s }}\napps:\n"
            f"  polite: {{ exec: [{APP}, wait], instances: {POLITE} }}\n"
            f"  stubborn: {{ exec: [{APP}, ignore, strays, {svd}, wait], instances: {STUBBORN} }}\n")


def everyone_is_gone(svd, signal_it):
    reports = svd.reports()
    svd.apply(ecosystem(reports.path))
    reports.next(2 * STUBBORN)
    daemon = svd.daemon()
    ours = [pid for pid in descendants() if alive(pid) and not is_launcher(pid) and pid not in (daemon["pid"], daemon["engine_pid"])]
    equal(len(ours), POLITE + 3 * STUBBORN, "processes before")
    begun = time.monotonic()
    signal_it(daemon["pid"])
    wait_gone([daemon["pid"]], what="svd")
    took = time.monotonic() - begun
    left = [pid for pid in ours + [daemon["engine_pid"]] if os.path.exists(f"/proc/{pid}")]
    equal(left, [], "in the process table after svd's end")
    say(f"{POLITE + STUBBORN} instances, {STUBBORN} of them ignoring SIGTERM, stop timeout {TIMEOUT} s: gone after {took:.2f} s")
    # On a quiet machine it is within a second of the timeout; one after the other they would need STUBBORN × TIMEOUT.
    check(took <= TIMEOUT + 10, f"it took {took:.2f} s: the longest stop timeout is {TIMEOUT} s")
    equal(svd.svctl("daemon", "status", ok=False).returncode, 3, "exit status of svctl daemon status: no daemon runs")


def sigterm_stops_all():
    """SIGTERM to svd with 100 instances, some ignoring it: all gone within the longest stop timeout plus a second"""
    with Daemon() as svd:
        everyone_is_gone(svd, lambda pid: os.kill(pid, signal.SIGTERM))


def daemon_stop_stops_all():
    """the same by svctl daemon stop, which returns when all is gone"""
    with Daemon() as svd:
        everyone_is_gone(svd, lambda pid: svd.svctl("daemon", "stop"))


def second_sigterm_forces():
    """a second SIGTERM does not wait for the stop timeout"""
    with Daemon() as svd:
        reports = svd.reports()
        svd.apply(f"version: 1\napps:\n  slow: {{ exec: [{APP}, ignore, report, {reports.path}, wait], stop: {{ timeout: 10m }}, logs: {{ to: none }} }}\n")
        (pid, _, _), = reports.next(1)
        keeper = svd.daemon()["pid"]
        os.kill(keeper, signal.SIGTERM)
        svd.wait_until(lambda: svd.instances()["default:slow/0"]["phase"] == "stopping", "stopping")
        os.kill(keeper, signal.SIGTERM)
        wait_gone([keeper, pid], what="svd and its stubborn instance", timeout=30)


def foreground_ends_with_its_terminal():
    """svctl run keeps a file's apps in the foreground; SIGINT ends both"""
    with Daemon() as svd:
        reports = svd.reports()
        file = svd.write(f"version: 1\napps:\n  web: {{ exec: [{APP}, report, {reports.path}, wait], logs: {{ to: console }} }}\n")
        process = svd.start("run", file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        (pid, _, _), = reports.next(1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        wait_gone([pid], what="the instance of svctl run")
        check(process.returncode in (0, 130), f"exit status {process.returncode}:\n{output}")
        equal([pid for pid in descendants() if pathlib.Path(f"/proc/{pid}/exe").exists() and str(BUILD) in os.readlink(f"/proc/{pid}/exe")], [],
              "left of svctl run")


def run_shows_what_goes_to_the_console():
    """svctl run of a file that was made for a container, `to: console`: what its apps write is shown"""
    with Daemon() as svd:
        file = svd.write("version: 1\napps:\n  job: { exec: [/bin/sh, -c, 'echo out; echo err >&2'], restart: { policy: never }, logs: { to: console } }\n")
        equal(svd.svctl("run", file).stdout, "job/0 | out\njob/0 | err\n", "svctl run")


def run_is_of_its_file_alone():
    """svctl run with SVD_HOME set: nothing that lives there runs along, and nothing is left there"""
    with Daemon() as svd:
        svd.apply(f"version: 1\nname: other\napps:\n  web: {{ exec: [{APP}, wait], logs: {{ to: none }} }}\n", name="other.yaml")
        text = "version: 1\nname: mine\napps:\n  job: {{ exec: [/bin/sh, -c, {}], restart: {{ policy: never }} }}\n"
        once = svd.write(text.format("echo done"))
        done = svd.svctl("run", once)  # beside the daemon of that place
        equal(done.stdout, "job/0 | done\n", "svctl run beside a daemon")
        equal([*svd.apps()], ["other:web"], "apps of the daemon")
        svd.svctl("daemon", "stop")
        equal(svd.svctl("run", once).stdout, "job/0 | done\n", "svctl run where a daemon was")
        equal(svd.svctl("run", svd.write(text.format("exit 7")), ok=False).returncode, 1, "exit status of a run that fails")
        svd.svctl("apply", svd.write(f"version: 1\nname: third\napps:\n  x: {{ exec: [{APP}, wait], logs: {{ to: none }} }}\n"))
        equal(sorted(svd.apps()), ["other:web", "third:x"], "apps of the daemon afterwards")


def killed_foreground_leaves_nothing():
    """svctl run killed with SIGKILL: its daemon and the apps end in order, and its temporary directory goes"""
    with Daemon() as svd:
        reports = svd.reports()
        file = svd.write(f"version: 1\napps:\n  web: {{ exec: [{APP}, report, {reports.path}, wait], logs: {{ to: none }} }}\n")
        temporary = svd.directory / "temporary"
        temporary.mkdir()
        svd.environment["TMPDIR"] = str(temporary)
        process = svd.start("run", file)
        reports.next(1)
        everyone = [pid for pid in descendants() if alive(pid)]
        equal(len(list(temporary.iterdir())), 1, "temporary directories while it runs")
        process.kill()
        wait_gone(everyone, what="of svctl run")
        equal(list(temporary.iterdir()), [], "left in TMPDIR")


def interrupted_at_any_moment():
    """svctl run interrupted at any moment ends as Ctrl-C does, and leaves nothing"""
    with Daemon() as svd:
        file = svd.write(f"version: 1\napps:\n  web: {{ exec: [{APP}, wait], logs: {{ to: console }} }}\n")
        temporary = svd.directory / "temporary"
        temporary.mkdir()
        environment = {**svd.environment, "TMPDIR": str(temporary)}
        for delay in range(0, 80, 2):
            process = subprocess.Popen([SVCTL, "run", file], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(delay / 1000)  # pace: the moment is what is tried
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=30)
            check(process.returncode in (-signal.SIGINT, 130), f"exit status {process.returncode} after {delay} ms:\n{output}")
            equal(list(temporary.iterdir()), [], f"left in TMPDIR after {delay} ms")


run(sigterm_stops_all, run_shows_what_goes_to_the_console, run_is_of_its_file_alone, daemon_stop_stops_all, second_sigterm_forces, foreground_ends_with_its_terminal,
    killed_foreground_leaves_nothing, interrupted_at_any_moment)
