#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In the machine: runs the cases of its flavour one after the other and tells the host, by lines of JSON on a virtio port.

Each case has a cgroup, a directory and a log of its own. Whatever it leaves running is killed, and is its failure.
"""
import base64
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import time

TESTS = pathlib.Path(__file__).resolve().parents[2]
TOP = TESTS.parent
RUN = pathlib.Path("/run/svd-cases")
CGROUP2 = pathlib.Path("/sys/fs/cgroup")
DEFAULT_TIMEOUT = 300   # seconds, for a machine that is ten times slower than it could be
LARGEST = 1 << 20       # of what is sent of one log or file


def command_line(key):
    found = re.search(rf"\b{re.escape(key)}=(\S*)", pathlib.Path("/proc/cmdline").read_text())
    return found.group(1) if found else ""


class Host:
    """The other end of the virtio port."""

    def __init__(self):
        names = pathlib.Path("/sys/class/virtio-ports")
        port, = (one for one in names.iterdir() if (one / "name").read_text().strip() == "svd.results")
        self.port = open(f"/dev/{port.name}", "wb", buffering=0)

    def tell(self, event, **more):
        line = json.dumps({"event": event, **more}).encode() + b"\n"
        while line:
            line = line[self.port.write(line):]


class Case:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        text = path.read_text()
        told = re.search(r'"""(.+)|^# (?!SPDX)(.+)', text, re.MULTILINE)
        self.says = (told.group(1) or told.group(2)).strip().strip('"') if told else ""
        limit = re.search(r"^# timeout: (\d+)$", text, re.MULTILINE)
        self.timeout = int(limit.group(1)) if limit else DEFAULT_TIMEOUT


def cases_of(flavour):
    wanted = [name for name in command_line("svd.cases").split(",") if name]
    found = {path.stem: path for path in sorted((TESTS / "vm/cases" / flavour).iterdir()) if os.access(path, os.X_OK)}
    return [Case(found[name]) for name in wanted or found]


def take_cgroup():
    """Where the cases' cgroups go: below our own, with every controller there is. We move out of their way: no process may
    be in a cgroup that has controllers for its children, but in the root."""
    own = CGROUP2 / pathlib.Path("/proc/self/cgroup").read_text().strip().removeprefix("0::/")
    if own != CGROUP2:
        (own / "runner").mkdir()
        (own / "runner/cgroup.procs").write_text("0")
    for controller in (own / "cgroup.controllers").read_text().split():
        (own / "cgroup.subtree_control").write_text(f"+{controller}")
    return own


def environment(work):
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root", "USER": "root",
            "PYTHONPATH": f"{TESTS}/vm/guest:{TESTS}/system", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
            "SVD_BUILD_TREE": str(TOP / "build"), "SVD_TEST_PREFIX": "/usr", "SVD_TEST_TIMEOUT": "200",
            "SVD_VM_FILES": str(work / "files")}


def members(cgroup):
    return [int(pid) for path in cgroup.rglob("cgroup.procs") for pid in path.read_text().split()]


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip() or f"[{pid}]"
    except OSError:
        return f"[{pid}]"


def empty(cgroup):
    """Kills what is in there, and waits until it is gone."""
    with open(cgroup / "cgroup.events", "rb", buffering=0) as events:
        (cgroup / "cgroup.kill").write_text("1")
        poll = select.poll()
        poll.register(events, select.POLLPRI | select.POLLERR)
        while b"populated 1" in events.read():
            poll.poll(10_000)
            events.seek(0)
    for path, _, _ in os.walk(cgroup, topdown=False):
        os.rmdir(path)


def run(case, number, base):
    """(status, seconds, log)"""
    work, cgroup = RUN / case.name, base / f"case-{number}-{case.name}"
    (work / "files").mkdir(parents=True)
    cgroup.mkdir()
    begun = time.monotonic()
    with open(work / "log", "ab") as log:
        process = subprocess.Popen([case.path], cwd=work, env=environment(work), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True, preexec_fn=lambda: (cgroup / "cgroup.procs").write_text("0"))
        try:
            code = process.wait(case.timeout)
        except subprocess.TimeoutExpired:
            code = None
        seconds = time.monotonic() - begun
        left = [command_of(pid) for pid in members(cgroup)]
        empty(cgroup)
        process.wait()
        if code is None:
            log.write(f"not done after {case.timeout} s; what runs: {left}\n".encode())
        elif left:
            log.write(f"left running: {left}\n".encode())
        elif code not in (0, 77):
            log.write(f"exit status {code}\n".encode())
    status = {0: "fail" if left else "pass", 77: "skip"}.get(code, "fail")
    return status, seconds, (work / "log").read_bytes()[-LARGEST:].decode(errors="replace")


def main():
    os.environ["PATH"] = environment(RUN)["PATH"]
    host, flavour, base = Host(), command_line("svd.flavour"), take_cgroup()
    cases = cases_of(flavour)
    host.tell("booted", seconds=time.monotonic(), kernel=os.uname().release, cases=[case.name for case in cases])
    for number, case in enumerate(cases):
        host.tell("begin", case=case.name, says=case.says, timeout=case.timeout)
        status, seconds, log = run(case, number, base)
        for path in sorted((RUN / case.name / "files").iterdir()):
            host.tell("file", case=case.name, name=path.name, content=base64.b64encode(path.read_bytes()[:LARGEST]).decode())
        host.tell("end", case=case.name, status=status, seconds=seconds, log=log)
        shutil.rmtree(RUN / case.name, ignore_errors=True)
    host.tell("done")
    os.sync()
    if flavour == "bare":
        os.kill(1, signal.SIGTERM)  # svd stops in order and ends; the kernel cannot be without PID 1 and says how that ended
    else:
        subprocess.run(["systemctl", "poweroff", "--no-block"], check=True)


if __name__ == "__main__":
    main()
