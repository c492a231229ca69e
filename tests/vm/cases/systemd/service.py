#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""svd.service: instances are in cgroups below it, survive the engine, stop with it and come back with it"""
import os
import pathlib
import signal

from harness import APP, check, equal, run, wait_gone
from vm import CONTROLLERS, Service

ECOSYSTEM = f"version: 1\nname: t\napps:\n  web: {{ exec: [{APP}, wait], instances: 2 }}\n"


def below_the_service():
    """a daemon under systemd finds the cgroup it was given, with all controllers, and lacks nothing"""
    with Service() as svd:
        svd.apply(ECOSYSTEM)
        own = pathlib.Path("/sys/fs/cgroup/system.slice/svd.service")
        for one in svd.instances().values():
            check(pathlib.Path(one["cgroup"]).is_relative_to(own), f"{one['cgroup']} is not below {own}")
            equal(one["phase"], "ready", "phase")
        check(CONTROLLERS <= set((own / "cgroup.controllers").read_text().split()), "all controllers")
        equal(svd.daemon()["degraded"], [], "what is missing")


def the_engine_may_die():
    """kill -9 of the engine: systemd sees the same service, and the instances are the same"""
    with Service() as svd:
        svd.apply(ECOSYSTEM)
        pids, main = svd.pids(), svd.main_pid()
        os.kill(svd.daemon()["engine_pid"], signal.SIGKILL)
        svd.wait_until(lambda: svd.answers() and svd.daemon()["engine_starts"] == 2, "a second engine")
        equal((svd.pids(), svd.main_pid()), (pids, main), "instances and main process")


def the_keeper_may_die():
    """kill -9 of the keeper, the service's main process: systemd starts another, which takes over the instances"""
    with Service() as svd:
        svd.apply(ECOSYSTEM)
        pids, main = svd.pids(), svd.main_pid()
        equal(svd.daemon()["pid"], main, "main process")
        os.kill(main, signal.SIGKILL)
        svd.wait_until(lambda: svd.answers() and svd.daemon()["pid"] != main, "a second keeper")
        equal(svd.pids(), pids, "instances")
        equal([svd.main_pid(), svd.property("ActiveState"), svd.property("NRestarts")], [svd.daemon()["pid"], "active", "1"], "what systemd says")
        svd.systemctl("stop")
        wait_gone(pids.values(), 0, "instances after systemctl stop")


def stop_and_start():
    """systemctl stop takes all instances along; the next start brings them back"""
    with Service() as svd:
        svd.apply(ECOSYSTEM)
        pids = svd.pids()
        svd.systemctl("stop")
        wait_gone(pids.values(), 0, "instances after systemctl stop")
        equal(svd.property("Result"), "success", "result of the service")
        svd.systemctl("start")
        svd.wait_ready("t:web", 2)
        check(not set(svd.pids().values()) & set(pids.values()), "other processes than before")


run(below_the_service, the_engine_may_die, the_keeper_may_die, stop_and_start)
