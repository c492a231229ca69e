#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`svd FILE` as PID 1 of real containers (crun), with all that containers take away."""
import os
import pathlib
import signal
import tempfile

from harness import check, equal, run, say, status_of, wait_gone
from oci import Container, make_image, require_containers

require_containers()
PLACE = tempfile.TemporaryDirectory(prefix="svd-test-")
IMAGE = pathlib.Path(PLACE.name) / "root"
SIZE = make_image(IMAGE)
IMAGE.parent.chmod(0o755)
ECO = "/eco/eco.yaml"


def box(apps, *arguments, **options):
    return Container("svd", *arguments, ECO, files={"eco.yaml": "version: 1\nname: shop\napps:\n" + apps}, image=IMAGE, **options)


WEB = "  web: { exec: [app, wait], instances: 2 }\n"


def the_image_is_small():
    """the bundle of svd, svctl, engine and all libraries is below 15 MB, and runs where nothing else is"""
    size = sum(file.stat().st_size for file in (IMAGE / "opt").rglob("*") if not file.is_symlink())
    check(size < 15_000_000, f"{size} bytes")
    say(SIZE)
    with Container("svd", "--", "svctl", "--version", image=IMAGE) as it:
        equal(it.code(), 0, "exit code")
        check(it.log.startswith("svctl "), it.log)


def a_file_is_applied():
    """the file's apps run, log to the container's output, and svctl works inside; SIGTERM stops them in order and svd ends with 0"""
    apps = "  talker: { exec: [sh, -c, 'echo to stdout; echo to stderr >&2; echo $GREETING; exec app wait'], pass_env: [GREETING] }\n" + WEB
    with box(apps, env={"GREETING": "from the container"}) as it:
        for words in ("to stdout", "to stderr", "from the container", "svd: apply 1: succeeded"):
            it.wait_for(words)
        equal(sorted(it.pids()), ["shop:talker/0", "shop:web/0", "shop:web/1"], "instances")
        equal(it.svctl("daemon", "status")["pid"], 1, "pid of the keeper")
        it.run("svctl", "scale", "web", "3")
        equal(len(it.pids()), 4, "instances after svctl scale")
        history = it.svctl("history")
        equal([one["number"] for one in history], [1], "revisions")
        it.signal("TERM")
        equal(it.code(), 0, "exit code after SIGTERM")
        check(it.log.count("stopping → stopped") == 4, "all instances were stopped in order")


def a_second_signal_forces():
    """an app that ignores SIGTERM has its timeout; a second SIGTERM, or SIGINT, does not wait for it"""
    for first, second in (("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")):
        with box("  stubborn: { exec: [sh, -c, 'trap \"echo asked\" TERM; echo armed; while :; do sleep 1000 & wait; done'], stop: { timeout: 10m, kill: main } }\n") as it:
            it.wait_for("armed")
            it.wait_for("→ ready")
            it.signal(first)
            it.wait_for("asked")
            it.signal(second)
            equal(it.code(), 0, f"exit code after SIG{first} and SIG{second}")


def ctrl_c_is_a_stop():
    """docker run -it: Ctrl-C stops in order, a second Ctrl-C forces"""
    with box("  polite: { exec: [sh, -c, 'trap \"echo asked; exit 0\" TERM; echo armed; while :; do sleep 1000 & wait; done'], stop: { kill: main } }\n",
             terminal=True) as it:
        it.terminal.expect("armed")
        it.terminal.type("\x03")
        it.terminal.expect("asked")
        equal(it.code(), 0, "exit code after Ctrl-C")
    with box("  stubborn: { exec: [sh, -c, 'trap \"echo asked\" TERM; echo armed; while :; do sleep 1000 & wait; done'], stop: { timeout: 10m, kill: main } }\n",
             terminal=True) as it:
        it.terminal.expect("armed")
        it.terminal.type("\x03")
        it.terminal.expect("asked")
        it.terminal.type("\x03")
        equal(it.code(), 0, "exit code after two Ctrl-C")


