#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of an instance of PID 1: its strays are gone before its successor begins, which is in another cgroup"""
import os
import pathlib
import signal

from harness import APP, alive, check, equal, run, say
from vm import SystemDaemon

ROUNDS = 10
ECOSYSTEM = ("version: 1\nname: t\napps:\n  web:\n    exec: [{app}, strays, {to}, report, {to}, wait]\n"
             "    logs: {{ to: none }}\n    restart: {{ delay: 0ms, max_restarts: 1000000 }}\n")


def rounds(end):
    """Ends the instance again and again; (its family, its cgroup) of each round."""
    with SystemDaemon() as svd:
        reports = svd.reports()
        svd.apply(ECOSYSTEM.format(app=APP, to=reports.path))
        family = reports.next(3)
        seen = set()
        for _ in range(ROUNDS):
            cgroup = pathlib.Path(svd.instances()["t:web/0"]["cgroup"])
            check(cgroup not in seen, f"{cgroup} is used a second time")
            seen.add(cgroup)
            main, = (pid for pid, what, _ in family if what != "stray")
            check(all(alive(pid) for pid, _, _ in family), "the strays live while their instance does")
            end(main, cgroup)
            first = reports.next(1)
            equal([pid for pid, _, _ in family if alive(pid)], [], "left of the old ones when the first new one ran")
            family = first + reports.next(2)
        svd.wait_ready("t:web", 1)
        equal(svd.instances()["t:web/0"]["restarts"], ROUNDS, "restarts")
        equal([str(cgroup) for cgroup in seen if cgroup.exists()], [], "cgroups left behind")


def strays_go_with_their_instance():
    """SIGKILL to the instance alone"""
    rounds(lambda pid, cgroup: os.kill(pid, signal.SIGKILL))
    say(f"strays gone before the restart: {ROUNDS} of {ROUNDS}")


def a_killed_cgroup_is_not_used_again():
    """cgroup.kill from outside: on some kernels whoever is started in that cgroup later is killed at birth"""
    rounds(lambda pid, cgroup: (cgroup / "cgroup.kill").write_text("1"))
    say(f"came back in a fresh cgroup: {ROUNDS} of {ROUNDS}")


run(strays_go_with_their_instance, a_killed_cgroup_is_not_used_again)
