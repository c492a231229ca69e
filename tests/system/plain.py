#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A host without cgroups: nobody runs twice, nobody is left behind, and what is not promised is said."""
import os
import random
import signal

from harness import APP, Daemon, alive, check, equal, run, say, wait_gone
from herd import Herd, ecosystem

COUNT, ROUNDS = 20, 30


def plain_daemon():
    return Daemon(SVD_CGROUPS="off")


def environment(pid):
    with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
        return dict(variable.split("=", 1) for variable in file.read().split("\0") if "=" in variable)


def it_is_said():
    """status says that there are no cgroups, and what that costs"""
    with plain_daemon() as svd:
        svd.apply(f"version: 1\napps:\n  web: {{ exec: [{APP}, wait], logs: {{ to: none }} }}\n")
        lacking = " ".join(svd.daemon()["degraded"])
        check("no cgroups" in lacking and "stray children" in lacking, f"degraded: {lacking}")
        equal(svd.instances()["default:web/0"]["cgroup"], "", "the cgroup of an instance")


def both_killed(before=()):
    with plain_daemon() as svd:
        reports = svd.reports()
        svd.apply(ecosystem(reports, COUNT, *before))
        herd = Herd(reports, COUNT)
        for _ in range(3):
            herd.kill_one()
            herd.settle()
        dead = random.choice(sorted(herd.pids))
        svd.kill_both()
        os.kill(herd.pids[dead], signal.SIGKILL)  # nobody is there to see it
        herd.out.add(dead)
        svd.apply(ecosystem(reports, COUNT, *before))
        svd.wait_ready("t:web", COUNT)
        herd.settle()
        equal(reports.pending(), [], "starts beyond the one that was missing")
        equal({name.split("/")[1]: pid for name, pid in svd.pids().items()}, herd.pids, "who runs")
        # They are supervised, not just known.
        herd.kill_one()
        herd.settle()
        everyone = list(herd.pids.values())
        svd.stop()
        wait_gone(everyone, what="instances after svctl daemon stop")


def both_killed_at_rest():
    """keeper and engine killed together: the next daemon takes over what still runs, and nothing runs twice"""
    both_killed()


def both_killed_with_titles():
    """the same with programs that overwrite their environment, as some do to show a title"""
    both_killed(before=("overwrite",))


def strays_go_with_their_instance():
    """strays (setsid, forked twice) die with their instance, before its successor's first instruction"""
    with plain_daemon() as svd:
        reports = svd.reports()
        svd.apply("version: 1\nname: t\napps:\n  web:\n"
                  f"    exec: [{APP}, strays, {reports.path}, report, {reports.path}, wait]\n    instances: 4\n"
                  "    logs: { to: none }\n    restart: { delay: 0ms, max_restarts: 1000000 }\n    stop: { timeout: 1s }\n")
        families = {}
        collect(families, reports.next(4 * 3))
        for round_ in range(ROUNDS):
            if round_ == ROUNDS // 2:  # from here on they are orphans of nobody in particular
                keeper = svd.daemon()["pid"]
                os.kill(keeper, signal.SIGKILL)
                wait_gone([keeper], what="the old keeper")
            slot = random.choice(sorted(families))
            main, strays = families.pop(slot)
            check(all(map(alive, strays)), "the strays live while their instance does")
            os.kill(main, signal.SIGKILL)
            found = reports.next(1)
            left = [pid for pid in (main, *strays) if alive(pid)]
            equal(left, [], f"left of {slot} when its successor ran")
            collect(families, found + reports.next(2))
        say(f"strays gone before the restart: {ROUNDS} of {ROUNDS}")
        everyone = [pid for main, strays in families.values() for pid in (main, *strays)]
        svd.svctl("stop", "all")
        wait_gone(everyone, what="instances and strays after stop")


def collect(families, found):
    mains = {environment(pid)["SVD_INSTANCE"]: pid for pid, what, _ in found if what != "stray"}
    for slot, main in mains.items():
        own = [pid for pid, what, _ in found if what == "stray" and environment(pid)["SVD_INSTANCE"] == slot]
        equal(len(own), 2, f"strays of slot {slot}")
        families[slot] = (main, own)


def strays_of_a_daemon_that_was_killed():
    """after keeper and engine were killed, what an instance left that ended meanwhile is ended, too"""
    with plain_daemon() as svd:
        reports = svd.reports()
        text = ("version: 1\nname: t\napps:\n  web:\n"
                f"    exec: [{APP}, strays, {reports.path}, report, {reports.path}, wait]\n    logs: {{ to: none }}\n    stop: {{ timeout: 1s }}\n")
        svd.apply(text)
        families = {}
        collect(families, reports.next(3))
        main, strays = families["0"]
        svd.kill_both()
        os.kill(main, signal.SIGKILL)
        svd.apply(text)
        collect(families, reports.next(3))
        equal([pid for pid in (main, *strays) if alive(pid)], [], "left of the first life")
        everyone = [families["0"][0], *families["0"][1]]
        svd.stop()
        wait_gone(everyone, what="the second life after svctl daemon stop")


def one_daemon_for_a_state():
    """two daemons of one state directory would run everything twice: the second one is refused, and harms nobody"""
    with Daemon() as svd:
        text = f"version: 1\napps:\n  web: {{ exec: [{APP}, wait], instances: 3, logs: {{ to: none }} }}\n"
        svd.apply(text)
        pids = set(svd.pids().values())
        keeper = svd.daemon()["pid"]
        other = svd.directory / "other"
        other.mkdir()
        (other / "state").symlink_to(svd.home / "state")  # as when the runtime directory was removed, and made anew
        first, svd.environment["SVD_HOME"] = svd.environment["SVD_HOME"], str(other)
        refused = svd.apply(text, ok=False)
        check(refused.returncode != 0 and all(words in refused.stderr for words in (f"(pid {keeper})", "another runtime directory")), f"refused: {refused.stderr}")
        svd.environment["SVD_HOME"] = first
        engine = svd.daemon()["engine_pid"]
        os.kill(engine, signal.SIGKILL)  # the lock outlives an engine
        wait_gone([engine], what="the engine")
        svd.environment["SVD_HOME"] = str(other)
        check("another runtime directory" in svd.apply(text, ok=False).stderr, "refused again")
        equal([pid for pid in pids if not alive(pid)], [], "instances that the attempts ended")
        svd.environment["SVD_HOME"] = first
        svd.stop()
        svd.environment["SVD_HOME"] = str(other)
        svd.apply(text)
        svd.wait_ready("default:web", 3)


run(it_is_said, both_killed_at_rest, both_killed_with_titles, strays_go_with_their_instance,
    strays_of_a_daemon_that_was_killed, one_daemon_for_a_state)
