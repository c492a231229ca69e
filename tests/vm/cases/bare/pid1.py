#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""svd as PID 1 with nothing mounted but proc, sys, dev and cgroup2: it lacks nothing, and applies"""
import pathlib

from harness import APP, check, equal, run
from vm import CONTROLLERS, SystemDaemon


def svd_is_pid_1():
    """svctl daemon status names PID 1 and nothing that is not enforceable"""
    with SystemDaemon() as svd:
        status = svd.daemon()
        equal(pathlib.Path("/proc/1/comm").read_text().strip(), "svd", "PID 1")
        equal((status["pid"], status["degraded"]), (1, []), "pid and what is missing")


def an_ecosystem_is_applied():
    """instances are PID 1's children, each in a cgroup of its own below a directory that has every controller"""
    with SystemDaemon() as svd:
        svd.apply(f"version: 1\nname: t\napps:\n  web: {{ exec: [{APP}, wait], instances: 3, logs: {{ to: none }} }}\n")
        found = svd.instances().values()
        equal([one["phase"] for one in found], ["ready"] * 3, "phases")
        for one in found:
            equal(pathlib.Path(f"/proc/{one['pid']}/stat").read_text().rpartition(") ")[2].split()[1], "1", "parent")
            equal((pathlib.Path(one["cgroup"]) / "cgroup.procs").read_text().split(), [str(one["pid"])], "members of its cgroup")
        missing = CONTROLLERS - set((pathlib.Path(one["cgroup"]).parents[1] / "cgroup.controllers").read_text().split())
        check(not missing, f"controllers {missing} are not below the root")


run(svd_is_pid_1, an_ecosystem_is_applied)
