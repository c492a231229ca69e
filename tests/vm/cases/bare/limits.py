#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits are enforced by the kernel, shown as what they are, and changed without a restart"""
# timeout: 900
import os
import pathlib
import re
import select
import signal
import time

from harness import APP, alive, check, equal, run, say, status_of, wait_gone
from vm import SystemDaemon, output

MIB = 1 << 20


def ecosystem(*apps):
    """Each app is "NAME: keys"; none is started again when it ends, and none has a log."""
    return "version: 1\nname: t\ndefaults: { logs: { to: none }, restart: { policy: never } }\napps:\n" + "".join(f"  {app}\n" for app in apps)


def app(name, *words, instances=1, limits="", app_limits=""):
    return f"{name}: {{ exec: [{', '.join(map(str, (APP, *words)))}], instances: {instances}, limits: {{ {limits} }}, app_limits: {{ {app_limits} }} }}"


def file_of(instance, name):
    return (pathlib.Path(instance["cgroup"]) / name).read_text().strip()


def wait_phase(svd, name, phase):
    return svd.wait_until(lambda: (one := svd.instances()[name])["phase"] == phase and one, f"{name} is {phase}")


def pause(seconds):
    """Time that has to pass, since it is what is measured."""
    select.select([], [], [], seconds)


def out_of_memory():
    """memory: 64MiB, and more is allocated: the instance is killed as a whole and shown as out of memory, its siblings live"""
    with SystemDaemon() as svd:
        svd.apply(ecosystem(app("web", "only", 1, "eat", 200, instances=2, limits="memory: 64MiB"), app("other", "wait")))
        gone = wait_phase(svd, "t:web/1", "failed")
        words = "killed: out of memory (limit 64MiB)"
        equal((gone["reason"], gone["last_exit"]), (words, words), "reason and last exit")
        equal([svd.instances()[name]["phase"] for name in ("t:web/0", "t:other/0")], ["ready"] * 2, "phases of the siblings")
        equal(svd.apps()["t:web"]["reason"], f"web/1: {words}", "reason of the app")
        for verb in ("ls", "status", "events"):
            shown = svd.svctl(verb, ok=False).stdout
            check(words in shown, f"svctl {verb} says so:\n{shown}")
        check(words in svd.svctl("status", "web", ok=False).stdout, "svctl status web says so")
        said = output("busctl", "--address=unix:path=/run/svd/bus", "get-property", "org.svd1", "/org/svd1/instance/t/web/1", "org.svd1.Instance", "LastExit")
        equal(said.strip(), f's "{words}"', "LastExit on D-Bus")


def all_of_it():
    """not the main process but one below it needs too much: nothing of the instance is left; a plain SIGKILL is still one"""
    with SystemDaemon() as svd:
        svd.apply(ecosystem(f"web: {{ exec: [sh, -c, '{APP} wait & {APP} eat 200'], limits: {{ memory: 64MiB }} }}", app("other", "wait", limits="memory: 64MiB")))
        equal(wait_phase(svd, "t:web/0", "failed")["reason"], "killed: out of memory (limit 64MiB)", "reason")
        os.kill(svd.pids()["t:other/0"], signal.SIGKILL)
        equal(wait_phase(svd, "t:other/0", "failed")["reason"], "signal SIGKILL", "reason of a plain SIGKILL")


def without_an_engine():
    """memory ran out while the engine was stopped and then killed: the next one tells it all the same"""
    with SystemDaemon() as svd:
        os.mkfifo(svd.directory / "go")
        svd.apply(ecosystem(f"web: {{ exec: [sh, -c, 'read line <{svd.directory}/go; exec {APP} eat 200'], limits: {{ memory: 64MiB }} }}"))
        pid, engine = svd.pids()["t:web/0"], svd.daemon()["engine_pid"]
        os.kill(engine, signal.SIGSTOP)
        (svd.directory / "go").write_text("now\n")
        wait_gone([pid], what="the instance")
        os.kill(engine, signal.SIGKILL)
        equal(wait_phase(svd, "t:web/0", "failed")["reason"], "killed: out of memory (limit 64MiB)", "reason")


def sum_of_an_app():
    """app_limits.memory: 100MiB, and two instances want 70 each: one is killed for it, the other lives; cpu and pids are shared, too"""
    with SystemDaemon() as svd:
        reports = svd.reports()
        svd.apply(ecosystem(app("web", "eat", 70, "report", reports.path, "wait", instances=2, app_limits="memory: 100MiB, pids: 50, cpu: 0.5")))
        svd.wait_until(lambda: "failed" in [one["phase"] for one in svd.instances().values()], "one is killed")
        reports.next(1)
        ends = sorted((one["phase"], one["reason"]) for one in svd.instances().values())
        equal(ends, [("failed", "killed: out of memory (app limit 100MiB)"), ("ready", "")], "the two")
        lives, = (one for one in svd.instances().values() if one["phase"] == "ready")
        outer = pathlib.Path(lives["cgroup"]).parent
        equal([(outer / name).read_text().strip() for name in ("pids.max", "cpu.max", "memory.max")], ["50", "50000 100000", str(100 * MIB)], "files of the app")
        used = svd.json("status", "web", exits=(0, 5))["app"]["usage"]
        check(60 * MIB < used["memory"] <= 100 * MIB, f"memory of the app: {used}")


