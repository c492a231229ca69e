# SPDX-License-Identifier: Apache-2.0
"""A daemon of its own for each test: private directories, waits on events, and nothing left behind.

    with Daemon() as svd:
        svd.apply('version: 1 …')
        svd.wait_ready('default:web', 2)

The test process is a child subreaper, so whatever it started comes back to it, even when svd itself is killed: what is
still there at the end are its descendants, and only those are killed.
"""
import ctypes
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ["SVD_BUILD_TREE"])    # set by svd_system_test() in CMakeLists.txt
SOURCE = pathlib.Path(__file__).resolve().parents[2]
SVCTL = os.environ.get("SVD_TEST_PREFIX", str(BUILD)) + "/bin/svctl"
APP = str(BUILD / "tests/system/app")
TIMEOUT = float(os.environ.get("SVD_TEST_TIMEOUT", 60))  # seconds: how long anything may take until it counts as never happening

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Failed(AssertionError):
    """Something that a test waited for did not happen."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def equal(have, want, what):
    check(have == want, f"{what}: have {have!r}, want {want!r}")


def say(text):
    print(text, flush=True)


def spread(name, values, unit="ms", scale=1e3):
    """A line with the figures of a series; `values` are in seconds unless scale says otherwise."""
    ordered = sorted(v * scale for v in values)
    pick = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    say(f"{name}: n={len(ordered)} median {pick(.5):.2f} {unit}, p90 {pick(.9):.2f} {unit}, max {ordered[-1]:.2f} {unit}")


def status_of(pid):
    try:
        return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return {}


def alive(pid):
    return status_of(pid).get("State", "Z")[0] not in "ZX"


def parents():
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            parent = status_of(entry).get("PPid")
            if parent:
                found[int(entry)] = int(parent)
    return found


def descendants(of=None):
    table, wanted = parents(), {of or os.getpid()}
    grown = True
    while grown:
        grown = {pid for pid, parent in table.items() if parent in wanted} - wanted
        wanted |= grown
    return wanted - {of or os.getpid()}


def is_launcher(pid):
    """One of the keeper's own, which makes instances."""
    return status_of(pid).get("Name") == "svd-launcher"


def wait_gone(pids, timeout=TIMEOUT, what="processes"):
    """Until none of these pids runs, by pidfd: no polling, and a recycled pid is no mistake."""
    deadline, fds = time.monotonic() + timeout, {}
    for pid in pids:
        try:
            fds[os.pidfd_open(pid)] = pid
        except ProcessLookupError:
            pass
    wait_fds(fds, deadline, what)


def wait_fds(fds, deadline, what):
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    while fds:
        ready = poll.poll(max(0, (deadline - time.monotonic()) * 1000))
        check(ready, f"{what} {sorted(fds.values())} still there")
        for fd, _ in ready:
            poll.unregister(fd)
            del fds[fd]
            os.close(fd)


class Reports:
    """A FIFO that tests/system/app writes to: (pid, slot or "stray", monotonic seconds of its first instruction)."""

    def __init__(self, path):
        self.path = str(path)
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.rest = b""

    def next(self, count, timeout=TIMEOUT):
        found, deadline = [], time.monotonic() + timeout
        while len(found) < count:
            line, newline, rest = self.rest.partition(b"\n")
            if newline:
                pid, what, when = line.decode().split()
                found.append((int(pid), what, int(when) / 1e9))
                self.rest = rest
                continue
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            check(ready, f"{len(found)} of {count} reports came")
            self.rest += os.read(self.fd, 65536)
        return found

    def pending(self):
        """What is there already."""
        found = []
        while self.rest or select.select([self.fd], [], [], 0)[0]:
            found += self.next(1)
        return found

    def close(self):
        os.close(self.fd)