def hangup_applies_the_file_anew():
    """SIGHUP reads the file again and applies it; one with mistakes changes nothing and is told with line and caret"""
    with box(WEB) as it:
        it.wait_for("apply 1: succeeded")
        before = it.pids()
        (it.files / "eco.yaml").write_text("version: 1\nname: shop\napps:\n" + WEB + "  other: { exec: [app, wait] }\n")
        it.signal("HUP")
        it.wait_for("apply 2: succeeded")
        equal({**it.pids(), "shop:other/0": None}, {**before, "shop:other/0": None}, "web was not touched, other was started")
        (it.files / "eco.yaml").write_text("version: 1\nname: shop\napps:\n  web: { exce: [app] }\n")
        it.signal("HUP")
        it.wait_for("svd: /eco/eco.yaml:4:10: apps.web.exce: unknown key")
        it.wait_for("svd:       |          ^")
        equal(len(it.pids()), 3, "instances after a file with mistakes")
        (it.files / "eco.yaml").unlink()
        it.signal("HUP")
        it.wait_for("cannot read '/eco/eco.yaml': No such file or directory")
        (it.files / "eco.yaml").write_text("version: 1\nname: shop\napps:\n" + WEB)
        it.signal("HUP")
        it.wait_for("apply 3: succeeded")
        equal(it.pids(), before, "other is gone, web was not touched")
        it.signal("HUP")
        it.wait_for("/eco/eco.yaml: nothing to change")
        it.signal("TERM")
        equal(it.code(), 0, "exit code")


def a_profile_is_merged():
    """--profile chooses one of the file's"""
    with Container("svd", "--profile", "production", ECO, image=IMAGE,
                   files={"eco.yaml": "version: 1\napps: { web: { exec: [app, wait] } }\nprofiles: { production: { apps: { web: { instances: 3 } } } }\n"}) as it:
        it.wait_for("apply 1: succeeded")
        equal(len(it.pids()), 3, "instances")


def mistakes_end_it():
    """a file that is not there or has mistakes ends svd with 1, wrong options with 2, each with the reason"""
    for arguments, text, code, said in (
            ([ECO], "version: 1\napps: { web: { exec: [] } }\n", 1, "svd: /eco/eco.yaml:2:"),
            (["/eco/none.yaml"], "", 1, "svd: cannot read '/eco/none.yaml': No such file or directory"),
            (["/eco"], "", 1, "svd: cannot read '/eco': it is no regular file"),
            (["--profile", "none", ECO], "version: 1\napps: { web: { exec: [app] } }\n", 1, "none"),
            (["--profile", "x"], "", 2, "svd: cannot use --profile without FILE"),
            (["-"], "", 2, "standard input"),
            ([ECO, "two"], "", 2, "svd: cannot understand the argument 'two'"),
            (["--daemonize"], "", 2, "svd: cannot go to the background: all ends with PID 1")):
        with Container("svd", *arguments, image=IMAGE, files={"eco.yaml": text}) as it:
            equal(it.code(), code, f"exit code of svd {' '.join(arguments)}")
            check(said in it.log, it.log)


def essential_apps_end_it():
    """svd ends with the exit code of the essential app that failed for good, after the others were stopped in order"""
    for how, code in (("exit, 7", 7), ("exit, 255", 255), ("raise, 9", 137), ("raise, 11", 139)):
        with box(f"  main: {{ exec: [app, {how}], essential: true, restart: {{ max_restarts: 2, delay: 0ms }} }}\n" + WEB) as it:
            equal(it.code(), code, f"exit code after app {how}")
            check(it.log.count("→ backoff") == 2 and it.log.count("→ stopped: svd stops") == 2, it.log)
    with box("  main: { exec: [nope], essential: true, restart: { policy: never } }\n") as it:
        equal(it.code(), 127, "exit code of a program that is not there")
    with box("  main: { exec: [app, exit, 0], essential: true, restart: { policy: on-failure } }\n" + WEB) as it:
        equal(it.code(), 0, "exit code when the essential app has completed")


def jobs_end_it():
    """without an essential app svd ends when all have ended: a file of jobs is a container that runs to completion"""
    with box("  one: { exec: [app, exit, 0], restart: { policy: never } }\n  two: { exec: [app, exit, 6], restart: { policy: never } }\n") as it:
        equal(it.code(), 6, "exit code")


