#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Boots a machine of one flavour, in which the programs of a build run tests/vm/cases/FLAVOUR, and tells how they went.

    run.py FLAVOUR BUILD [CASE…]     exit status 1 when a case failed, the machine hung or ended as it should not

What the machine said is left in BUILD/vm/FLAVOUR: the console, the journal's errors (errors.log), what is written to its third
serial line (last.log: for what happens after the last case), and a log and perhaps files of each case. How a
case is written is told in README.md.
"""
import base64
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
QEMU = "qemu-system-x86_64"
BOOT = 600.0            # seconds until the machine's first word
GRACE = 60.0            # beyond what a case may take, until the machine counts as hung
END = 180.0             # from the last case until the machine is off
LAST = "end"            # what the machine's own end is called, after the cases
SKIPPED = 77
REQUIRED = os.environ.get("SVD_REQUIRE_ROOTS") == "yes"


class Broken(Exception):
    """The machine itself did not do what it should."""


class Machine:
    def __init__(self, flavour, work, results, cases):
        self.results, self.rest = results, b""
        self.socket, theirs = socket.socketpair()
        with open(work / "disk", "wb") as disk:
            disk.truncate(256 << 20)
        words = ["console=ttyS0", "panic=-1", "systemd.unit=svd-cases.target", "systemd.getty_auto=no", "TERM=dumb", f"svd.flavour={flavour}",
                 f"svd.cases={','.join(cases)}"]
        command = [QEMU, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-accel", "tcg,thread=multi",
                   "-cpu", "max", "-m", "2048", "-smp", "2",
                   "-kernel", work / "vmlinuz", "-initrd", work / "initrd", "-append", " ".join(words),
                   "-serial", f"file:{results}/console.log", "-serial", f"file:{results}/errors.log",
                   "-serial", f"file:{results}/last.log",
                   "-drive", f"file={work}/disk,format=raw,if=none,id=disk", "-device", "virtio-blk-pci,drive=disk",
                   "-chardev", f"socket,id=results,fd={theirs.fileno()}", "-device", "virtio-serial-pci",
                   "-device", "virtserialport,chardev=results,name=svd.results"]
        with theirs:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], preexec_fn=die_with_parent)

    def next(self, seconds):
        """The next thing it says; None when it is off."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.rest:
            self.socket.settimeout(max(.001, deadline - time.monotonic()))
            try:
                more = self.socket.recv(1 << 16)
            except TimeoutError:
                raise Broken(f"the machine hangs: not a word for {seconds:.0f} s") from None
            if not more:
                return None
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def text(self, name):
        return (self.results / name).read_text(errors="replace").replace("\r", "")

    def kill(self):
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Report:
    """A line a case, and the log of those that did not pass."""

    def __init__(self, results):
        self.results, self.wanted, self.current = results, [], None
        self.counts = {"pass": 0, "fail": 0, "skip": 0}

    def booted(self, seconds, kernel, cases):
        print(f"Linux {kernel}, booted in {seconds:.1f} s; {len(cases)} cases", flush=True)
        self.wanted = cases

    def begin(self, case, says, timeout):
        self.current = (case, says, time.monotonic())

    def done(self):
        if not self.wanted or sum(self.counts.values()) != len(self.wanted):
            raise Broken(f"{sum(self.counts.values())} cases were run of {len(self.wanted)}")
        self.current = (LAST, "the machine ends as it should", time.monotonic())

    def file(self, case, name, content):
        (self.results / case).mkdir(exist_ok=True)
        (self.results / case / pathlib.Path(name).name).write_bytes(base64.b64decode(content))

    def end(self, case, status, seconds, log):
        (self.results / f"{case}.log").write_text(log)
        self.line(status, case, seconds, self.current[1])
        if status != "pass":
            show(log)
        self.current = None

    def line(self, status, name, seconds, says):
        self.counts[status] += 1
        print(f"{status.upper()}  {name:20} {seconds:6.1f} s  {says}", flush=True)

    def broken(self, what, console):
        name, says, begun = self.current or ("the machine", "", time.monotonic())
        self.line("fail", name, time.monotonic() - begun, says)
        show(f"{what}\nthe console's last lines:\n" + "\n".join(console.splitlines()[-40:]))

    def passed(self):
        return self.counts["fail"] == 0 and not (REQUIRED and self.counts["skip"])


def show(text):
    print("".join(f"    | {line}\n" for line in text.splitlines()), end="", flush=True)


def follow(machine, report):
    """Until the machine is off."""
    patience = BOOT
    while (said := machine.next(patience)) is not None:
        event = said.pop("event")
        patience = END if event in ("end", "done") else said["timeout"] + GRACE if event == "begin" else patience
        getattr(report, event)(**said)
    if not report.current or report.current[0] != LAST:
        raise Broken("the machine went off by itself")


def check_end(flavour, machine):
    """How it went off tells whether its PID 1 ended well."""
    console = machine.text("console.log")
    for word in ("BUG: ", "Oops: ", "general protection fault"):
        if word in console:
            raise Broken(f"the kernel said '{word}'")
    want = "Attempted to kill init! exitcode=0x00000000" if flavour == "bare" else "reboot: Power down"
    if want not in console:
        raise Broken(f"the kernel did not say '{want}'")
    if flavour == "poweroff":
        check_poweroff(machine)


def check_poweroff(machine):
    """What only shows after the last case: cases/poweroff/apply.py left three instances running."""
    if errors := machine.text("errors.log").strip():
        raise Broken(f"errors in the journal:\n{errors}")
    if (stopped := sorted(machine.text("last.log").splitlines())) != [f"stopped web/{slot}" for slot in range(3)]:
        raise Broken(f"the instances were not asked to stop, or not all: {stopped}")
    if "Sending SIGKILL to PID" in machine.text("console.log"):
        raise Broken("processes were left for systemd-shutdown to kill")


def run(flavour, build, cases):
    if not shutil.which(QEMU):
        return skip(f"no {QEMU} here")
    known = {path.stem for path in (HERE / "cases" / flavour).glob("*.*")}
    if not set(cases) <= known:
        print(f"no such case in {flavour}: {', '.join(sorted(set(cases) - known))}; there are: {', '.join(sorted(known))}")
        return 2
    results = build / "vm" / flavour
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="svd-vm-") as work:
        work = pathlib.Path(work)
        image = subprocess.run([HERE / "image", build, work], check=False)
        if image.returncode != 0:
            return image.returncode
        machine = Machine(flavour, work, results, cases)
        try:
            return judge(flavour, machine, Report(results))
        finally:
            machine.kill()


def judge(flavour, machine, report):
    """The exit status."""
    try:
        follow(machine, report)
        check_end(flavour, machine)
        report.line("pass", LAST, time.monotonic() - report.current[2], report.current[1])
    except Broken as error:
        report.broken(str(error), machine.text("console.log"))
    print(", ".join(f"{count} {what}" for what, count in report.counts.items()))
    return 0 if report.passed() else 1


def skip(why):
    print(f"SKIPPED: {why}")
    return 1 if REQUIRED else SKIPPED


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]))
