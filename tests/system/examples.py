#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The examples run: real programs, on ports of their own."""
import json
import os
import select
import signal
import subprocess
import time
import urllib.request

from example import EXAMPLES, get, need, place
from harness import Daemon, check, equal, run


def the_shop():
    """the shop: redis, a job that seeds once, four API instances behind one port, nginx in front; a killed instance comes back"""
    need("redis-server", "node", "nginx")
    with Daemon() as svd:
        shop, port = place(svd, "shop", 18080, 2)
        svd.svctl("apply", shop / "ecosystem.yaml")
        equal(svd.apps()["shop:seed"]["state"], "completed", "the seed job, for which the API waits")
        url = f"http://127.0.0.1:{port}/"
        seen = set()
        for _ in range(400):  # which instance is picked is chance: 3/4 to the power of 400 is no test's concern
            answer = json.loads(get(url))
            check(answer["product"] in ("teapot", "lantern", "compass"), f"a seeded product: {answer}")
            seen.add(answer["instance"])
            if len(seen) == 4:
                break
        equal(seen, {f"api/{slot}" for slot in range(4)}, "instances that answered")
        before = svd.pids("shop:api")
        os.kill(before["shop:api/2"], signal.SIGKILL)
        svd.wait_until(lambda: svd.pids("shop:api").get("shop:api/2") not in (None, before["shop:api/2"]), "api/2 back")
        after = svd.pids("shop:api")
        equal({n: p for n, p in after.items() if n != "shop:api/2"}, {n: p for n, p in before.items() if n != "shop:api/2"}, "the others")
        get(url)
        small = svd.svctl("plan", "--profile", "small", shop / "ecosystem.yaml", ok=False)
        equal(small.returncode, 2, "exit status of a plan with a profile")
        check("api" in small.stdout and "redis" not in small.stdout, f"the profile changes api alone:\n{small.stdout}")


def the_python_example():
    """the Python example: a server, two workers with an env_file, a migration that runs once"""
    with Daemon() as svd:
        example, port = place(svd, "python", 18090, 1)
        svd.svctl("apply", example / "ecosystem.yaml")
        check("kept up by svd" in get(f"http://127.0.0.1:{port}/"), "the page")
        svd.wait_until(lambda: svd.apps()["python-example:migrate"]["state"] == "completed", "the migration completed")
        follow = svd.start("logs", "worker", "-f", stdout=subprocess.PIPE, text=True)
        seen = ""
        while not all(f"worker/{slot} of 2 works on orders" in seen for slot in (0, 1)):
            seen += follow.stdout.readline()
        shown = svd.svctl("status", "worker", "--json").stdout
        check("orders" not in shown, "a value of the env_file is nowhere in status")


def the_sockets():
    """sockets that svd keeps: Python, nginx, a daemon for systemd's activation, one that binds for itself"""
    with Daemon() as svd:
        example, port = place(svd, "sockets", 18100, 4)
        svd.svctl("apply", example / "ecosystem.yaml")
        url = "http://127.0.0.1:%d/"
        equal({get(url % port) for _ in range(100)}, {f"python/{slot}\n" for slot in range(4)}, "who answered")
        equal(get(url % (port + 1)), "nginx\n", "nginx")
        check(get(url % (port + 2)).startswith("python/"), "the daemon for systemd's activation passes on")
        equal({get(url % (port + 3)) for _ in range(100)}, {f"own/{slot}\n" for slot in range(2)}, "who answered for itself")
        killed = set(svd.pids("sockets:python").values())
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
            check(get(url % port).startswith("python/"), "nobody is refused")
        svd.wait_until(lambda: len(set(svd.pids("sockets:python").values()) - killed) == 4, "all four are back")
        os.kill(svd.daemon()["engine_pid"], signal.SIGKILL)
        equal({get(url % port) for _ in range(100)}, {f"python/{slot}\n" for slot in range(4)}, "who answers without an engine")


def node_over_http():
    """an unmodified Node server: four instances on one port, a reload and the engine's death cost nothing"""
    need("node")
    with Daemon() as svd:
        example, port = place(svd, "node-http", 18120, 1)
        svd.svctl("apply", example / "ecosystem.yaml")
        url = f"http://127.0.0.1:{port}/"
        pids = svd.pids("node-http:web")
        os.kill(svd.daemon()["engine_pid"], signal.SIGKILL)
        check(get(url).startswith("instance "), "served while the engine is replaced")
        equal(svd.pids("node-http:web"), pids, "the instances did not notice")
        svd.svctl("reload", "web", timeout=120)
        check(not set(pids.values()) & set(svd.pids("node-http:web").values()), "all were replaced")
        check(get(url).startswith("instance "), "served by the new ones")


def node_messages():
    """Node instances tell each other what one of them was told"""
    need("node")
    with Daemon() as svd:
        example, port = place(svd, "node-messages", 18130, 1)
        svd.svctl("apply", example / "ecosystem.yaml")
        url = f"http://127.0.0.1:{port}/"
        heard = svd.start("messages", "-n", "1", "--json", stdout=subprocess.PIPE, text=True)
        # The first message that is heard says that the subscription stands.
        said = None
        while not said:
            put = urllib.request.Request(url, data=b"hello", method="PUT")
            with urllib.request.urlopen(put, timeout=10) as reply:
                check(b"tells the others" in reply.read(), "the answer to PUT")
            ready, _, _ = select.select([heard.stdout], [], [], .2)
            said = heard.stdout.readline() if ready else None
        check("changed" in said, f"what svctl messages shows: {said}")
        deadline, told = time.monotonic() + 30, set()
        while len(told) < 3:  # one who had not got it yet would answer "nothing"
            answer = get(url)
            if answer.endswith("knows hello\n"):
                told.add(answer.split()[0])
            check(time.monotonic() < deadline, f"all three know: {told}")


def two_languages():
    """a channel in Python and in C++: they write to each other"""
    with Daemon() as svd:
        example, _ = place(svd, "channel", 18140, 1)
        subprocess.run(["c++", "-o", "answers", "answers.cpp"], cwd=example, check=True, timeout=120)
        svd.svctl("apply", example / "ecosystem.yaml")
        follow = svd.start("logs", "asks", "-f", stdout=subprocess.PIPE, text=True)
        seen = ""
        while "heard 3 from answers/0" not in seen:
            seen += follow.stdout.readline()
        svd.svctl("stop", "all")
        equal({one["last_exit"] for one in svd.instances().values()}, {"exit code 0"}, "they ended by themselves")


def the_minimal_example():
    """the minimal example"""
    with Daemon() as svd:
        svd.svctl("apply", EXAMPLES / "minimal/ecosystem.yaml")
        equal(svd.apps()["minimal:clock"]["ready"], 1, "ready")


run(the_shop, the_python_example, the_sockets, node_over_http, node_messages, two_languages, the_minimal_example)
