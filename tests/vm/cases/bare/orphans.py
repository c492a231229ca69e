#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""1,000 orphans: PID 1 reaps every one"""
import os
import sys

ORPHANS = 1000


def orphan(gate, pipe):
    """A child of PID 1 that says so and ends."""
    os.read(gate, 1)  # until its parent ends
    while os.getppid() != 1:
        os.sched_yield()
    os.write(pipe, b"1")
    os._exit(0)


def leave_orphans(pipe):
    gate, held = os.pipe()
    for _ in range(ORPHANS):
        if os.fork() == 0:
            os.close(held)
            orphan(gate, pipe)
    os._exit(0)


def make_orphans():
    """In the instance. Each orphan's byte says that it was PID 1's; the pipe ends when the last one does."""
    theirs, ours = os.pipe()
    if os.fork() == 0:
        leave_orphans(ours)
    os.close(ours)
    with open(theirs, "rb") as pipe:
        sys.exit(0 if len(pipe.read()) == ORPHANS else 1)


if sys.argv[1:] == ["make"]:  # before the harness makes this process a reaper itself
    make_orphans()

from harness import equal, parents, run, say, status_of  # noqa: E402
from vm import SystemDaemon  # noqa: E402


def zombies():
    return [pid for pid in parents() if status_of(pid).get("State", "").startswith("Z")]


def no_zombie_stays():
    """an instance that leaves 1,000 behind at once: no zombie is left"""
    with SystemDaemon() as svd:
        svd.apply(f"version: 1\nname: t\napps:\n  orphans: {{ exec: [{sys.executable}, {__file__}, make], restart: {{ policy: never }} }}\n")
        svd.wait_until(lambda: svd.instances()["t:orphans/0"]["phase"] == "completed", "completed")
        svd.wait_until(lambda: not zombies(), "no zombie is left")
        equal(svd.daemon()["pid"], 1, "the daemon's pid")
        say(f"{ORPHANS} orphans, {len(zombies())} zombies")


run(no_zombie_stays)
