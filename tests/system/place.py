#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a daemon stands on is taken away while it runs: its socket, its runtime directory, its state. No instance notices."""
import os
import shutil
import signal
import subprocess

from harness import APP, Daemon, check, equal, run, wait_gone

ECOSYSTEM = """version: 1
name: t
apps:
  web: {{ exec: [{app}, wait], instances: 3, env: {{ V: "{value}" }}, logs: {{ to: none }}, update: {{ min_ready: 0s }} }}
"""


def begin(svd):
    """Two revisions, and what runs of the second one."""
    for value in (1, 2):
        svd.apply(ECOSYSTEM.format(app=APP, value=value))
    return svd.pids()


def kill_engine(svd, meanwhile=lambda: None):
    daemon = svd.daemon()
    os.kill(daemon["pid"], signal.SIGSTOP)  # so that the next engine finds what was done meanwhile
    os.kill(daemon["engine_pid"], signal.SIGKILL)
    wait_gone([daemon["engine_pid"]], what="the engine")
    meanwhile()
    os.kill(daemon["pid"], signal.SIGCONT)


def reach(svd):
    """A daemon that mends its place: svctl waits for it by itself."""
    return svd.wait_until(lambda: svd.svctl("ls", ok=False).returncode == 0, "svctl reaches the daemon")


def remove(directory):
    """At one blow: a daemon that notices makes it anew while its files go one by one."""
    gone = directory.with_name("gone")
    os.rename(directory, gone)
    shutil.rmtree(gone)


def is_supervised(svd, pids):
    equal(svd.pids(), pids, "who runs")
    victim = pids["t:web/1"]
    os.kill(victim, signal.SIGKILL)
    svd.wait_until(lambda: svd.pids().get("t:web/1") not in (None, victim), "a killed instance comes back")


def the_socket_is_removed():
    """the bus socket is removed: the same daemon listens again, and apply starts no second one"""
    with Daemon() as svd:
        pids, daemon = begin(svd), svd.daemon()
        os.unlink(svd.home / "run/bus")
        done = svd.apply(ECOSYSTEM.format(app=APP, value=2))
        check("nothing to do" in done.stdout, done.stdout)
        equal(svd.daemon()["pid"], daemon["pid"], "the keeper")
        equal(svd.daemon()["started"], daemon["started"], "since when it runs")
        is_supervised(svd, pids)


def the_runtime_directory_is_removed():
    """the runtime directory is removed: the same daemon makes it anew, with lock and socket"""
    with Daemon() as svd:
        pids, daemon = begin(svd), svd.daemon()
        remove(svd.home / "run")
        reach(svd)
        now = svd.daemon()
        equal((now["pid"], now["started"]), (daemon["pid"], daemon["started"]), "the daemon")
        check(now["engine_starts"] > daemon["engine_starts"], "an engine was started anew")
        for name in ("bus", "lock", "notify"):
            check((svd.home / "run" / name).exists(), f"{name} is there again")
        is_supervised(svd, pids)


def the_engine_dies_without_a_runtime_directory():
    """the runtime directory is removed while no engine runs: the next one makes it anew"""
    with Daemon() as svd:
        pids = begin(svd)
        kill_engine(svd, lambda: remove(svd.home / "run"))
        reach(svd)
        is_supervised(svd, pids)


def no_runtime_directory_can_be_made():
    """a runtime directory that cannot be made: all is supervised, svctl says what to do, and SIGHUP mends it"""
    with Daemon() as svd:
        pids, daemon = begin(svd), svd.daemon()
        place = svd.home / "run"

        def block():
            shutil.rmtree(place)
            place.write_text("in the way")
        kill_engine(svd, block)
        said = svd.svctl("ls", ok=False)
        check(f"kill -HUP {daemon['pid']}" in said.stderr, said.stderr)
        check(f"kill -HUP {daemon['pid']}" in svd.svctl("apply", "ecosystem.yaml", ok=False).stderr, "apply says so, too")
        place.unlink()
        os.kill(daemon["pid"], signal.SIGHUP)
        reach(svd)
        equal(svd.daemon()["pid"], daemon["pid"], "the keeper")
        is_supervised(svd, pids)