def the_engines_death_is_not_seen():
    """kill -9 of the engine, 10 times: pids, container and what svctl did stay; the exit code in the end is right"""
    with box(WEB + "  main: { exec: [sh, -c, 'trap \"exit 9\" USR1; echo armed; while :; do sleep 1000 & wait; done'], essential: true, restart: { policy: never } }\n") as it:
        it.wait_for("apply 1: succeeded")
        it.wait_for("armed")
        it.run("svctl", "scale", "web", "3")
        # The file has changed, but nobody has asked for it: an engine that is started anew must not read it.
        (it.files / "eco.yaml").write_text("version: 1\nname: shop\napps: {}\n")
        pids, history = it.pids(), it.run("svctl", "history", "--json")
        equal(len(pids), 4, "instances")
        for round in range(10):
            engine = it.svctl("daemon", "status")["engine_pid"]
            it.run("kill", "-9", engine)
            it.wait_for("/bus again", round + 1)
            equal(it.pids(), pids, "pids after the engine's death")
        equal(it.run("svctl", "history", "--json"), history, "revisions")
        check(it.process.poll() is None, "the container runs")
        it.run("kill", "-USR1", pids["shop:main/0"])
        equal(it.code(), 9, "exit code, of the essential app")


def orphans_are_reaped():
    """1,000 orphans that an app leaves behind: no zombies"""
    with box("  job: { exec: [probe, orphans, '1000'], essential: true, restart: { policy: never } }\n") as it:
        equal(it.code(), 0, "exit code")
        said = [line for line in it.log.splitlines() if "orphans" in line and "svd:" not in line]
        equal(said, ["1000 orphans, 0 zombies"], "said by the app")


# --- what containers take away ---------------------------------------------------------------------------------------------------


def works(it, reachable=True):
    """It starts, is reachable, restarts what crashed, survives its engine, stops."""
    it.wait_for("apply 1: succeeded")
    if reachable:
        it.run("svctl", "signal", "SIGKILL", "web/0")
        it.wait_for("shop:web/0: starting → ready", 2)
        engine = it.svctl("daemon", "status")["engine_pid"]
        it.run("kill", "-9", engine)
        it.wait_for(" again")
        equal(len(it.pids()), 2, "instances")
    else:
        it.run("sh", "-c", "for at in /proc/[0-9]*; do case $(cat $at/cmdline) in engine*) kill -9 ${at#/proc/} ;; esac; done")
        it.wait_for(" again")
    it.signal("TERM")
    equal(it.code(), 0, "exit code")


def nothing_can_be_written():
    """read-only root, /run, /tmp and no /dev/shm, no capabilities, a random user: apps run, and it is said what is off"""
    for uid in (0, 12345):
        with box(WEB, uid=uid, capabilities=[], without=["/dev/shm"], sealed=["/dev"]) as it:
            works(it, reachable=False)
            check("svctl cannot reach this svd: " in it.log, it.log)
            check("no cgroups (" in it.log, it.log)


def only_shared_memory_can_be_written():
    """with a read-only root /dev/shm is enough, for root and for a random user without an entry in passwd and without HOME"""
    for uid in (0, 12345):
        with box(WEB, uid=uid, capabilities=[]) as it:
            works(it)
            check(f"/dev/shm/svd-{uid}-" in it.log and " is used, since " in it.log, it.log)
            lacking = it.log.count("cannot be written to")
            check(lacking >= 1, it.log)


def only_tmp_can_be_written():
    """the same with /tmp alone"""
    with box(WEB, uid=12345, capabilities=[], without=["/dev/shm"], tmpfs=["/tmp"]) as it:
        works(it)
        check("/tmp/svd-12345-" in it.log, it.log)


def run_can_be_written():
    """what a read-only container is usually given: tmpfs on /run and /tmp"""
    with box(WEB, tmpfs=["/run", "/tmp"]) as it:
        works(it)
        check("serves unix:path=/run/svd/bus" in it.log and "is used" not in it.log, it.log)


def places_are_not_shared():
    """two containers of one pod share /dev/shm and have the same user: each svctl reaches its own svd, and nothing is left there"""
    with tempfile.TemporaryDirectory(prefix="svd-test-") as shared:
        os.chmod(shared, 0o1777)
        options = {"without": ["/dev/shm"], "binds": {shared: "/dev/shm"}}
        with box("  one: { exec: [app, wait] }\n", **options) as a, box("  two: { exec: [app, wait] }\n", **options) as b:
            for it, name in ((a, "one"), (b, "two")):
                it.wait_for("apply 1: succeeded")
                equal(sorted(it.pids()), [f"shop:{name}/0"], "what svctl sees")
            for it in (a, b):
                it.signal("TERM")
                equal(it.code(), 0, "exit code")
        equal(os.listdir(shared), [], "left in the shared memory")


