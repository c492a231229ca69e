#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Floods of strangers and of apps: svctl answers, other apps are restarted, and what the engine holds has a bound.

No wall-clock assertion: what is figures is printed, for the quiet daemon and for the flooded one. SVD_FLOOD_SECONDS=30
makes each flood last that long; else it lasts as long as ROUNDS rounds of questions.
"""
import contextlib
import os
import pathlib
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

from harness import APP, Daemon, check, equal, run, say, spread, TIMEOUT

FLOOD = str(pathlib.Path(__file__).with_name("flood.py"))
PYTHON = "/usr/bin/python3"
ROUNDS = 10
SECONDS = float(os.environ.get("SVD_FLOOD_SECONDS", 0))
MOST_MEMORY = 192 << 20  # bytes that a flood may add: 64 MiB of messages that are begun, copies of them, what is on its way
MOST_FDS = 1200          # descriptors: an eighth of what the engine may have, at most 1024, and connections


@contextlib.contextmanager
def user(name):
    """A throw-away user; the process's id makes its name nobody else's."""
    name = f"{name}-{os.getpid()}"
    subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=True)
    try:
        yield pwd.getpwnam(name)
    finally:
        subprocess.run(["userdel", name], check=True, stderr=subprocess.DEVNULL)


def fds_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_of(pid):
    """Anonymous and shared: the memory of channels is a memfd. Bytes."""
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
    return sum(int(status[key].split()[0]) << 10 for key in ("RssAnon", "RssShmem"))


class Witness:
    """Another app, whose restarts and news must go on, and svctl."""

    def __init__(self, svd, more=""):
        self.svd, self.reports = svd, svd.reports()
        svd.apply("version: 1\nname: other\napps:\n"
                  f"  web:\n    exec: [{APP}, report, {self.reports.path}, wait]\n    instances: 2\n"
                  "    logs: { to: none }\n    restart: { delay: 0ms, max_restarts: 1000000 }\n" + more, name="other.yaml")
        self.pids = {slot: pid for pid, slot, _ in self.reports.next(2)}
        self.engine = svd.daemon()["engine_pid"]
        self.most_memory, self.most_fds = memory_of(self.engine), fds_of(self.engine)
        self.first = self.most_memory, self.most_fds

    def watch(self):
        self.most_memory = max(self.most_memory, memory_of(self.engine))
        self.most_fds = max(self.most_fds, fds_of(self.engine))

    def rounds(self, name, seconds=SECONDS):
        asked, restarted, deadline = [], [], time.monotonic() + seconds
        while len(asked) < ROUNDS or time.monotonic() < deadline:
            begun = time.monotonic()
            self.svd.svctl("ls")
            asked.append(time.monotonic() - begun)
            self.watch()
            begun = time.monotonic()
            os.kill(self.pids["0"], signal.SIGKILL)
            (pid, slot, first), = self.reports.next(1)
            equal(slot, "0", "who came back")
            self.pids["0"] = pid
            restarted.append(first - begun)
            self.watch()
        spread(f"   {name}: svctl ls", asked)
        spread(f"   {name}: restart of another app", restarted)

    def judge(self):
        equal(self.svd.daemon()["engine_pid"], self.engine, "the engine")
        memory, fds = self.most_memory - self.first[0], self.most_fds - self.first[1]
        say(f"   at most {memory / (1 << 20):.1f} MiB and {fds} descriptors more than before")
        check(memory < MOST_MEMORY, f"{memory} bytes more")
        check(fds < MOST_FDS, f"{fds} descriptors more")


class Attack:
    """Processes of another user that flood."""

    def __init__(self, who, count, *arguments, environment=None):
        reading, writing = os.pipe()
        self.processes = [subprocess.Popen(
            [PYTHON, FLOOD, *map(str, arguments)], user=who.pw_uid, group=who.pw_gid, extra_groups=[], pass_fds=[writing],
            cwd="/", env={"GOING": str(writing), **(environment or {})}, stderr=subprocess.DEVNULL) for _ in range(count)]
        os.close(writing)
        self.going, self.count = reading, count

    def wait_until_going(self):
        seen, deadline = 0, time.monotonic() + TIMEOUT
        while seen < self.count:
            check(select.select([self.going], [], [], max(0, deadline - time.monotonic()))[0], "the flood begins")
            got = len(os.read(self.going, 100))
            check(got > 0, "the flood ended before it began")
            seen += got

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()
        os.close(self.going)


def open_to_all(svd):
    """As /run/svd is: others reach what is in it, if its own mode lets them."""
    for path in (svd.directory, svd.home, svd.home / "run"):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


def drained(svd, witness):
    svd.wait_until(lambda: fds_of(witness.engine) <= witness.first[1] + 16, "descriptors go back")


def a_stranger_floods_notify():
    """a stranger floods the sockets of sd_notify: what he says counts for nothing, and nobody waits for him"""
    with user("svdstranger") as stranger, user("svdapp") as own, Daemon() as svd:
        open_to_all(svd)
        waiter = lambda name, more: (
            f"  {name}:\n    exec: [/bin/sh, -c, 'echo $NOTIFY_SOCKET > {svd.directory}/{name}.path; exec sleep 100000']\n"
            f"    ready: {{ notify: true, timeout: 1h }}\n    logs: {{ to: none }}\n{more}")
        (svd.directory / "asuser.path").touch()
        os.chown(svd.directory / "asuser.path", own.pw_uid, own.pw_gid)
        witness = Witness(svd)
        svd.apply("version: 1\nname: n\napps:\n" + waiter("asroot", "") + waiter("asuser", f"    user: {own.pw_name}\n"), "--no-wait", ok=False, name="n.yaml")
        path = lambda name: svd.wait_until(lambda: (svd.directory / f"{name}.path").exists() and (svd.directory / f"{name}.path").read_text().strip(), name)
        # A user's own socket: the kernel refuses a stranger.
        refused = subprocess.run([PYTHON, FLOOD, "notify", path("asuser")], user=stranger.pw_uid, group=stranger.pw_gid,
                                 extra_groups=[], cwd="/", stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
        check("PermissionError" in refused.stderr, f"a stranger is refused: {refused.stderr}")
        witness.rounds("quiet", min(SECONDS, 10))
        # One that everybody can write to, since root's app may change its user.
        huge = {f"V{i}": "x" * 100_000 for i in range(14)}
        attack = Attack(stranger, 3, "notify", path("asroot"), environment=huge)
        try:
            attack.wait_until_going()
            witness.rounds("flooded")
            states = {name: one["phase"] for name, one in svd.instances().items()}
            equal(states["n:asroot/0"], "starting", "the app that a stranger calls ready")
        finally:
            attack.stop()
        drained(svd, witness)
        # The app itself is heard behind all that.
        pid = svd.pids()["n:asroot/0"]
        text = f"import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b'READY=1', '{path('asroot')}'); s.close()"
        cgroup = svd.instances()["n:asroot/0"]["cgroup"]
        join = f"echo $$ > {cgroup}/cgroup.procs; " if cgroup else ""
        if cgroup and pid:
            subprocess.run(["/bin/sh", "-c", f"{join}{PYTHON} -c \"{text}\"; sleep .1"], check=True)
            svd.wait_until(lambda: svd.instances()["n:asroot/0"]["phase"] == "ready", "READY=1 of the app's own process")
        witness.judge()


def a_stranger_floods_the_private_socket():
    """a stranger connects without end, to talk garbage or nothing: the kernel refuses it, and root's svctl answers"""
    with user("svdstranger") as stranger, Daemon() as svd:
        open_to_all(svd)
        witness = Witness(svd)
        equal(os.stat(svd.home / "run/bus").st_mode & 0o007, 0, "what others may do with the socket")
        witness.rounds("quiet", min(SECONDS, 10))
        attack = Attack(stranger, 3, "connect", svd.home / "run/bus")
        try:
            attack.wait_until_going()
            witness.rounds("flooded")
        finally:
            attack.stop()
        drained(svd, witness)
        witness.judge()


