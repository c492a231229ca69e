#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a killed instance takes with it: the connections that it had accepted, and no other."""
import contextlib
import ctypes
import os
import signal
import socket
import time

from cluster import BALANCES, Daemon, check, equal, free_port, loads, run, say, times, web

KILLS = times("KILLS", 10)
LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438


def accepted(pid, port):
    """Remote ports of the connections to `port` that a (stopped) process has: exactly what it has accepted. Its sockets are asked,
    not /proc/net/tcp, which takes seconds to read when many connections have just ended."""
    found, process = set(), os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                continue
            fd = LIBC.syscall(PIDFD_GETFD, process, int(name), 0)
            check(fd >= 0, f"cannot look at descriptor {name} of {pid}: {os.strerror(ctypes.get_errno())}")
            with socket.socket(fileno=fd) as one, contextlib.suppress(OSError):  # not, or no longer, connected
                if one.family == socket.AF_INET and one.getsockname()[1] == port:
                    found.add(one.getpeername()[1])
    finally:
        os.close(process)
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