def cpu_share(instance, seconds):
    """CPUs that it used, by cpu.stat over the clock."""
    def sample():
        return int(re.search(r"usage_usec (\d+)", file_of(instance, "cpu.stat")).group(1)) / 1e6, time.monotonic()
    used, begun = sample()
    pause(seconds)
    used_then, ended = sample()
    return (used_then - used) / (ended - begun)


def half_a_cpu():
    """cpu: 0.5 of two processes that want one each: 0.5 ± 10 % over 10 s"""
    with SystemDaemon() as svd:
        svd.apply(ecosystem(app("web", "spin", 1, limits="cpu: 0.5")))
        share = cpu_share(svd.instances()["t:web/0"], 10)
        usage = svd.instances()["t:web/0"]["usage"]
        say(f"   {share:.3f} CPUs of 0.5 over 10 s; {usage}")
        check(.45 <= share <= .55, f"{share:.3f} CPUs")
        check(usage["cpu_throttled"] > 0, "it was held back")
        check(usage["pressure"]["cpu"] > 0, "it waited for the CPU")


def fork_bomb():
    """pids: 20 stops a fork bomb; its siblings live, and nothing is left of it after stop"""
    with SystemDaemon() as svd:
        svd.apply(ecosystem(app("bomb", "bomb", 0, limits="pids: 20"), app("other", "wait")))
        one = svd.wait_until(lambda: (found := svd.instances()["t:bomb/0"])["usage"]["pids"] == 20 and found, "20 processes")
        svd.wait_until(lambda: re.search(r"max [1-9]", file_of(one, "pids.events")), "the kernel refuses more")
        members = [int(pid) for pid in file_of(one, "cgroup.procs").split()]
        check(len(members) <= 20, f"{len(members)} processes")
        check(any(map(alive, members)), "it runs")
        svd.svctl("stop", "bomb")
        left = [pid for pid in os.listdir("/proc") if pid.isdigit() and b"bomb" in command(pid)]
        equal(left, [], "left of it")
        check(not os.path.exists(one["cgroup"]), "its cgroup is gone")
        equal(svd.instances()["t:other/0"]["phase"], "ready", "its sibling")