def a_stranger_floods_the_system_bus():
    """a stranger calls org.svd1 on the system bus without end: root's svctl answers"""
    # The daemon of a host, with places and a message bus that nobody else sees.
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", sys.executable, __file__, "on the bus"],
                          env={**os.environ, "OUTER_MOUNTS": os.readlink("/proc/self/ns/mnt")})
    check(done.returncode == 0, "in mounts of its own")


def on_the_bus():
    """  (in mounts of its own)"""
    check(os.readlink("/proc/self/ns/mnt") != os.environ["OUTER_MOUNTS"], "mounts of its own")
    for place in ("/run", "/var/lib", "/var/log"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place], check=True)
    os.mkdir("/run/dbus")
    address = "unix:path=/run/dbus/system_bus_socket"
    pathlib.Path("/run/bus.conf").write_text(
        f'<busconfig><type>system</type><listen>{address}</listen><auth>EXTERNAL</auth><policy context="default">'
        '<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>'
        '<allow send_requested_reply="true"/><allow receive_type="method_call"/><allow receive_type="signal"/>'
        '<allow receive_requested_reply="true"/></policy></busconfig>')
    message_bus = subprocess.Popen(["dbus-daemon", "--config-file=/run/bus.conf", "--nofork", "--nopidfile", "--print-address"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    message_bus.stdout.readline()
    try:
        with user("svdstranger") as stranger, Daemon(DBUS_SYSTEM_BUS_ADDRESS=address) as svd:
            del svd.environment["SVD_HOME"]
            witness = Witness(svd, f"  many: {{ exec: [{APP}, wait], instances: 50, logs: {{ to: none }}, update: {{ min_ready: 0s }} }}\n")
            witness.rounds("quiet", min(SECONDS, 10))
            attack = Attack(stranger, 3, "bus", "/run/dbus/system_bus_socket")
            try:
                attack.wait_until_going()
                witness.rounds("flooded")
            finally:
                attack.stop()
            drained(svd, witness)
            witness.judge()
    finally:
        message_bus.kill()
        message_bus.wait()


def app_flood(kind, channel=None, instances=1):
    def test():
        with user("svdapp") as own, Daemon() as svd:
            open_to_all(svd)
            witness = Witness(svd)
            witness.rounds("quiet", min(SECONDS, 10))
            fifo = svd.directory / "going"
            os.mkfifo(fifo)
            os.chmod(fifo, 0o666)
            going = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
            flooder = f"exec {PYTHON} {FLOOD} {kind} 9<>{fifo}"
            svd.apply("version: 1\nname: a\napps:\n  flood:\n"
                      f"    exec: [/bin/sh, -c, '{flooder}']\n    user: {own.pw_name}\n    instances: {instances}\n    env: {{ GOING: '9' }}\n"
                      + (f"    channel: {channel}\n" if channel else "") +
                      "    restart: { delay: 100ms, max_restarts: 1000000 }\n    update: { min_ready: 0s }\n"
                      "    logs: { rotate: 1MiB, keep: 1 }\n", "--no-wait", name="a.yaml")
            check(select.select([going], [], [], TIMEOUT)[0], "the flood begins")
            witness.rounds("flooded")
            svd.svctl("delete", "a:flood")  # with it goes what it had opened
            svd.wait_until(lambda: "a:flood" not in svd.apps(), "the app that flooded is gone")
            os.close(going)
            drained(svd, witness)
            witness.judge()
    test.__doc__ = f"an app's flood: {kind}"
    return test


TESTS = {
    "notify": a_stranger_floods_notify,
    "connect": a_stranger_floods_the_private_socket,
    "bus": a_stranger_floods_the_system_bus,
    "lines": app_flood("lines", "json", 3),
    "unfinished": app_flood("unfinished", "json", 10),
    "garbage": app_flood("garbage", "json", 2),
    "descriptors": app_flood("descriptors", "json", 4),
    "handles": app_flood("handles", "node", 2),
    "queries": app_flood("queries", "node", 2),
    "log": app_flood("log"),
    "crash": app_flood("crash", "json", 4),
}

if os.geteuid() != 0:
    say("skipped: throw-away users need root")
    sys.exit(77)
run(*([on_the_bus] if sys.argv[1:] == ["on the bus"] else [TESTS[name] for name in sys.argv[1:] or TESTS]))
