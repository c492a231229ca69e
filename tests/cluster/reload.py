#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reloads and new releases lose no request, whatever the balance."""
from cluster import BALANCES, Daemon, check, equal, free_port, loads, run, say, times, web

RELOADS = times("RELOADS", 2)


def reload_under_load(balance):
    def test():
        with Daemon() as svd:
            port = free_port()
            svd.apply(web(port, balance))
            before = svd.pids("web")
            equal(len(before), 4, "instances")
            clients = loads(port)
            try:
                for number in range(RELOADS):
                    svd.svctl("reload", "web", timeout=300)
                    after = svd.pids("web")
                    equal(after.keys(), before.keys(), f"slots after reload {number + 1}")
                    check(not set(after.values()) & set(before.values()), f"reload {number + 1} replaced all: {before} {after}")
                    before = after
                svd.apply(web(port, balance, release="2"), timeout=300)
                told = [one.end() for one in clients]
            finally:
                for one in clients:
                    one.__exit__()
            for one in told:
                equal(one["causes"], {}, "causes of failed requests")
                check(any(name.startswith("2/") for name in one["instances"]), "the new release was reached")

    test.__doc__ = f"balance {balance}: {RELOADS} reloads and a new release of 4 instances under load, and no request fails"
    return test


run(*(reload_under_load(balance) for balance in BALANCES))
