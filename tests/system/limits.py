#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits where the kernel cannot enforce them: named with the reason, or an error, and changed without a restart.

What it does enforce is for the machines of tests/vm.
"""
from harness import APP, Daemon, check, equal, run

SENTENCE = "limits.memory cannot be enforced here: there are no cgroups"


def ecosystem(limits, more=""):
    return f"version: 1\napps:\n  web: {{ exec: [{APP}, wait], limits: {{ {limits} }}, logs: {{ to: none }}{more} }}\n"


def named():
    """plan, status and its JSON name each limit that has no effect, and the app runs all the same"""
    with Daemon(SVD_CGROUPS="off") as svd:
        svd.apply(ecosystem("nofile: 100"))
        plan = svd.svctl("plan", svd.write(ecosystem("nofile: 100, memory: 64MiB", ", app_limits: { pids: 5 }")), ok=False)
        equal(plan.returncode, 2, "exit status of plan")
        for line in (SENTENCE, "app_limits.pids cannot be enforced here"):
            check(line in plan.stdout, f"'{line}' is not in the plan:\n{plan.stdout}")
        svd.apply(ecosystem("nofile: 100, memory: 64MiB"))
        degraded, = svd.json("status", "web")["app"]["degraded"]
        check(degraded.startswith(SENTENCE), degraded)
        check(SENTENCE in svd.svctl("status", "web").stdout, "status names it, too")
        equal(svd.instances()["default:web/0"]["usage"]["memory"], None, "memory, which nobody counts")


def required():
    """limits.required: apply fails with the sentence, and what runs is left alone"""
    with Daemon(SVD_CGROUPS="off") as svd:
        svd.apply(ecosystem("nofile: 100"))
        pids = svd.pids()
        done = svd.apply(ecosystem("nofile: 100, memory: 64MiB, required: true"), ok=False)
        check(done.returncode == 1 and f"web requires its limits, and {SENTENCE}" in done.stderr, f"apply: {done}")
        equal((svd.pids(), len(svd.json("history"))), (pids, 1), "instances and revisions")


def changed():
    """another limit is an update in place: the process stays"""
    with Daemon() as svd:
        svd.apply(ecosystem("memory: 64MiB"))
        pids = svd.pids()
        text = ecosystem("memory: 128MiB, cpu: 0.5")
        check("update in place" in svd.svctl("plan", svd.write(text), ok=False).stdout, "the plan says so")
        svd.apply(text)
        equal(svd.pids(), pids, "pids")
        check("limits.memory=128MiB" in svd.json("status", "web")["app"]["settings"], "the new limit is shown")


run(named, required, changed)
