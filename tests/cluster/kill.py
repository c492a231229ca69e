#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a killed instance takes with it: the connections that it had accepted, and no other."""
import os
import pathlib
import signal
import time

from cluster import BALANCES, Daemon, check, equal, free_port, loads, run, say, times, web

KILLS = times("KILLS", 10)


def accepted(pid, port):
    """Remote ports of the connections to `port` that a (stopped) process has: exactly what it has accepted."""
    sockets = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            link = os.readlink(fd)
        except FileNotFoundError:
            continue
        if link.startswith("socket:["):
            sockets.add(link[8:-1])
    found = set()
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        local, remote = words[1].split(":"), words[2].split(":")
        if int(local[1], 16) == port and words[9] in sockets:
            found.add(int(remote[1], 16))
    return found


def kill_under_load(balance):
    def test():
        with Daemon() as svd:
            port = free_port()
            svd.apply(web(port, balance, more="restart: { delay: 0, max_restarts: 1000 }"))
            clients, lost = loads(port), set()
            try:
                for number in range(KILLS):
                    pids = svd.wait_until(lambda: svd.apps()["t:web"]["ready"] == 4 and svd.pids("web"), "all ready")
                    pid = pids[f"t:web/{number % 4}"]
                    os.kill(pid, signal.SIGSTOP)  # so that what it has can be looked at
                    lost |= accepted(pid, port)
                    os.kill(pid, signal.SIGKILL)
                    time.sleep(1)  # pace: one a second
                told = [one.end() for one in clients]
            finally:
                for one in clients:
                    one.__exit__()
            for one in told:
                check(not any("connecting" in cause or "30 s" in cause for cause in one["causes"]),
                      f"every connection was made and answered: {one['causes']}")
                strangers = [failure for failure in one["failures"] if failure[1] not in lost]
                equal(strangers, [], "failed on connections that no dead process had accepted")

    test.__doc__ = f"balance {balance}: {KILLS} instances killed, one a second: only what they had accepted is lost"
    return test


run(*(kill_under_load(balance) for balance in BALANCES))