def command(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() if alive(pid) else b""
    except OSError:
        return b""


def slowed_down():
    """memory_high slows an instance down where one without it is done at once, and does not kill it"""
    with SystemDaemon() as svd:
        reports = svd.reports()
        words = ("eat", 300, "report", reports.path, "wait")
        svd.apply(ecosystem(app("slow", *words, limits="memory_high: 32MiB")))
        pause(3)
        svd.apply(ecosystem(app("slow", *words, limits="memory_high: 32MiB"), app("quick", *words)))
        (pid, _, _), = reports.next(1)
        equal(pid, svd.pids()["t:quick/0"], "who was done first")
        slow = svd.instances()["t:slow/0"]
        high = int(re.search(r"high (\d+)", file_of(slow, "memory.events")).group(1))
        say(f"   high {high} times; {slow['usage']}")
        check(high > 0 and slow["phase"] == "ready", f"memory.high was reached {high} times, phase {slow['phase']}")
        check(slow["usage"]["memory"] < 200 * MIB, "it has not got it all")


def pinned():
    """cpuset: an instance runs on these CPUs and on no others; an impossible set is named, and does not stop it"""
    with SystemDaemon() as svd:
        svd.apply(ecosystem(app("web", "wait", limits="cpuset: 1"), app("both", "wait", limits="cpuset: 0-1"), app("wrong", "wait", limits="cpuset: 4000")))
        allowed = {name: status_of(pid)["Cpus_allowed_list"].strip() for name, pid in svd.pids().items()}
        equal(allowed, {"t:web/0": "1", "t:both/0": "0-1", "t:wrong/0": "0-1"}, "CPUs")
        shown = svd.json("status", "wrong", exits=(0, 5))["app"]["degraded"]
        equal(shown, ["limits.cpuset cannot be enforced here: of its CPUs, some are not among 0-1"], "what is missing")


def disks():
    """io_max: reaches the kernel and holds up a writer; what it wrote is counted"""
    with SystemDaemon() as svd:
        limits = "io_max: { /dev/vda: { wbps: 1MiB } }, io_weight: 50"
        svd.apply(ecosystem(f"web: {{ exec: [sh, -c, 'dd if=/dev/zero of=/dev/vda bs=64k count=48 oflag=direct; exec {APP} wait'], limits: {{ {limits} }} }}"))
        begun = time.monotonic()
        one = svd.wait_until(lambda: (found := svd.instances()["t:web/0"])["usage"]["io_written"] >= 3 * MIB and found, "3 MiB are written")
        took = time.monotonic() - begun
        say(f"   {took:.1f} s for 3 MiB; io.max: {file_of(one, 'io.max')}; {one['usage']}")
        check(" wbps=1048576 " in file_of(one, "io.max") + " ", "io.max")
        check(took > 1.5, f"it took {took:.1f} s")
        degraded = svd.json("status", "web", exits=(0, 5))["app"]["degraded"]
        equal(degraded, ["limits.io_weight cannot be enforced here: no disk has a scheduler that knows weights (bfq), nor io.cost"], "what is missing")
        scheduler = pathlib.Path("/sys/block/vda/queue/scheduler")
        before = re.search(r"\[(.*)\]", scheduler.read_text()).group(1)
        scheduler.write_text("bfq")
        try:
            equal(svd.json("status", "web")["app"]["degraded"], [], "what is missing with the scheduler bfq")
            svd.apply(ecosystem(f"web: {{ exec: [{APP}, wait], limits: {{ io_weight: 10000 }} }}"))
            one = svd.instances()["t:web/0"]
            check(file_of(one, "io.bfq.weight").split()[-1] == "1000", "io.bfq.weight")
        finally:
            scheduler.write_text(before)


def usual_pids():
    """pids.max where the file says none."""
    room = min(int(pathlib.Path(f"/proc/sys/kernel/{name}").read_text()) for name in ("pid_max", "threads-max"))
    return str(room * 15 // 100)


def changed_while_it_runs():
    """other limits in the file are those of what runs, with the same pid; what is no longer there is lifted"""
    with SystemDaemon() as svd:
        svd.apply(ecosystem(app("web", "wait", instances=2, limits="memory: 64MiB, pids: 20")))
        pids = svd.pids()
        text = ecosystem(app("web", "wait", instances=2, limits="memory: 128MiB, cpu: 0.25, cpuset: 0", app_limits="memory: 200MiB"))
        plan = svd.svctl("plan", svd.write(text), ok=False)
        equal(plan.returncode, 2, "exit status of plan")
        check("update in place" in plan.stdout and "limits.memory changed 64MiB → 128MiB" in plan.stdout, plan.stdout)
        svd.apply(text)
        equal(svd.pids(), pids, "pids")
        for one in svd.instances().values():
            files = {name: file_of(one, name) for name in ("memory.max", "pids.max", "cpu.max", "cpuset.cpus")}
            equal(files, {"memory.max": str(128 * MIB), "pids.max": usual_pids(), "cpu.max": "25000 100000", "cpuset.cpus": "0"}, one["instance"])
            equal((pathlib.Path(one["cgroup"]).parent / "memory.max").read_text().strip(), str(200 * MIB), "app_limits.memory")
        svd.apply(ecosystem(app("web", "wait", instances=2)))
        equal(svd.pids(), pids, "pids")
        one = svd.instances()["t:web/0"]
        equal([file_of(one, name) for name in ("memory.max", "cpu.max", "cpuset.cpus.effective")], ["max", "max 100000", "0-1"], "lifted limits")
        equal(status_of(one["pid"])["Cpus_allowed_list"].strip(), "0-1", "its CPUs")
        equal((pathlib.Path(one["cgroup"]).parent / "memory.max").read_text().strip(), "max", "lifted app_limits.memory")


def figures():
    """memory, CPU time and the rest are what the cgroup says, in ls, status and on D-Bus"""
    with SystemDaemon() as svd:
        reports = svd.reports()
        svd.apply(ecosystem(app("web", "eat", 50, "report", reports.path, "wait")))
        reports.next(1)
        one = svd.instances()["t:web/0"]
        usage = one["usage"]
        say(f"   {usage}")
        check(50 * MIB <= usage["memory"] <= 60 * MIB and usage["memory_peak"] >= usage["memory"], "memory")
        check(usage["cpu_time"] > 0 and usage["pids"] == 1, "CPU time and pids")
        check(None not in usage["pressure"].values(), "pressure")
        shown = svd.svctl("ls").stdout
        check(re.search(r"5\d(\.\d)?MiB", shown), f"svctl ls shows the memory:\n{shown}")
        check("pressure" in svd.svctl("status", "web").stdout, "svctl status shows the pressure")
        said = output("busctl", "--address=unix:path=/run/svd/bus", "get-property", "org.svd1", "/org/svd1/instance/t/web/0", "org.svd1.Instance", "Usage")
        check('"memory_peak"' in said, f"Usage on D-Bus: {said}")


run(out_of_memory, all_of_it, without_an_engine, sum_of_an_app, half_a_cpu, fork_bomb, slowed_down, pinned, disks, changed_while_it_runs, figures)
