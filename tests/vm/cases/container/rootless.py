#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""svd is PID 1 of a container that a user without any rights started"""
# timeout: 900
from harness import run
from scenes import cgroups_when_writable, life_and_end


def read_only_cgroups():
    """the same as for root: it says what it lacks, works, survives its engine, stops in order"""
    life_and_end(user="alice", degraded=["no cgroups (cannot make /sys/fs/cgroup/"])


def writable_cgroups():
    """with the cgroups that the user's systemd gave it lacks what that keeps to itself: cpuset and io"""
    cgroups_when_writable(user="alice", degraded=["limits and figures are incomplete: of the cgroup controllers, cpuset and io are not delegated"])


run(read_only_cgroups, writable_cgroups)
