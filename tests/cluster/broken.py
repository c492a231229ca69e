#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A release that does not work touches nothing of what works."""
import os

from cluster import Daemon, HERE, check, equal, free_port, loads, run

PATIENCE = "ready: { timeout: 4s }\n    update: { deadline: 30s, min_ready: 2s }\n    restart: { delay: 100ms }"


def ecosystem(port, release):
    """`current` is a link, as deployments have it; RELEASE makes the file another one, as their commits do."""
    return f"""
version: 1
name: t
apps:
  web:
    exec: [node, {HERE / "release.js"}]
    cwd: current
    instances: 4
    channel: node
    listen: {{ http: {{ tcp: "127.0.0.1:{port}" }} }}
    env: {{ PORT: "{port}", RELEASE: {release} }}
    {PATIENCE}
"""


def deploy(svd, port, release, **more):
    (svd.directory / release).mkdir(exist_ok=True)
    link = svd.directory / "link"
    link.symlink_to(release)
    os.replace(link, svd.directory / "current")
    return svd.apply(ecosystem(port, release), timeout=120, **more)


def accepted(svd, release):
    """Clients' ports of the connections that a crashed release had: these are lost with it, and no other."""
    told = svd.directory / release / "accepted"
    return set(map(int, told.read_text().split())) if told.exists() else set()


def releases(svd):
    return {name: one["directory"].rsplit("/", 1)[-1] for name, one in svd.instances("web").items()}


def broken(release, words):
    def test():
        with Daemon() as svd:
            port = free_port()
            deploy(svd, port, "good")
            before = svd.pids("web")
            clients = loads(port)
            try:
                applied = deploy(svd, port, release, ok=False)
                equal(applied.returncode, 1, f"exit status of an apply that failed\n{applied.stdout}{applied.stderr}")
                equal(svd.pids("web"), before, f"the processes that serve\n{applied.stdout}{applied.stderr}")
                told = [one.end() for one in clients]
            finally:
                for one in clients:
                    one.__exit__()
            lost = accepted(svd, release)
            for one in told:
                check(not any("connecting" in cause or "30 s" in cause for cause in one["causes"]),
                      f"every connection was made and answered: {one['causes']}")
                equal([failure for failure in one["failures"] if failure[1] not in lost], [],
                      "failed on connections that no crashed process had accepted")
                check(all(name.startswith("good/") for name in one["instances"]) or release == "crashes-later",
                      f"who answered: {one['instances']}")
            shown = applied.stdout + applied.stderr
            check(words in shown, f"the log of the instance that failed is shown:\n{shown}")
            check("rolled back" in shown, f"what became of it is said:\n{shown}")
            history = svd.json("history")
            check(any("rolled back" in one["outcome"] for one in history), f"history tells it: {history}")
            equal(set(releases(svd).values()), {"good"}, "directories that the instances run in")
            app = svd.apps()["t:web"]
            equal((app["ready"], app["state"]), (4, "ready"), "the app afterwards")
            # And the way is free for the next one.
            deploy(svd, port, "better")
            check(not set(svd.pids("web").values()) & set(before.values()), "a good release replaces all")
            equal(set(releases(svd).values()), {"better"}, "directories that the instances run in")

    test.__doc__ = f"a release that {release.replace('-', ' ')}: the old one serves on, and the apply says so"
    return test


run(broken("throws", "the release is broken: no such module"),
    broken("never-listens", "the release waits for something that never comes"),
    broken("crashes-later", "the release is broken: it forgot its database"))