def damaged(what, damage, words):
    with Daemon() as svd:
        pids, state = begin(svd), svd.home / "state"
        kill_engine(svd, lambda: damage(state))
        reach(svd)
        equal(svd.pids(), pids, f"who runs after: {what}")
        told = svd.svctl("events").stdout
        for text in words:
            check(text in told, f"{what}: {text!r} is not among the events:\n{told}")
        if state.is_dir():
            os.chmod(state, 0o700)
        svd.apply(ECOSYSTEM.format(app=APP, value=2))
        is_supervised(svd, pids)


def files_of(state):
    return [state / "runtime", state / "runtime.prev"], list((state / "revisions/t").iterdir())


def overwrite(files):
    for file in files:
        file.write_bytes(os.urandom(300))


def state_is_damaged():
    """state files are damaged, each kind alone and all together: what runs is kept, what is lost is told"""
    damaged("the runtime state", lambda state: overwrite(files_of(state)[0]), ["no usable copy", "by hand is forgotten"])
    damaged("all revisions", lambda state: overwrite(files_of(state)[1]), ["cannot read revision 2", "applied again"])
    damaged("everything", lambda state: overwrite(sum(files_of(state), [])), ["cannot read revision 2", "by hand is forgotten"])
    damaged("the newest revision and the runtime state",
            lambda state: overwrite(files_of(state)[0] + [f for f in files_of(state)[1] if f.name.startswith("2")]),
            ["cannot read revision 2"])


def the_state_directory_is_gone():
    """the state directory is removed, or such that it cannot be trusted: what runs is kept"""
    damaged("removed", shutil.rmtree, ["cannot read revision 2", "by hand is forgotten"])
    damaged("open to everybody", lambda state: os.chmod(state, 0o777), ["others may write to it", "cannot read revision 2"])


def a_directory_in_the_place_of_a_file():
    """a directory where the runtime state belongs is set aside: the state is saved again"""
    with Daemon() as svd:
        begin(svd)
        state = svd.home / "state"

        def replace():
            for file in files_of(state)[0]:
                file.unlink()
                file.mkdir()
                (file / "something").touch()
        kill_engine(svd, replace)
        reach(svd)
        svd.svctl("stop", "web")
        svd.wait_until(lambda: (state / "runtime").is_file() and not svd.daemon()["unsaved"], "the state is saved")
        check((state / "runtime.aside/something").exists(), "what was in the way is kept")


def ends_are_events():
    """the death of an engine and of the keeper is an event"""
    with Daemon() as svd:
        begin(svd)
        os.kill(svd.daemon()["engine_pid"], signal.SIGSEGV)
        svd.wait_until(lambda: "ended: signal SIGSEGV; took over 3" in svd.svctl("events", ok=False).stdout, "the engine's end")
        keeper = svd.daemon()["pid"]
        os.kill(keeper, signal.SIGKILL)
        told = svd.wait_until(lambda: "keeper" in svd.svctl("events", ok=False).stdout and svd.svctl("events").stdout,
                              "the keeper's end")
        check("it had died, another one has taken its place: pid " in told, told)
        check("ended: signal SIGSEGV; took over" in (svd.home / "log/svd.log").read_text(), "and in the log")


def an_engine_that_does_not_answer():
    """svctl says within seconds that the engine is stopped, and what to do; it goes on when the engine does"""
    with Daemon() as svd:
        begin(svd)
        engine = svd.daemon()["engine_pid"]
        os.kill(engine, signal.SIGSTOP)
        asked = svd.start("ls", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = asked.stderr.readline()
        check("has not answered for 3s; still waiting" in first, first)
        second = asked.stderr.readline()
        check(f"pid {engine}, is stopped" in second and f"kill -CONT {engine}" in second, second)
        os.kill(engine, signal.SIGCONT)
        shown, _ = asked.communicate(timeout=20)
        equal(asked.returncode, 0, "svctl ls")
        check("web/2" in shown, shown)


run(the_socket_is_removed, the_runtime_directory_is_removed, the_engine_dies_without_a_runtime_directory,
    no_runtime_directory_can_be_made, state_is_damaged, the_state_directory_is_gone, a_directory_in_the_place_of_a_file,
    ends_are_events, an_engine_that_does_not_answer)
