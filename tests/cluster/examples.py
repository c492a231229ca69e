#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cluster's examples: what instances share, and who of them leads."""
import http.cookiejar
import json
import os
import signal
import subprocess
import urllib.request

from cluster import Daemon, Failed, check, equal, run
from example import need, place


class Visitor:
    """A browser of one's own: keeps its cookie, opens a connection for each request."""

    def __init__(self, url):
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def visit(self):
        with self.opener.open(self.url, timeout=30) as reply:
            return json.loads(reply.read())

    def set_price(self, price):
        asked = urllib.request.Request(self.url + "price", data=price.encode(), method="PUT")
        with self.opener.open(asked, timeout=30) as reply:
            return json.loads(reply.read())


def the_cluster_with_redis():
    """the cluster: four servers behind one port share a counter, sessions and news; a reload or a death costs no visitor anything"""
    need("redis-server", "node")
    with Daemon() as svd:
        example, port = place(svd, "cluster-redis", 18100, 1)
        svd.svctl("apply", example / "ecosystem.yaml")
        started = {name: one["start"] for name, one in svd.instances().items()}
        check(started.pop("cluster-redis:redis/0") < min(started.values()), f"redis was started first: {started}")
        visitor = Visitor(f"http://127.0.0.1:{port}/")
        visits = 0

        def visit():
            nonlocal visits
            seen = visitor.visit()
            visits += 1
            equal((seen["hits"], seen["visits"]), (visits, visits), f"what all instances counted together: {seen}")
            return seen

        def all_know(price):
            """Every instance answers with it, the news having come to all."""
            knows = {}
            for _ in range(2000):
                seen = visit()
                knows[seen["instance"]] = seen["price"]
                if len(knows) == 4 and set(knows.values()) == {price}:
                    return
            raise Failed(f"not all instances know the price {price}: {knows}")

        all_know(None)
        visitor.set_price("17.50")
        all_know("17.50")
        before = svd.pids("web")
        svd.svctl("reload", "web", timeout=120)
        check(not set(svd.pids("web").values()) & set(before.values()), "the reload replaced all four")
        all_know("17.50")
        victim = svd.pids("web")["cluster-redis:web/2"]
        os.kill(victim, signal.SIGKILL)
        svd.wait_until(lambda: svd.pids("web").get("cluster-redis:web/2") not in (None, victim) and svd.wait_ready("cluster-redis:web", 4), "back")
        visitor.set_price("18")
        all_know("18")
        svd.svctl("stop", "all")
        story = [(one["subject"], one["text"]) for one in json_lines(svd.svctl("events", "-n", "100000", "--json").stdout)]
        first = next(i for i, (who, what) in enumerate(story) if who == "cluster-redis:redis/0" and "→ stopping" in what)
        last = max(i for i, (who, what) in enumerate(story) if who.startswith("cluster-redis:web/") and "→ stopped" in what)
        check(last < first, f"redis was stopped when the servers were gone: {story[-20:]}")


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def the_election():
    """three workers, one leader; when it dies, or is told to end, another one leads"""
    need("java")
    with Daemon() as svd:
        example, _ = place(svd, "zookeeper", 18120, 1)
        svd.svctl("apply", example / "ecosystem.yaml", timeout=240)
        logs = svd.start("logs", "worker", "-f", "--json", stdout=subprocess.PIPE, text=True)

        def next_leader():
            for line in logs.stdout:  # ends with the test's own time limit
                who, _, what = json.loads(line)["text"].partition(" ")
                if what == "leads":
                    return who

        first = next_leader()
        os.kill(svd.pids("worker")[f"zookeeper:{first}"], signal.SIGKILL)
        second = next_leader()
        check(second != first, f"another one than {first} leads: its seat is taken before it is back")
        svd.svctl("restart", second)
        check(next_leader() != second, f"another one than {second} leads")
        svd.wait_ready("zookeeper:worker", 3)
        before = svd.instances()
        equal(before["zookeeper:zookeeper/0"]["restarts"], 0, "restarts of the server")


run(the_cluster_with_redis, the_election)