def strangers_cannot_take_the_place():
    """a directory that another user has prepared in /dev/shm is not used"""
    with tempfile.TemporaryDirectory(prefix="svd-test-") as shared:
        os.chmod(shared, 0o1777)
        with Container("sh", "-c", f"echo armed; read word < /eco/go; exec svd {ECO}", image=IMAGE, uid=12345, without=["/dev/shm"],
                       binds={shared: "/dev/shm"}, tmpfs=["/tmp"], files={"eco.yaml": "version: 1\nname: shop\napps:\n" + WEB}) as it:
            os.mkfifo(it.files / "go", 0o644)
            it.wait_for("armed")
            place = pathlib.Path(shared) / f"svd-12345-{os.stat(f'/proc/{it.pid()}/ns/mnt').st_ino}"
            place.mkdir()
            place.chmod(0o777)  # ours, so a stranger's
            (it.files / "go").write_text("go\n")
            it.wait_for("apply 1: succeeded")
            check("serves unix:path=/tmp/svd-12345-" in it.log, it.log)
            equal(len(it.pids()), 2, "instances that svctl sees")


def no_cgroups_at_all():
    """without /sys and /sys/fs/cgroup"""
    with box(WEB, without=["/sys", "/sys/fs/cgroup"]) as it:
        works(it)
        check("no cgroups (" in it.log, it.log)


def calls_are_refused():
    """seccomp answers for new system calls with ENOSYS or EPERM, one by one and all together: everything works"""
    calls = ["clone3", "close_range", "pidfd_open", "pidfd_send_signal", "openat2", "faccessat2", "statx", "epoll_pwait2", "rseq", "getrandom"]
    for error in ("ENOSYS", "EPERM"):
        for deny in [[f"{call}={error}"] for call in calls] + [[f"{call}={error}" for call in calls]]:
            with box(WEB, deny=deny, tmpfs=["/run"]) as it:
                works(it)
    for deny in (["prctl=EPERM"], ["setpriority=EPERM", "setrlimit=EPERM", "prlimit64=EPERM"]):
        with box(WEB, deny=deny, tmpfs=["/run"]) as it:
            it.wait_for("apply 1: succeeded")
            it.signal("TERM")
            equal(it.code(), 0, f"exit code with {deny}")


def commands_work_there_too():
    """svd -- COMMAND in the poorest container: code, signals, orphans"""
    poor = {"uid": 12345, "capabilities": [], "without": ["/dev/shm", "/sys", "/sys/fs/cgroup", "/proc"], "image": IMAGE}
    with Container("svd", "--", "sh", "-c", "exit 33", **poor, deny=["clone3=EPERM", "close_range=ENOSYS", "prctl=EPERM"]) as it:
        equal((it.code(), it.log), (33, ""), "exit code and output")
    with Container("svd", "--", "sh", "-c", "trap 'echo told; exit 4' TERM; echo armed; while :; do sleep 1000 & wait; done", **poor) as it:
        it.wait_for("armed")
        it.signal("TERM")
        equal(it.code(), 4, "exit code")
    with Container("svd", "-e", "143", "--", "sh", "-c", "echo armed; exec sleep 1000", **poor) as it:
        it.wait_for("armed")
        it.signal("TERM")
        equal(it.code(), 0, "exit code 143 taken for success")


try:
    run(the_image_is_small, a_file_is_applied, a_second_signal_forces, ctrl_c_is_a_stop, hangup_applies_the_file_anew, a_profile_is_merged,
        mistakes_end_it, essential_apps_end_it, jobs_end_it, the_engines_death_is_not_seen, orphans_are_reaped, nothing_can_be_written,
        only_shared_memory_can_be_written, only_tmp_can_be_written, run_can_be_written, places_are_not_shared, strangers_cannot_take_the_place,
        no_cgroups_at_all, calls_are_refused, commands_work_there_too)
finally:
    PLACE.cleanup()
