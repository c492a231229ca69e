#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cgroup v2 hierarchy is found in mountinfo, wherever it is mounted"""
import os
import pathlib
import subprocess
import sys

from harness import APP, check, equal, run
from vm import CONTROLLERS, Delegated

ELSEWHERE = pathlib.Path("/run/elsewhere")


def it_is_mounted_elsewhere():
    """a daemon that sees cgroup2 at another place, with all controllers, uses it and lacks nothing"""
    with Delegated(mount=ELSEWHERE) as svd:
        svd.apply(f"version: 1\nname: t\napps:\n  web: {{ exec: [{APP}, wait], logs: {{ to: none }} }}\n")
        one, = svd.instances().values()
        check(pathlib.Path(one["cgroup"]).is_relative_to(svd.cgroup), f"{one['cgroup']} is not below {svd.cgroup}")
        equal((pathlib.Path(one["cgroup"]) / "cgroup.procs").read_text().split(), [str(one["pid"])], "members of its cgroup")
        check(CONTROLLERS <= set((svd.cgroup / "cgroup.controllers").read_text().split()), "all controllers")
        equal(svd.daemon()["degraded"], [], "what is missing")


if len(sys.argv) == 1:
    ELSEWHERE.mkdir()
    done = subprocess.run(["unshare", "--mount", "sh", "-ec", f'umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 {ELSEWHERE}; "$0" inside', __file__])
    os.rmdir(ELSEWHERE)
    sys.exit(done.returncode)
run(it_is_mounted_elsewhere)
