#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an app tells systemd in svd's name counts for nothing: no state, no descriptor, no main process is believed"""
# timeout: 600
import os
import pathlib
import signal
import socket

from harness import APP, Daemon, Failed, equal, run, say, wait_gone
from vm import Alice, Service, output

PROOF = pathlib.Path("/tmp/svd-impostor")  # what a forged app would make
ALICE = 1000
ECOSYSTEM = ("version: 1\nname: t\napps:\n  web: {{ exec: [{app}, wait], channel: json, listen: {{ http: {{ tcp: '127.0.0.1:8100' }} }} }}\n"
             "  evil: {{ exec: [{app}, wait], cwd: /{user} }}\n")
FORGED = f"version: 1\nname: forged\napps:\n  root: {{ exec: [sh, -c, 'id > {PROOF}; exec sleep 1000'], cwd: / }}\n"
STORED = ("MainPID", "StatusText", "WatchdogUSec", "NFileDescriptorStore", "ActiveState", "SubState", "NRestarts")
SAID = ("MAINPID={pid}", "STATUS=forged", "READY=1\nSTATUS=forged", "WATCHDOG_USEC=3600000000", "ERRNO=5", "EXTEND_TIMEOUT_USEC=1",
        *(f"FDSTOREREMOVE=1\nFDNAME={name}" for name in ("notify", "memory%20of%20channels", "channel%201", "channel%202", "bus")), "RELOADING=1", "WATCHDOG=trigger",
        "STOPPING=1")


def forged():
    """What a daemon that had been asked for it would have saved."""
    with Daemon() as other:
        other.apply(FORGED)
        other.svctl("daemon", "stop")
        state = other.home / "state"
        texts = {"revision/forged/1": (state / "revisions/forged/1").read_bytes(), "state": (state / "runtime").read_bytes()}
    PROOF.unlink(missing_ok=True)
    return texts


def memory(content):
    fd = os.memfd_create("svd-state")
    os.write(fd, content)
    return fd


def listening():
    one = socket.socket(socket.AF_UNIX)
    one.bind("\0svd-" + os.urandom(8).hex())
    one.listen()
    return one.detach()


def say_below(cgroup, manager, *messages):
    """Each (text, descriptor or None), as a process of alice's in that cgroup; systemd has read all of it when this returns."""
    child = os.fork()
    if child:
        equal(os.waitpid(child, 0)[1], 0, "how the impostor ended")
        return
    status = 1
    try:
        (cgroup / "cgroup.procs").write_text("0")
        os.setgroups([])
        os.setgid(ALICE)
        os.setuid(ALICE)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect(manager)
            for text, fd in messages:
                socket.send_fds(notify, [text.replace("{pid}", str(os.getpid())).encode()], [] if fd is None else [fd])
            read, write = os.pipe()
            socket.send_fds(notify, [b"BARRIER=1"], [write])
            os.close(write)
            os.read(read, 1)  # its end: systemd has closed the other one
        status = 0
    finally:
        os._exit(status)


class Impostor:
    """What got in is gathered, so that one run tells all of it."""

    def __init__(self, manager, show, files):
        self.manager, self.show, self.files, self.got_in = manager, show, files, []

    def state(self):
        """What systemd knows of svd."""
        lines = self.show("show", *(f"--property={name}" for name in STORED), "svd.service").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def attempt(self, cgroup, what, *messages):
        before = self.state()
        say_below(cgroup, self.manager, *messages)
        after = self.state()
        if changed := {name: (before[name], after[name]) for name in STORED if before[name] != after[name]}:
            self.got_in.append(f"{what!r}: {changed}")

    def store(self, cgroup):
        held = {**{name: memory(content) for name, content in self.files.items()},
                **{name: listening() for name in ("bus", "notify", "channel 1", "socket 1", "listener:t:web:http:1:0:0", "listener:t:evil:http:1:0:0")}}
        for name, fd in held.items():
            stored = name.replace(":", "%3A").replace(" ", "%20")
            self.attempt(cgroup, f"FDSTORE {name}", (f"FDSTORE=1\nFDPOLL=0\nFDNAME={stored}", fd))
            os.close(fd)

    def say_all(self, cgroup):
        for text in SAID:
            self.attempt(cgroup, text, (text, None))

    def check(self, apps):
        if apps != ["t:evil", "t:web"]:
            self.got_in.append(f"the next svd has the apps {apps}")
        if PROOF.exists():
            self.got_in.append(f"a forged app has run: {PROOF.read_text()}")
        if self.got_in:
            raise Failed("got in: " + "\n".join(self.got_in))


def names(svd):
    return sorted(one["name"] for one in svd.json("status", exits=(0, 5))["apps"])


def in_the_system():
    """an app of another user below svd.service"""
    with Service() as svd:
        impostor = Impostor("/run/systemd/notify", lambda *words: output("systemctl", *words), forged())
        svd.apply(ECOSYSTEM.format(app=APP, user=", user: alice"))
        cgroup, pids = pathlib.Path(svd.instances()["t:evil/0"]["cgroup"]), svd.pids()
        impostor.store(cgroup)
        svd.kill_both()
        svd.wait_until(svd.answers, "the service answers again")
        if not impostor.got_in:
            equal(svd.pids(), pids, "instances")
            impostor.say_all(cgroup)
            svd.kill_both()
            svd.wait_until(svd.answers, "the service answers again")
            equal(svd.pids(), pids, "instances")
        svd.wait_until(lambda: svd.apps().get("forged:root", {"ready": 1})["ready"], "what is there runs")
        impostor.check(names(svd))


def in_a_user_manager():
    """an app below the svd.service of a user who lingers"""
    files = forged()
    with Alice() as alice:
        output("loginctl", "enable-linger", "alice")
        output("systemctl", "start", "user@1000.service")
        alice.run("svctl", "startup")
        alice.run("svctl", "apply", "-", stdin=None, input=ECOSYSTEM.format(app=APP, user=""))

        def show(*words):
            return alice.run("systemctl", "--user", *words)
        impostor = Impostor("/run/user/1000/systemd/notify", show, files)
        pid, = output("pgrep", "-u", "alice", "-xn", "app").split()
        cgroup = pathlib.Path("/sys/fs/cgroup", pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::/"))
        impostor.store(cgroup)
        if not impostor.got_in:
            impostor.say_all(cgroup)
        main = int(impostor.state()["MainPID"])
        engine, = output("pgrep", "-P", main, "-x", "engine").split()
        os.kill(main, signal.SIGSTOP)
        os.kill(int(engine), signal.SIGKILL)
        os.kill(main, signal.SIGKILL)
        wait_gone([main, int(engine)], what="her old daemon")
        output("timeout", "60", "sh", "-c", "until runuser -u alice -- env XDG_RUNTIME_DIR=/run/user/1000 svctl ls; do sleep 0.2; done")  # pace: systemd starts it
        said = alice.run("svctl", "ls")
        say(said)
        apps = sorted({"t:" + word for word in ("evil", "web") if word in said} | ({"forged:root"} if "forged" in said else set()))
        alice.run("svctl", "startup", "--disable")
        alice.run("svctl", "daemon", "stop")
        for place in ("/home/alice/.config/systemd", "/home/alice/.local/state/svd"):
            output("rm", "-rf", place)
        impostor.check(apps)


run(in_the_system, in_a_user_manager)
