#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Verbs that go on by themselves end when nobody reads them; places with characters that D-Bus addresses escape."""
import os
import pathlib
import subprocess

from harness import Daemon, equal, run

QUIET = """
name: t
apps:
  quiet: { exec: [sleep, "1000"], channel: json }
  chatty: { exec: [sh, -c, "while sleep 0.05; do echo tick; done"] }
defaults: { stop: { timeout: 1s } }
"""


def reader_gone(*verb):
    """Whether svctl has ended by itself once the other end of its pipe was closed."""
    def test():
        with Daemon() as svd:
            svd.apply(QUIET)
            ours, theirs = os.pipe()
            process = svd.start(*verb, stdout=theirs, stderr=subprocess.PIPE)
            os.close(theirs)
            if "chatty" in verb:
                os.read(ours, 1)
            os.close(ours)
            process.wait(timeout=60)
            equal(process.stderr.read(), b"", "what it said")

    test.__doc__ = f"svctl {' '.join(verb)} ends with its reader"
    return test


def a_file_is_no_reader():
    """output that goes to a file is not taken for one without a reader"""
    with Daemon() as svd:
        svd.apply(QUIET)
        with open(svd.directory / "out", "wb") as out:
            process = svd.start("logs", "chatty", "-f", stdout=out, stderr=subprocess.PIPE)
            svd.wait_until(lambda: b"tick" in (svd.directory / "out").read_bytes(), "lines")
            equal(process.poll(), None, "it goes on")
            process.terminate()
            equal(process.wait(timeout=60), 0, "exit code")


def odd_places():
    """a daemon whose home has characters that a D-Bus address escapes is reached"""
    for name in ("a,b", "a;b", "job%2Fbranch", "with blank", "a=b#c", "it's", "é"):
        with Daemon() as svd:
            svd.home = pathlib.Path(svd.directory) / name
            svd.environment["SVD_HOME"] = str(svd.home)
            svd.home.mkdir()
            svd.apply('name: t\napps: { x: { exec: [sleep, "1000"] } }\n')
            equal(svd.svctl("ls", "--names").stdout.strip(), "x", f"apps in {name!r}")


run(reader_gone("logs", "quiet", "-f"), reader_gone("logs", "chatty", "-f"), reader_gone("events", "-f"),
    reader_gone("messages", "quiet"), a_file_is_no_reader, odd_places)
