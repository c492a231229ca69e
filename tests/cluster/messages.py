#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Letters between instances: all of them, in order, at the speed of who reads them, and nobody waits for who does not."""
import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time

from cluster import Daemon, HERE, check, equal, run, say, times
from harness import TIMEOUT, status_of

LETTERS = times("LETTERS", 100_000)
ECOSYSTEM = f"""
version: 1
name: t
apps:
  chat:
    exec: [node, {HERE / "chat.js"}]
    instances: 3
    channel: node
"""


class Listening:
    """svctl messages in the background; next() waits for what some instance says."""

    def __init__(self, svd):
        self.lines, self.heard = queue.SimpleQueue(), []
        self.process = svd.start("messages", "--json", stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.listen, daemon=True).start()
        # It has subscribed when it hears what we make an instance say.
        while not self.heard:
            svd.svctl("send", "chat/0", json.dumps({"report": "hello"}))
            self.read(1)

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def read(self, timeout):
        with contextlib.suppress(queue.Empty):
            self.heard.append(json.loads(self.lines.get(timeout=timeout)))

    def next(self, who, what, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while True:
            for one in self.heard:
                if one["from"] == f"t:{who}" and what(one["message"]):
                    self.heard.remove(one)
                    return one["message"]
            check(time.monotonic() < deadline, f"{who} never said it; heard {self.heard[-5:]}")
            self.read(1)


def report(svd, listening, who):
    mark = str(time.monotonic_ns())
    asks = lambda: svd.svctl("send", who, json.dumps({"report": mark}), ok=False).returncode == 0
    svd.wait_until(asks, f"{who} has room for a question")  # it may have letters to read yet
    return listening.next(who, lambda said: said.get("report") == mark)["told"]


def got(svd, listening, who):
    """What it got from chat/0."""
    return report(svd, listening, who)["got"].get("chat/0", {})


def memory(svd):
    daemon = svd.daemon()
    return {what: int(status_of(daemon[what])["VmRSS"].split()[0]) for what in ("pid", "engine_pid")}


def all_arrive_in_order():
    """letters of 1 KB from one instance to another: none lost, in order, and the daemon's memory stays as it is"""
    with Daemon() as svd:
        svd.apply(ECOSYSTEM)
        listening = Listening(svd)
        send = lambda count: svd.svctl("send", "chat/0", json.dumps({"letters": {"to": "chat/1", "count": count}}))
        send(1000)
        svd.wait_until(lambda: got(svd, listening, "chat/1").get("letters") == 1000, "the first letters arrived")
        before, begun = memory(svd), time.monotonic()
        send(LETTERS)
        listening.next("chat/0", lambda said: said.get("sent_all") == "chat/1", timeout=600)
        svd.wait_until(lambda: got(svd, listening, "chat/1")["letters"] == 1000 + LETTERS, "all letters arrived", timeout=120)
        took, after = time.monotonic() - begun, memory(svd)
        # The second series counts from 1 again: once a number is not above the one before.
        equal(got(svd, listening, "chat/1"), {"letters": 1000 + LETTERS, "last": LETTERS, "backwards": 1}, "what arrived")
        equal(report(svd, listening, "chat/0")["refused"], 0, "letters that were refused")
        say(f"   {LETTERS} letters in {took:.1f} s; resident before {before}, after {after} kB")
        for what in before:
            check(after[what] < before[what] + 4096, f"memory of {what}: {before} kB, then {after} kB")


def a_stopped_reader_stalls_nobody():
    """a stopped instance stalls nobody: its letters are refused, the sender is told of each, others get theirs"""
    with Daemon() as svd:
        svd.apply(ECOSYSTEM)
        listening = Listening(svd)
        stopped = svd.pids("chat")["t:chat/2"]
        os.kill(stopped, signal.SIGSTOP)
        try:
            for to in ("chat/2", "chat/1"):
                svd.svctl("send", "chat/0", json.dumps({"letters": {"to": to, "count": 20_000}}))
            listening.next("chat/0", lambda said: said.get("sent_all") == "chat/1", timeout=300)
            listening.next("chat/0", lambda said: said.get("sent_all") == "chat/2", timeout=300)
            svd.wait_until(lambda: got(svd, listening, "chat/1").get("letters") == 20_000, "the other reader got all")
            refused = report(svd, listening, "chat/0")["refused"]
            check(refused > 0, "letters for who does not read are refused")
            # From outside, too, the sender is told.
            pushed = svd.svctl("send", "chat/2", '"are you there?"', ok=False)
            check(pushed.returncode == 1 and "chat/2" in pushed.stderr, f"svctl send says why not: {pushed.stdout}{pushed.stderr}")
        finally:
            os.kill(stopped, signal.SIGCONT)
        refused = report(svd, listening, "chat/0")["refused"]
        svd.wait_until(lambda: got(svd, listening, "chat/2").get("letters", 0) + refused == 20_000,
                       "what was not refused arrived when it read again")
        equal(got(svd, listening, "chat/2")["backwards"], 0, "letters out of order")
        say(f"   of 20000 letters for the stopped one, {refused} were refused, and the sender was told of each")


run(all_arrive_in_order, a_stopped_reader_stalls_nobody)
