#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""svd is PID 1 of a container that root started"""
# timeout: 600
from harness import run
from scenes import cgroups_when_writable, life_and_end


def read_only_cgroups():
    """as podman and docker do by default, cgroups are read-only: it says so, works, survives its engine, stops in order"""
    life_and_end(degraded=["no cgroups (cannot make /sys/fs/cgroup/"])


def writable_cgroups():
    """with cgroups of its own it lacks nothing, and the strays of an instance are found"""
    cgroups_when_writable()


run(read_only_cgroups, writable_cgroups)
