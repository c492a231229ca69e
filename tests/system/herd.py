# SPDX-License-Identifier: Apache-2.0
"""Many instances of one app, of which some are killed: what must be true of them afterwards."""
import os
import random
import signal

from harness import APP, alive, check, equal


def ecosystem(reports, count, *before):
    """`before`: what each does before it reports. The restart policy forgives everything."""
    words = "".join(word + ", " for word in before)
    # Each instance ends in a way of its own, so that a mixed-up exit status would show.
    return ("version: 1\nname: t\napps:\n  web:\n"
            f"    exec: [{APP}, {words}report, {reports.path}, wait]\n    instances: {count}\n"
            "    logs: { to: none }\n    restart: { delay: 0ms, max_restarts: 1000000 }\n")


class Herd:
    """What must be true of the instances: who lives under which pid, and how often each was killed."""

    def __init__(self, reports, count):
        self.reports = reports
        self.count = count
        self.pids = {slot: pid for pid, slot, _ in reports.next(count)}
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
        svd.wait_ready("t:web", self.count)
        for name, one in svd.instances().items():
            slot = name.split("/")[1]
            equal(one["pid"], self.pids[slot], f"{name}'s pid")
            check(alive(one["pid"]), f"{name} lives")
            equal(one["restarts"], self.kills[slot], f"{name}'s restarts")
            if slot in self.last:
                want = f"signal {signal.Signals(self.last[slot]).name}"
                known = one["last_exit"].removesuffix(" (core dumped)")
                check(known == want or (unknown_allowed and "unknown" in known), f"{name}'s last exit: have {known!r}, want {want!r}")
