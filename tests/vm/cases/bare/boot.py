#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""svd as PID 1 with nothing mounted but proc, sys, dev and cgroup2: it lacks nothing"""
import pathlib

from harness import equal, run, say
from vm import SystemDaemon


def svd_is_pid_1():
    """svctl daemon status names PID 1 and nothing that is not enforceable"""
    with SystemDaemon() as svd:
        status = svd.daemon()
        say(status)
        equal(status["pid"], 1, "the daemon's pid")
        equal(pathlib.Path("/proc/1/comm").read_text().strip(), "svd", "PID 1")


run(svd_is_pid_1)
