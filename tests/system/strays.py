#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of an instance: it is replaced, and its stray children are gone before the replacement begins."""
import os
import random
import signal
import time

from harness import APP, Daemon, alive, check, equal, run, say, spread, wait_gone

ROUNDS = 100


def strays_go_with_their_instance():
    """100 of 100 times the strays (setsid, forked twice) die with their instance, before its successor's first instruction"""
    with Daemon() as svd:
        reports = svd.reports()
        # The strays report before the instance does: three reports mean that all of them are there.
        svd.apply("version: 1\nname: t\napps:\n  web:\n"
                  f"    exec: [{APP}, strays, {reports.path}, report, {reports.path}, wait]\n    instances: 4\n"
                  "    logs: { to: none }\n    restart: { delay: 0ms, max_restarts: 1000000 }\n")
        families = {}
        collect(families, reports.next(4 * 3))
        for _ in range(ROUNDS):
            slot = random.choice(sorted(families))
            main, strays = families.pop(slot)
            check(all(map(alive, strays)), "the strays live while their instance does")
            os.kill(main, signal.SIGKILL)
            found = reports.next(1)
            # Whoever reports first belongs to the successor: by then nobody of the old family may be left.
            left = [pid for pid in (main, *strays) if alive(pid)]
            equal(left, [], f"left of {slot} when its successor ran")
            collect(families, found + reports.next(2))
        say(f"strays gone before the restart: {ROUNDS} of {ROUNDS}")
        everyone = [pid for main, strays in families.values() for pid in (main, *strays)]
        svd.svctl("stop", "all")
        wait_gone(everyone, what="instances and strays after stop")


def collect(families, found):
    """The reports of whole families: who is whose stray is told by the cgroup, or the process group where there is none."""
    mains = {pid: what for pid, what, _ in found if what != "stray"}
    strays = [pid for pid, what, _ in found if what == "stray"]
    for pid, slot in mains.items():
        own = [one for one in strays if len(mains) == 1 or cgroup(one) == cgroup(pid)]
        equal(len(own), 2, f"strays of slot {slot}")
        families[slot] = (pid, own)


def cgroup(pid):
    return open(f"/proc/{pid}/cgroup").read().split("0::")[-1].strip()


def restart_latency():
    """kill to the new process's first instruction, with restart.delay 0 (figures only)"""
    with Daemon() as svd:
        reports = svd.reports()
        svd.apply("version: 1\nname: t\napps:\n  web:\n"
                  f"    exec: [{APP}, report, {reports.path}, wait]\n    instances: 100\n"
                  "    logs: { to: none }\n    restart: { delay: 0ms, max_restarts: 1000000 }\n")
        pids = {slot: pid for pid, slot, _ in reports.next(100)}
        took = []
        for _ in range(ROUNDS):
            slot = random.choice(sorted(pids))
            begun = time.monotonic()
            os.kill(pids[slot], signal.SIGKILL)
            (pid, again, first), = reports.next(1)
            equal(again, slot, "the slot that came back")
            pids[slot] = pid
            took.append(first - begun)
        spread("restart latency, one of 100, delay 0", took)
        restarts = sum(one["restarts"] for one in svd.instances().values())
        equal(restarts, ROUNDS, "restarts in all")


def all_killed_at_once():
    """every instance killed at the same moment: all come back, each restarted once (the figure is printed)"""
    count = 300
    with Daemon() as svd:
        reports = svd.reports()
        begun = time.monotonic()
        svd.apply("version: 1\nname: t\napps:\n  web:\n"
                  f"    exec: [{APP}, report, {reports.path}, wait]\n    instances: {count}\n"
                  "    logs: { to: none }\n    restart: { delay: 0ms, max_restarts: 1000000 }\n", "--no-wait")
        first = reports.next(count)
        say(f"start of {count}, with a cold daemon: {max(when for _, _, when in first) - begun:.3f} s")
        begun = time.monotonic()
        for pid, _, _ in first:
            os.kill(pid, signal.SIGKILL)
        second = reports.next(count)
        say(f"{count} killed, all back: {max(when for _, _, when in second) - begun:.3f} s")
        equal(sorted(slot for _, slot, _ in second), sorted(slot for _, slot, _ in first), "slots")
        svd.wait_ready("t:web", count)
        equal([one["restarts"] for one in svd.instances().values()], [1] * count, "restarts of each")
        equal(reports.pending(), [], "starts beyond one each")


run(strays_go_with_their_instance, restart_latency, all_killed_at_once)
