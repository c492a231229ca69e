#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""svd.service: instances are in cgroups below it, survive the engine, stop with it and come back with it"""
import os
import pathlib
import signal
import socket

from harness import APP, check, equal, run, status_of, wait_gone
from vm import CONTROLLERS, Service, output

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


def descriptors_outlive_svd():
    """kill -9 of keeper and engine: systemd kept listeners and channels, and the next svd goes on with them"""
    with Service() as svd:
        program, heard = svd.directory / "hear.py", svd.directory / "heard"
        heard.touch()
        program.write_text("import os\nend = int(os.environ['SVD_CHANNEL_FD'])\nos.set_blocking(end, True)\nwith open(end) as channel, open('heard', 'a') as heard:\n"
                           "    for line in channel: print(line, end='', file=heard, flush=True)\n")
        svd.apply(f"version: 1\nname: t\napps:\n  web: {{ exec: [python3, {program}], cwd: {svd.directory}, channel: json, "
                  "listen: { http: { tcp: '127.0.0.1:8100', balance: even } } }\n")
        pids, sockets = svd.pids(), sockets_at(8100)
        equal(len(sockets), 1, "sockets")
        with socket.create_connection(("127.0.0.1", 8100)):  # nobody accepts: it waits in the socket
            for number, kill in enumerate((svd.kill_both, svd.kill_both, lambda: os.kill(svd.main_pid(), signal.SIGKILL))):
                main = svd.main_pid()
                kill()
                # The socket of svd.socket is open all the time: what is asked meanwhile waits, too.
                svd.svctl("send", "web/0", number)
                svd.wait_until(lambda: len(heard.read_text().splitlines()) == number + 1, "the message arrives")
                check(svd.main_pid() != main, "another main process")
                equal((svd.pids(), sockets_at(8100)), (pids, sockets), "instance and socket")
        svd.svctl("delete", "web")
        equal(sockets_at(8100), [], "sockets of an app that was deleted")
        equal(output("systemctl", "is-active", "svd.socket").strip(), "active", "svd.socket")
        svd.systemctl("stop")
        svd.svctl("ls")
        equal(svd.property("ActiveState"), "active", "the service after svctl used the socket")


def sockets_at(port):
    """Inodes of the listening sockets there."""
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sorted(words[9] for words in lines if words[1].endswith(f":{port:04X}") and words[3] == "0A")


def the_engine_is_confined():
    """once it serves, the engine has no capability, privilege and system call that it does not need; keeper and instances have theirs"""
    with Service() as svd:
        svd.apply(ECOSYSTEM)
        daemon = svd.daemon()
        engine, keeper, instance = (status_of(pid) for pid in (daemon["engine_pid"], daemon["pid"], svd.pids()["t:web/0"]))
        equal([one["NoNewPrivs"] for one in (engine, keeper, instance)], ["1", "0", "0"], "no new privileges of engine, keeper, instance")
        equal([one["Seccomp"] for one in (engine, keeper, instance)], ["2", "0", "0"], "filters")
        check(int(engine["CapEff"], 16) & 1 << 16 == 0, f"CAP_SYS_MODULE of the engine: {engine['CapEff']}")
        equal(instance["CapEff"], keeper["CapEff"], "capabilities of an instance of root's")
        check("type=1326" not in output("journalctl", "-k", "-b"), "the kernel has refused a system call of the engine's")
        check(pathlib.Path("/sys/fs/cgroup/system.slice/svd.service/pids.max").read_text().strip() != "max", "processes of all apps together have a bound")


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


run(below_the_service, the_engine_is_confined, the_engine_may_die, the_keeper_may_die, descriptors_outlive_svd, stop_and_start)
