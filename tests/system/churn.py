#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both halves of svd are killed again and again while instances die: nobody else notices."""
import os
import random
import signal
import subprocess
import time

from harness import APP, Daemon, Failed, SVCTL, alive, check, equal, run, say, spread, wait_gone

COUNT, ENGINE_KILLS, KEEPER_KILLS = 100, 50, 10
PACE = 0.1  # seconds from one instance's death to the next


def ecosystem(reports):
    # Each instance ends in a way of its own, so that a mixed-up exit status would show.
    return ("version: 1\nname: t\napps:\n  web:\n"
            f"    exec: [{APP}, report, {reports.path}, wait]\n    instances: {COUNT}\n"
            "    logs: { to: none }\n    restart: { delay: 0ms, max_restarts: 1000000 }\n")


class Herd:
    """What must be true of the instances: who lives under which pid, and how often each was killed."""

    def __init__(self, reports):
        self.reports = reports
        self.pids = {slot: pid for pid, slot, _ in reports.next(COUNT)}
        self.kills = {slot: 0 for slot in self.pids}
        self.last = {}
        self.out = set()  # killed, and not back yet

    def kill_one(self):
        slot = random.choice(sorted(set(self.pids) - self.out))
        number = random.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGUSR1, signal.SIGALRM])
        self.kills[slot] += 1
        self.last[slot] = number
        self.out.add(slot)
        os.kill(self.pids[slot], number)

    def take_in(self, found):
        for pid, slot, _ in found:
            check(slot in self.out, f"slot {slot} was started again although nobody had killed it")
            self.out.remove(slot)
            self.pids[slot] = pid

    def settle(self):
        self.take_in(self.reports.next(len(self.out)))

    def verify(self, svd, unknown_allowed=False):
        """The herd as svd sees it and as it is."""
        self.take_in(self.reports.pending())
        svd.wait_ready("t:web", COUNT)
        for name, one in svd.instances().items():
            slot = name.split("/")[1]
            equal(one["pid"], self.pids[slot], f"{name}'s pid")
            check(alive(one["pid"]), f"{name} lives")
            equal(one["restarts"], self.kills[slot], f"{name}'s restarts")
            if slot in self.last:
                want = f"signal {signal.Signals(self.last[slot]).name}"
                known = one["last_exit"].removesuffix(" (core dumped)")
                check(known == want or (unknown_allowed and "unknown" in known), f"{name}'s last exit: have {known!r}, want {want!r}")


def until_it_answers(svd, begun):
    """Seconds from `begun` until svctl works again; asks once after the other, each a process of its own."""
    while True:
        if subprocess.run([SVCTL, "daemon", "status"], env=svd.environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0:
            return time.monotonic() - begun
        if time.monotonic() - begun > 30:
            raise Failed("svctl did not work again within 30 s")


def churn_for(herd, seconds):
    """One death every PACE seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        herd.kill_one()
        herd.take_in(herd.reports.pending())
        time.sleep(PACE * random.uniform(.5, 1.5))  # pace: the churn is the load


def engine_killed_under_churn():
    """100 instances, one dies every 100 ms, the engine is killed 50 times: exactly the dead are restarted, once each"""
    with Daemon() as svd:
        reports = svd.reports()
        svd.apply(ecosystem(reports))
        herd, answers = Herd(reports), []
        keeper = svd.daemon()["pid"]
        for _ in range(ENGINE_KILLS):
            churn_for(herd, random.uniform(0, 3 * PACE))
            engine = svd.daemon()["engine_pid"]
            if random.random() < .3:
                herd.kill_one()  # a death that nobody is there to see
            begun = time.monotonic()
            os.kill(engine, signal.SIGKILL)
            if random.random() < .3:
                herd.kill_one()
            answers.append(until_it_answers(svd, begun))
        herd.settle()
        herd.verify(svd)
        equal(svd.daemon()["pid"], keeper, "the keeper's pid")
        equal(svd.daemon()["engine_starts"], ENGINE_KILLS + 1, "engine starts")
        equal(reports.pending(), [], "starts beyond those")
        say(f"{sum(herd.kills.values())} deaths, {ENGINE_KILLS} of the engine")
        spread("svctl works again after the engine's death", answers)


def keeper_killed():
    """the keeper killed 10 times: no instance is restarted, none is left unsupervised"""
    with Daemon() as svd:
        reports = svd.reports()
        svd.apply(ecosystem(reports))
        herd, answers = Herd(reports), []
        for _ in range(KEEPER_KILLS):
            keeper = svd.daemon()["pid"]
            begun = time.monotonic()
            os.kill(keeper, signal.SIGKILL)
            wait_gone([keeper], what="the old keeper")
            answers.append(until_it_answers(svd, begun))
            check(svd.daemon()["pid"] != keeper, "there is a new keeper")
            herd.kill_one()  # an adopted instance is still watched
            herd.settle()
        herd.verify(svd, unknown_allowed=True)
        equal(reports.pending(), [], "starts beyond those")
        spread("svctl works again after the keeper's death", answers)
        everyone = list(herd.pids.values())
        svd.stop()
        wait_gone(everyone, what="instances after svctl daemon stop")


def both_killed():
    """keeper and engine killed together: the next daemon takes over what still runs, and nothing runs twice"""
    with Daemon() as svd:
        reports = svd.reports()
        svd.apply(ecosystem(reports))
        herd = Herd(reports)
        daemon = svd.daemon()
        os.kill(daemon["pid"], signal.SIGKILL)
        os.kill(daemon["engine_pid"], signal.SIGKILL)
        wait_gone([daemon["pid"], daemon["engine_pid"]], what="the old daemon")
        svd.apply(ecosystem(reports))
        svd.wait_ready("t:web", COUNT)
        running = svd.pids()
        equal(len(running), COUNT, "instances")
        left = [pid for pid in herd.pids.values() if alive(pid) and pid not in running.values()]
        equal(left, [], "processes of the first life that nobody supervises")


run(engine_killed_under_churn, keeper_killed, both_killed)
