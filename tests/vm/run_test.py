#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What run.py makes of a machine's words, without a machine: a tier that cannot fail would be worth nothing."""
import pathlib
import tempfile
import unittest

import run

PANIC = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000\n"
OFF = "reboot: Power down\n"
STOPPED = "stopped web/2\nstopped web/0\nstopped web/1\n"
BOOTED = {"event": "booted", "seconds": 9, "kernel": "6.1.0", "cases": ["one"]}
BEGIN = {"event": "begin", "case": "one", "says": "it works", "timeout": 60}
DONE = {"event": "done"}


def end(status):
    return {"event": "end", "case": "one", "status": status, "seconds": 1, "log": "what it said\n"}


class FakeMachine:
    def __init__(self, words, texts, hangs):
        self.words, self.texts, self.hangs = list(words), texts, hangs

    def next(self, seconds):
        if not self.words and self.hangs:
            raise run.Broken(f"not a word for {seconds} s")
        return dict(self.words.pop(0)) if self.words else None

    def text(self, name):
        return self.texts.get(name, "")


class Judgement(unittest.TestCase):
    def judge(self, flavour, *words, console=PANIC, hangs=False, **texts):
        with tempfile.TemporaryDirectory() as results:
            machine = FakeMachine(words, {"console.log": console, **{f"{name}.log": text for name, text in texts.items()}}, hangs)
            return run.judge(flavour, machine, run.Report(pathlib.Path(results)))

    def test_all_is_well(self):
        self.assertEqual(self.judge("bare", BOOTED, BEGIN, end("pass"), DONE), 0)
        self.assertEqual(self.judge("systemd", BOOTED, BEGIN, end("pass"), DONE, console=OFF), 0)
        self.assertEqual(self.judge("poweroff", BOOTED, BEGIN, end("pass"), DONE, console=OFF, last=STOPPED), 0)

    def test_a_case_fails(self):
        self.assertEqual(self.judge("bare", BOOTED, BEGIN, end("fail"), DONE), 1)

    def test_a_skipped_case_fails_when_the_tier_is_named(self):
        self.addCleanup(setattr, run, "REQUIRED", run.REQUIRED)
        run.REQUIRED = False
        self.assertEqual(self.judge("bare", BOOTED, BEGIN, end("skip"), DONE), 0)
        run.REQUIRED = True
        self.assertEqual(self.judge("bare", BOOTED, BEGIN, end("skip"), DONE), 1)

    def test_no_case_is_run(self):
        self.assertEqual(self.judge("bare", {**BOOTED, "cases": []}, DONE), 1)
        self.assertEqual(self.judge("bare", BOOTED, DONE), 1)
        self.assertEqual(self.judge("bare"), 1)

    def test_the_machine_goes_off_too_early(self):
        self.assertEqual(self.judge("bare", BOOTED, BEGIN), 1)
        self.assertEqual(self.judge("systemd", BOOTED, BEGIN, end("pass"), console=OFF), 1)

    def test_the_machine_hangs(self):
        for heard in range(4):
            self.assertEqual(self.judge("bare", *[BOOTED, BEGIN, end("pass"), DONE][:heard], hangs=True), 1)

    def test_pid_1_ends_badly(self):
        self.assertEqual(self.judge("bare", BOOTED, BEGIN, end("pass"), DONE, console=PANIC.replace("=0x0", "=0x1")), 1)
        self.assertEqual(self.judge("bare", BOOTED, BEGIN, end("pass"), DONE, console=OFF), 1)
        self.assertEqual(self.judge("systemd", BOOTED, BEGIN, end("pass"), DONE, console=""), 1)
        self.assertEqual(self.judge("systemd", BOOTED, BEGIN, end("pass"), DONE, console="BUG: soft lockup\n" + OFF), 1)

    def test_something_is_left_at_power_off(self):
        for console, texts in ((OFF, {"last": STOPPED, "errors": "svd[1]: cannot\n"}), (OFF, {"last": "stopped web/1\n"}),
                               ("systemd-shutdown[1]: Sending SIGKILL to PID 42 (sh).\n" + OFF, {"last": STOPPED})):
            self.assertEqual(self.judge("poweroff", BOOTED, BEGIN, end("pass"), DONE, console=console, **texts), 1)


if __name__ == "__main__":
    unittest.main(buffer=True)
