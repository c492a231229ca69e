# SPDX-License-Identifier: Apache-2.0
"""svd as PID 1 of a pid namespace, and at a terminal."""
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import time

from harness import BUILD, TIMEOUT, Failed, check, descendants, parents, say

SVD = os.environ.get("SVD_TEST_PREFIX", str(BUILD)) + "/bin/svd"
PROBE = str(BUILD / "tests/system/probe")
# Everything in the namespace goes with its init, and its init with unshare(1).
NAMESPACE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--pid", "--fork", "--kill-child", "--mount-proc"]


def require_namespaces():
    tried = subprocess.run([*NAMESPACE, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if tried.returncode != 0:
        say(f"SKIPPED: no pid namespaces here: {tried.stderr.strip()}")
        sys.exit(77)


def inside(*command, **more):
    """Runs a command as PID 1 of a new pid namespace; its end is the result."""
    more.setdefault("timeout", TIMEOUT)
    return subprocess.run([*NAMESPACE, *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, **more)


def child_of(pid, timeout=TIMEOUT):
    """The pid, as seen from here, of the one child of a process; it may be about to be born."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = [child for child, parent in parents().items() if parent == pid]
        if found:
            return found[0]
        os.sched_yield()
    raise Failed(f"process {pid} never had a child")


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Running:
    """A command in the background, as PID 1 of a namespace or not; `init` is the pid of svd as seen from here."""

    def __init__(self, *command, namespace=True, **more):
        self.process = subprocess.Popen([*(NAMESPACE if namespace else []), *map(str, command)], stdin=subprocess.DEVNULL, **more)
        self.init = child_of(self.process.pid) if namespace else self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        # The command first: svd, killed, would leave it behind.
        for pid in sorted(descendants(self.process.pid), reverse=True):
            kill(pid)
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def signal(self, number):
        os.kill(self.init, number)

    def code(self, timeout=TIMEOUT):
        return self.process.wait(timeout)


class Lines:
    """A FIFO from which whole lines are read as they come."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.rest = b""

    def next(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            check(ready, "a line came")
            self.rest += os.read(self.fd, 65536)
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()


class Terminal:
    """A command that leads a session at a terminal of its own."""

    def __init__(self, *command, environment=None):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(command[0], list(map(str, command)), {**os.environ, "PS1": "$ ", "TERM": "dumb", **(environment or {})})
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            say(f"--- the terminal\n{self.seen}")
        os.close(self.fd)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, text, timeout=TIMEOUT):
        """Until this was written; what came before and it are taken off."""
        deadline = time.monotonic() + timeout
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            check(ready, f"the terminal says {text!r}; it said {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:  # the last one has closed it
                raise Failed(f"the terminal closed before it said {text!r}; it said {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(text)
        return before

    def code(self, timeout=TIMEOUT):
        """The exit code of the command."""
        fd = os.pidfd_open(self.pid)
        try:
            check(select.select([fd], [], [], timeout)[0], "the command at the terminal ended")
        finally:
            os.close(fd)
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)
