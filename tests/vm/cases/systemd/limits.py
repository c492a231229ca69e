#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Under systemd, limits are set in what Delegate=yes gives, and nowhere above it; they outlive svd"""
import os
import pathlib
import signal

from harness import APP, check, equal, run
from vm import Service

OWN = pathlib.Path("/sys/fs/cgroup/system.slice/svd.service")
ECOSYSTEM = ("version: 1\nname: t\ndefaults: {{ logs: {{ to: none }} }}\napps:\n"
             "  web: {{ exec: [{app}, wait], limits: {{ memory: 64MiB, cpu: 0.5 }}, app_limits: {{ pids: 50 }} }}\n"
             "  eat: {{ exec: [{app}, eat, 200], limits: {{ memory: 64MiB }}, restart: {{ policy: never }} }}\n").format(app=APP)


def settings(path):
    """What a cgroup says of itself and gives to its children."""
    return {file.name: file.read_text() for name in ("cgroup.subtree_control", "memory.max", "cpu.max", "pids.max")
            if (file := path / name).exists()}


def below_the_service():
    """controllers come down to the instances, svd's own processes have a cgroup of their own, systemd's are as they were"""
    with Service() as svd:
        above = [OWN.parent, OWN.parent.parent]
        before = [settings(path) for path in above]
        svd.apply(ECOSYSTEM)
        one = svd.instances()["t:web/0"]
        leaf = pathlib.Path(one["cgroup"])
        equal([(leaf / name).read_text().strip() for name in ("memory.max", "cpu.max")], [str(64 << 20), "50000 100000"], "files of the instance")
        equal((leaf.parent / "pids.max").read_text().strip(), "50", "pids.max of the app")
        equal((OWN / "cgroup.procs").read_text(), "", "processes in the service's own cgroup")
        ours = (leaf.parents[1] / "supervisor/cgroup.procs").read_text().split()
        daemon = svd.daemon()
        check({str(daemon["pid"]), str(daemon["engine_pid"])} <= set(ours), f"keeper and engine are in {ours}")
        equal([settings(path) for path in above], before, "what systemd has set above")
        svd.wait_until(lambda: svd.instances()["t:eat/0"]["reason"] == "killed: out of memory (limit 64MiB)", "out of memory")
        equal(svd.property("Result"), "success", "the service is not hurt by it")


def limits_outlive_svd():
    """kill -9 of svd and all: systemd's next one finds the instance and sets its limits"""
    with Service() as svd:
        svd.apply(ECOSYSTEM)
        pids, leaf = svd.pids("web"), pathlib.Path(svd.instances()["t:web/0"]["cgroup"])
        svd.kill_both()
        svd.wait_until(svd.answers, "the service answers again")
        equal(svd.pids("web"), pids, "the instance")
        check_limits(leaf)


def limits_come_back():
    """controllers are taken away, as after the end of svd (units/free-cgroup): the next engine hands them down and sets the limits again"""
    with Service() as svd:
        svd.apply(ECOSYSTEM)
        pids, leaf = svd.pids("web"), pathlib.Path(svd.instances()["t:web/0"]["cgroup"])
        for path, _, _ in os.walk(OWN, topdown=False):
            file = pathlib.Path(path) / "cgroup.subtree_control"
            for controller in file.read_text().split():
                file.write_text(f"-{controller}")
        check(not (leaf / "memory.max").exists(), "the instance has no memory controller")
        os.kill(svd.daemon()["engine_pid"], signal.SIGKILL)
        svd.wait_until(lambda: svd.answers() and svd.daemon()["engine_starts"] == 2, "a second engine")
        equal(svd.pids("web"), pids, "the instance")
        check_limits(leaf)
        # Of what it had before nothing is counted: that stays with the cgroup above.
        check(svd.instances()["t:web/0"]["usage"]["memory"] is not None, "memory is counted again")


def check_limits(leaf):
    equal([(leaf / name).read_text().strip() for name in ("memory.max", "cpu.max", "memory.oom.group")], [str(64 << 20), "50000 100000", "1"],
          "files of the instance")
    equal((leaf.parent / "pids.max").read_text().strip(), "50", "pids.max of the app")


run(below_the_service, limits_outlive_svd, limits_come_back)