class Daemon:
    def __init__(self, **environment):
        self.parent = pathlib.Path(tempfile.mkdtemp(prefix="svd-test-"))
        self.parent.chmod(0o755)
        self.directory = self.parent / "default"  # the name of a file's ecosystem that gives itself none
        self.directory.mkdir(mode=0o700)
        self.home = self.directory / "home"
        self.environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "SVD_HOME": str(self.home), **environment}
        self.open = []
        self.cgroup_base = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
            else:
                self.explain()
        finally:
            self.clean_up()

    # --- svctl -------------------------------------------------------------------------------------------------------

    def svctl(self, *arguments, ok=True, timeout=TIMEOUT, **more):
        done = subprocess.run([SVCTL, *map(str, arguments)], env=self.environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.directory, timeout=timeout, **more)
        if ok and done.returncode != 0:
            raise Failed(f"svctl {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *arguments, **more):
        """svctl in the background; ended with the test."""
        process = subprocess.Popen([SVCTL, *map(str, arguments)], env=self.environment, cwd=self.directory, **more)
        self.open.append(process)
        return process

    def json(self, *arguments, exits=(0,)):
        done = self.svctl(*arguments, "--json", ok=False)
        check(done.returncode in exits, f"svctl {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def write(self, text, name="ecosystem.yaml"):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def apply(self, text, *arguments, ok=True, name="ecosystem.yaml", timeout=TIMEOUT):
        return self.svctl("apply", *arguments, self.write(text, name), ok=ok, timeout=timeout)

    def reports(self, name="reports"):
        return Reports(self.directory / name)

    # --- what it shows -----------------------------------------------------------------------------------------------

    def apps(self):
        """"shop:web" → its view; status ends with 5 where something is not as it should be."""
        return {one["name"]: one for one in self.json("status", exits=(0, 5))["apps"]}

    def instances(self, *names):
        """"shop:web/0" → the view of the one that its slot is known by."""
        found = {}
        for one in self.json("ls", *names):
            if not one["role"]:
                found[one["instance"]] = one
            if one["cgroup"]:  # BASE/<ecosystem>:<app>/<slot>.<start>
                self.cgroup_base = pathlib.Path(one["cgroup"]).parents[1]
        return found

    def pids(self, *names):
        return {name: one["pid"] for name, one in self.instances(*names).items() if one["pid"]}

    def daemon(self):
        return self.json("daemon", "status")

    def kill_both(self):
        """Keeper and engine at once, so that neither can start the other anew."""
        daemon = self.daemon()
        os.kill(daemon["pid"], signal.SIGSTOP)
        os.kill(daemon["engine_pid"], signal.SIGKILL)
        os.kill(daemon["pid"], signal.SIGKILL)
        wait_gone([daemon["pid"], daemon["engine_pid"]], what="the old daemon")

    # --- waiting -----------------------------------------------------------------------------------------------------

    def wait_until(self, condition, what, timeout=TIMEOUT):
        """Asks again after each event of the daemon; returns what the condition gave."""
        deadline = time.monotonic() + timeout
        events = subprocess.Popen([SVCTL, "events", "-f", "-n", "1", "--json"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            while True:
                value = condition()
                if value:
                    return value
                check(time.monotonic() < deadline, f"never happened: {what}")
                # The past one comes first, so the question is asked again after the subscription stands.
                if select.select([events.stdout], [], [], min(1.0, max(0, deadline - time.monotonic())))[0]:
                    if not os.read(events.stdout.fileno(), 65536) and events.poll() is not None:
                        select.select([], [], [], .1)  # no daemon at the moment: it ended or is being replaced
        finally:
            events.kill()
            events.wait()
            events.stdout.close()

    def wait_ready(self, app, count):
        return self.wait_until(lambda: self.apps().get(app, {}).get("ready") == count, f"{app}: {count} ready")

    # --- the end -----------------------------------------------------------------------------------------------------

    def stop(self):
        shown = self.svctl("daemon", "status", "--json", ok=False)
        if shown.returncode == 3:  # none runs
            return
        self.svctl("daemon", "stop")
        wait_gone([json.loads(shown.stdout)["pid"]], what="svd")

    def explain(self):
        for verb in ("status", "events"):
            try:
                shown = self.svctl(verb, ok=False, timeout=10)
                say(f"--- svctl {verb}\n{shown.stdout[-6000:]}{shown.stderr[-2000:]}")
            except subprocess.TimeoutExpired:
                say(f"--- svctl {verb} did not answer")
        log = self.home / "log/svd.log"
        if log.exists():
            say(f"--- svd.log\n{log.read_text(errors='replace')[-6000:]}")

    def clean_up(self):
        for process in self.open:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        # Stopped until nobody new appears: keeper and engine would start each other and instances anew while we kill them.
        stopped = set()
        for _ in range(100):
            left = {pid for pid in descendants() if alive(pid)}
            if not left:
                break
            for pid in left - stopped:
                send(pid, signal.SIGSTOP)
            if left <= stopped:
                for pid in left:
                    send(pid, signal.SIGKILL)
            stopped = left
            reap()
        reap()
        remove_cgroups(self.cgroup_base)
        shutil.rmtree(self.parent, ignore_errors=True)


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def remove_cgroups(base):
    if base and base.is_dir() and base.name.startswith("svd-"):
        for path, _, _ in sorted(os.walk(base), reverse=True):
            try:
                os.rmdir(path)
            except OSError:
                pass


def main(*tests):
    """Runs the test functions in order; each says what it proves in its docstring."""
    for test in tests:
        begun = time.monotonic()
        say(f"== {test.__doc__.strip().splitlines()[0]}")
        test()
        say(f"   passed in {time.monotonic() - begun:.1f} s")
    return 0


def run(*tests):
    try:
        sys.exit(main(*tests))
    except Failed as error:
        say(f"FAILED: {error}")
        sys.exit(1)
