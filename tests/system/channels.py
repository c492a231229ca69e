#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Node workers and the death of the engine, again and again, while they serve and talk; draining and replacing them."""
import collections
import http.client
import json
import os
import select
import shutil
import signal
import socket
import threading
import time
import urllib.request

from harness import Daemon, check, equal, run, say

NODE = shutil.which("node")
KILLS = 20

SERVER = """
const http = require('http');
http.createServer((request, response) => response.end(`${process.pid}`)).listen(Number(process.env.PORT));
"""

# Each instance counts what it hears from each other one; what is missing, comes twice or out of order is told.
TALKER = """
const me = `talk/${process.env.NODE_APP_INSTANCE}`, others = Number(process.env.SVD_INSTANCES) - 1;
const filling = 'x'.repeat(1000), heard = {}, problems = [];
let twice = 0, sent = 0, refused = 0, stop = false;
process.on('message', (message) => {
  if (message === 'stop') { stop = true; return; }
  if (message === 'tell') { process.send({ me, sent, refused, heard, twice, problems }); return; }
  if (!message.svd) return;
  if (message.svd.error) { ++refused; return; }
  const { from } = message.svd, { n } = message.data, want = (heard[from] || 0) + 1;
  if (n < want) { ++twice; return; }
  if (n > want) problems.push(`${n} of ${from}, want ${want}`);
  heard[from] = n;
});
process.send('ready');
(function talk() {
  if (stop) return;
  for (let i = 0; i < 20; ++i) process.send({ svd: { to: 'talk' }, data: { n: ++sent, filling } });
  setTimeout(talk, 5);
})();
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def yaml(svd, apps):
    directory = svd.directory / "apps"
    directory.mkdir(exist_ok=True)
    for name, (program, app) in apps.items():
        (directory / f"{name}.js").write_text(program)
        app.update(exec=[NODE, str(directory / f"{name}.js")], channel="node")
    return json.dumps({"version": 1, "name": "t", "apps": {name: app for name, (_, app) in apps.items()}})


def kill_engine(svd):
    """Returns when another one serves."""
    before = svd.daemon()["engine_pid"]
    os.kill(before, signal.SIGKILL)
    svd.wait_until(lambda: svd.svctl("daemon", "status", "--json", ok=False).returncode == 0 and
                   svd.daemon()["engine_pid"] != before, "another engine serves")


def ask(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as reply:
        return int(reply.read())


def workers_outlive_the_engine():
    """kill -9 of the engine: four Node workers keep their pids, their port and their primary"""
    for declared in (True, False):
        with Daemon() as svd:
            port = free_port()
            app = {"instances": 4, "env": {"PORT": str(port)}}
            if declared:
                app["listen"] = {"http": {"tcp": f"127.0.0.1:{port}"}}
            svd.apply(yaml(svd, {"web": (SERVER, app)}))
            pids = set(svd.pids("web").values())
            equal(len(pids), 4, "instances")
            for _ in range(KILLS):
                kill_engine(svd)
                check(ask(port) in pids, "served by one of them")
            equal(set(svd.pids("web").values()), pids, "pids after all that")
            # The protocol goes on: one that is killed asks the new primary, and gets the same port.
            victim = min(pids)
            os.kill(victim, signal.SIGKILL)
            svd.wait_until(lambda: len(set(svd.pids("web").values()) - {victim}) == 4, "a successor")
            svd.wait_ready("t:web", 4)
            new = (set(svd.pids("web").values()) - pids).pop()
            deadline = time.monotonic() + 30
            while ask(port) != new:
                check(time.monotonic() < deadline, "the successor serves on the port, too")
    say(f"   {KILLS} kills each, with a port that is declared and one that is not: pids unchanged")


def talk_survives_the_engine():
    """kill -9 of the engine in the middle of messages: no worker dies, no letter is lost or cut"""
    with Daemon() as svd:
        svd.apply(yaml(svd, {"talk": (TALKER, {"instances": 3})}))
        pids = svd.pids("talk")
        for _ in range(KILLS):
            kill_engine(svd)
        svd.svctl("send", "talk", '"stop"')
        told = collect(svd, 3)
        equal(svd.pids("talk"), pids, "the instances")
        for me, one in told.items():
            equal(one["problems"], [], f"what {me} missed")
            equal(one["refused"], 0, f"letters of {me} that were refused")
            for other, count in one["heard"].items():
                equal(count, told[other]["sent"], f"letters of {other} that {me} got")
        total, twice = (sum(one[key] for one in told.values()) for key in ("sent", "twice"))
        say(f"   {total} letters to two others each, {KILLS} kills: none lost, {twice} twice")
        check(twice <= 3 * 16 * KILLS, f"a kill doubles at most one piece of 16 KiB to each: {twice}")


def collect(svd, count):
    """What each instance says of itself, when all letters have arrived."""
    deadline = time.monotonic() + 60
    while True:
        listener = svd.start("messages", "-n", str(count), "--json", stdout=-1, text=True)
        lines = []
        while len(lines) < count:  # asked until the subscription stands
            svd.svctl("send", "talk", '"tell"')
            while len(lines) < count and select.select([listener.stdout], [], [], .5)[0]:
                line = listener.stdout.readline()
                if not line:
                    break
                lines.append(json.loads(line))
            check(time.monotonic() < deadline, "the instances answer")
        told = {}
        for line in lines:
            message = line["message"] if isinstance(line["message"], dict) else json.loads(line["message"])
            told[message["me"]] = message
        complete = len(told) == count and all(len(one["heard"]) == count - 1 and all(
            number == told[other]["sent"] for other, number in one["heard"].items()) for one in told.values())
        if complete or time.monotonic() > deadline:
            return told


class Clients:
    """Threads that ask without a pause until they are stopped: over a kept connection, or a new one each time."""

    def __init__(self, port, keeping, fresh):
        self.port, self.stopped = port, False
        self.answers, self.failures = collections.Counter(), []
        self.threads = [threading.Thread(target=self.go, args=(keep,)) for keep in [True] * keeping + [False] * fresh]
        for thread in self.threads:
            thread.start()

    def go(self, keep):
        connection = None
        while not self.stopped:
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                connection.request("GET", "/", headers={} if keep else {"Connection": "close"})
                answer = connection.getresponse()
                self.answers[int(answer.read())] += 1
                if not keep or answer.will_close:
                    connection.close()
                    connection = None
            except Exception as error:  # every one of them is a failed request
                self.failures.append(repr(error))
                connection = None

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()


def reload_loses_nothing():
    """svctl reload of four unmodified Node servers under load: no request fails, whichever way they are balanced"""
    for balance in (None, "shared", "even", "round-robin"):
        with Daemon() as svd:
            port = free_port()
            app = {"instances": 4, "env": {"PORT": str(port)}, "update": {"min_ready": "0s", "max_surge": 2}}
            if balance:
                app["listen"] = {"http": {"tcp": f"127.0.0.1:{port}", "balance": balance}}
            svd.apply(yaml(svd, {"web": (SERVER, app)}))
            before = svd.pids("web")
            clients = Clients(port, keeping=8, fresh=4)
            try:
                svd.svctl("reload", "web", timeout=180)
            finally:
                clients.stop()
            after = svd.pids("web")
            check(not set(before.values()) & set(after.values()), "every instance was replaced")
            equal(clients.failures, [], f"failed requests of {sum(clients.answers.values())} ({balance})")
            say(f"   {balance or 'undeclared'}: {sum(clients.answers.values())} requests, none failed")


def an_address_moves_and_loses_nothing():
    """an app with a listener gets another name, and back, under load and with a killed engine: no request fails"""
    for balance in ("shared", "even"):
        with Daemon() as svd:
            port = free_port()
            app = {"instances": 2, "env": {"PORT": str(port)},
                   "listen": {"http": {"tcp": f"127.0.0.1:{port}", "balance": balance}}}
            other = {"instances": 0, "listen": {"local": {"unix": str(svd.directory / "local")}}}
            svd.apply(yaml(svd, {"one": (SERVER, dict(app)), "other": (SERVER, dict(other))}))
            clients = Clients(port, keeping=0, fresh=2)
            try:
                for turn, (name, idle) in enumerate((("two", "another"), ("one", "other"), ("two", "another"))):
                    svd.apply(yaml(svd, {name: (SERVER, dict(app)), idle: (SERVER, dict(other))}))
                    if turn == 1:
                        kill_engine(svd)
                    svd.wait_ready(f"t:{name}", 2)
                    svd.wait_until(lambda: len(svd.apps()) == 2, "the former apps are gone")
                    check((svd.directory / "local").is_socket(), "the unix socket's file is there")
                    check(ask(port) in svd.pids(name).values(), "the new app serves")
            finally:
                clients.stop()
            equal(clients.failures, [], f"failed requests of {sum(clients.answers.values())} ({balance})")
            say(f"   {balance}: {sum(clients.answers.values())} requests, none failed")


run(workers_outlive_the_engine, talk_survives_the_engine, reload_loses_nothing,
    an_address_moves_and_loses_nothing)
