#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Under systemd, limits are set in what Delegate=yes gives, and nowhere above it; they outlive svd"""
import os
import pathlib
import signal

from harness import APP, check, equal, run, wait_gone
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
    """kill -9 of svd and all: its successor finds the instance, with the limits"""
    with Service() as svd:
        svd.apply(ECOSYSTEM)
        daemon, pids = svd.daemon(), svd.pids("web")
        os.kill(daemon["engine_pid"], signal.SIGSTOP)
        os.kill(daemon["pid"], signal.SIGKILL)
        os.kill(daemon["engine_pid"], signal.SIGKILL)
        wait_gone([daemon["pid"], daemon["engine_pid"]], what="svd")
        svd.wait_until(lambda: svd.svctl("daemon", "status", ok=False).returncode == 0, "the service answers again")
        equal(svd.pids("web"), pids, "the instance")
        leaf = pathlib.Path(svd.instances()["t:web/0"]["cgroup"])
        equal([(leaf / name).read_text().strip() for name in ("memory.max", "cpu.max", "memory.oom.group")], [str(64 << 20), "50000 100000", "1"],
              "files of the instance")
        equal((leaf.parent / "pids.max").read_text().strip(), "50", "pids.max of the app")
        check(svd.instances()["t:web/0"]["usage"]["memory"] > 0, "memory is counted again")


run(below_the_service, limits_outlive_svd)
