#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What cannot be enforced is named with the reason in plan and status, and an error where it is required"""
import pathlib

from harness import APP, Daemon, check, equal, run
from vm import Delegated

LIMITS = "limits: { memory: 64MiB, pids: 20, required: %s }, app_limits: { cpuset: 0 }"


def ecosystem(required=False, limits=LIMITS):
    return f"version: 1\nname: t\napps:\n  web: {{ exec: [{APP}, wait], logs: {{ to: none }}, {limits % str(required).lower()} }}\n"


def only_memory():
    """svd was given the memory controller alone: that limit holds, the others are named"""
    with Delegated({"memory"}) as svd:
        name = "/" + str(svd.cgroup.relative_to("/sys/fs/cgroup"))
        lacking = [f"limits.pids cannot be enforced here: the pids controller is not delegated to svd's cgroup {name}",
                   f"app_limits.cpuset cannot be enforced here: the cpuset controller is not delegated to svd's cgroup {name}"]
        plan = svd.svctl("plan", svd.write(ecosystem()), ok=False)
        equal(plan.returncode, 2, "exit status of plan")
        for line in lacking:
            check(line in plan.stdout, f"'{line}' is not in the plan:\n{plan.stdout}")
        svd.apply(ecosystem())
        equal(svd.json("status", "web")["app"]["degraded"], lacking, "what is missing, in status")
        one, = svd.instances().values()
        equal((pathlib.Path(one["cgroup"]) / "memory.max").read_text().strip(), str(64 << 20), "memory.max")
        said, = svd.daemon()["degraded"]
        check("cpu, cpuset, io and pids are not delegated" in said, f"the daemon's own list: {said}")


def required():
    """limits.required: plan and apply refuse, with the sentence, and nothing is started or changed"""
    with Delegated({"memory"}) as svd:
        file = svd.write(ecosystem(True))
        for verb in ("plan", "apply"):
            done = svd.svctl(verb, file, ok=False)
            check(done.returncode == 1 and "web requires its limits, and limits.pids cannot be enforced here" in done.stderr, f"{verb}: {done}")
        equal(svd.instances(), {}, "instances")
        svd.apply(ecosystem(True, "limits: { memory: 64MiB, required: %s }"))
        svd.wait_ready("t:web", 1)


def required_later():
    """what was accepted and cannot be enforced any more is not started, and says why"""
    with Delegated() as svd:
        svd.apply(ecosystem(True))
        svd.wait_ready("t:web", 1)
        svd.stop()
        svd.take_away("pids")
        svd.run_svd()
        reason = svd.wait_until(lambda: (one := svd.instances()["t:web/0"])["phase"] == "backoff" and one["reason"], "it is not started")
        check(reason.startswith("cannot start: setting its limits: limits.pids cannot be enforced here"), reason)


def no_cgroups():
    """without cgroups at all each limit is named, too"""
    with Daemon(SVD_CGROUPS="off") as svd:
        svd.apply(ecosystem())
        degraded = svd.json("status", "web")["app"]["degraded"]
        equal([line.split(" ", 1)[0] for line in degraded], ["limits.memory", "limits.pids", "app_limits.cpuset"], "what is missing")
        check(all("there are no cgroups" in line for line in degraded), f"{degraded}")
        one, = svd.instances().values()
        equal(one["usage"]["memory"], None, "memory")


run(only_memory, required, required_later, no_cgroups)
