#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both halves of svd are killed again and again while instances die: nobody else notices."""
import os
import pathlib
import random
import signal
import subprocess
import time

from harness import APP, Daemon, Failed, SVCTL, alive, check, descendants, equal, remove_cgroups, run, say, spread, wait_gone
from herd import Herd, ecosystem

COUNT, ENGINE_KILLS, KEEPER_KILLS = 100, 50, 10
PACE = 0.1  # seconds from one instance's death to the next


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


def engine_killed(kills, **environment):
    with Daemon(**environment) as svd:
        reports = svd.reports()
        svd.apply(ecosystem(reports, COUNT))
        herd, answers = Herd(reports, COUNT), []
        keeper = svd.daemon()["pid"]
        for _ in range(kills):
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
        equal(svd.daemon()["engine_starts"], kills + 1, "engine starts")
        equal(reports.pending(), [], "starts beyond those")
        say(f"{sum(herd.kills.values())} deaths, {kills} of the engine")
        spread("svctl works again after the engine's death", answers)


def engine_killed_under_churn():
    """100 instances, one dies every 100 ms, the engine is killed 50 times: exactly the dead are restarted, once each"""
    engine_killed(ENGINE_KILLS)


def engine_killed_without_cgroups():
    """the same without cgroups, the engine killed 20 times"""
    engine_killed(20, SVD_CGROUPS="off")


def keeper_killed(**environment):
    """the keeper killed 10 times: no instance is restarted, none is left unsupervised"""
    with Daemon(**environment) as svd:
        reports = svd.reports()
        svd.apply(ecosystem(reports, COUNT))
        herd, answers = Herd(reports, COUNT), []
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


def keeper_killed_without_cgroups():
    """the keeper killed 10 times, without cgroups"""
    keeper_killed(SVD_CGROUPS="off")


def both_killed():
    """keeper and engine killed together: the next daemon takes over what still runs, and nothing runs twice"""
    with Daemon() as svd:
        reports = svd.reports()
        svd.apply(ecosystem(reports, COUNT))
        herd = Herd(reports, COUNT)
        svd.kill_both()
        svd.apply(ecosystem(reports, COUNT))
        svd.wait_ready("t:web", COUNT)
        running = svd.pids()
        equal(len(running), COUNT, "instances")
        left = [pid for pid in herd.pids.values() if alive(pid) and pid not in running.values()]
        equal(left, [], "processes of the first life that nobody supervises")


def from_another_cgroup(second):
    """Keeper and engine killed; the next daemon is started from another cgroup, as from another login."""
    own = next(line for line in open("/proc/self/cgroup") if line.startswith("0::"))[3:].strip()
    mount = next((line.split()[4] for line in open("/proc/self/mountinfo") if " - cgroup2 " in line), None)
    here = pathlib.Path(f"{mount}{own}")
    places = [here / f"svd-test-{os.getpid()}-{name}" for name in "ab"]
    try:
        for place in places:
            place.mkdir()
        (places[0] / "cgroup.procs").write_text("0")
    except OSError as error:
        say(f"   no cgroups to move between: {error}")
        return
    try:
        with Daemon() as svd:
            reports = svd.reports()
            svd.apply(ecosystem(reports, 20))
            herd = Herd(reports, 20)
            svd.kill_both()
            (places[1] / "cgroup.procs").write_text("0")
            second(svd, reports, herd)
    finally:
        (here / "cgroup.procs").write_text("0")
        for place in places:
            remove_cgroups(place)


def taken_over_from_another_cgroup():
    """keeper and engine killed, the next daemon started from another cgroup: it takes over what runs"""
    def second(svd, reports, herd):
        svd.apply(ecosystem(reports, 20))
        svd.wait_ready("t:web", 20)
        equal({name.split("/")[1]: pid for name, pid in svd.pids().items()}, herd.pids, "who runs")
        herd.kill_one()
        herd.settle()
        herd.verify(svd, unknown_allowed=True)
        svd.stop()
        wait_gone(herd.pids.values(), what="instances after svctl daemon stop")

    from_another_cgroup(second)


def ended_from_without_cgroups():
    """keeper and engine killed, the next daemon has no cgroups: what it cannot take over does not run on beside it"""
    def second(svd, reports, herd):
        svd.environment["SVD_CGROUPS"] = "off"
        svd.apply(ecosystem(reports, 20))
        svd.wait_ready("t:web", 20)
        equal([pid for pid in herd.pids.values() if alive(pid)], [], "left of the first life")
        svd.stop()

    from_another_cgroup(second)


def killed_while_starting(kill, **environment):
    """Ten times 200 instances are started, and somebody of svd is killed in the middle of it."""
    with Daemon(**environment) as svd:
        reports = svd.reports()
        svd.apply(ecosystem(reports, 0))
        for round_ in range(10):
            svd.apply(ecosystem(reports, 0))
            svd.apply(ecosystem(reports, 200), "--no-wait")
            reports.next(random.randrange(1, 150))
            kill(svd)
            svd.apply(ecosystem(reports, 200), ok=False)  # starts that the keeper took along are failures of that change
            svd.wait_ready("t:web", 200)
            ours = lambda: {pid for pid in descendants() if alive(pid) and os.readlink(f"/proc/{pid}/exe") == os.path.realpath(APP)}
            # Without cgroups, what executed its program just after its keeper's death is seen at the second look only.
            wait_gone(ours() - set(svd.pids().values()), what=f"who runs beside the instances, after round {round_}")
            equal(ours(), set(svd.pids().values()), f"who runs, after round {round_}")
            reports.pending()


def kill_the_keeper(svd):
    keeper = svd.daemon()["pid"]
    os.kill(keeper, signal.SIGKILL)
    wait_gone([keeper], what="the old keeper")


def keeper_killed_while_starting():
    """the keeper killed in the middle of many starts: afterwards each instance runs once, and no other process"""
    killed_while_starting(kill_the_keeper)


def both_killed_while_starting():
    """the same with keeper and engine killed together"""
    killed_while_starting(Daemon.kill_both)


def keeper_killed_while_starting_without_cgroups():
    """the keeper killed in the middle of many starts, without cgroups"""
    killed_while_starting(kill_the_keeper, SVD_CGROUPS="off")


def both_killed_while_starting_without_cgroups():
    """keeper and engine killed together in the middle of many starts, without cgroups"""
    killed_while_starting(Daemon.kill_both, SVD_CGROUPS="off")


run(engine_killed_under_churn, engine_killed_without_cgroups, keeper_killed, keeper_killed_without_cgroups, both_killed,
    taken_over_from_another_cgroup, ended_from_without_cgroups,
    keeper_killed_while_starting, both_killed_while_starting, keeper_killed_while_starting_without_cgroups, both_killed_while_starting_without_cgroups)
