#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The file driver loses nothing, whatever is written and however soon the program ends."""
import fcntl
import glob
import gzip
import json
import os
import subprocess

from harness import APP, Daemon, SVCTL, check, equal, run, say

LINES = 1_000_000


def one_shot(svd, arguments, logs="to: file"):
    """Applies a program that writes and ends; returns the path of its log."""
    svd.apply(f"version: 1\nname: t\napps:\n  w: {{ exec: [{APP}, {arguments}, exit, \"0\"], restart: {{ policy: never }}, logs: {{ {logs} }} }}\n")
    return svd.wait_until(lambda: [i["log"] for i in svd.instances().values() if i["phase"] == "completed"], "completed")[0]


def rotated(path):
    """The rotated files of a log, oldest first: log.000001.gz, log.000002, …"""
    return sorted(name for name in glob.glob(glob.escape(path) + ".0*"))


def contents(path):
    """The whole stream of a log: what `zcat -f LOG.0* LOG` gives, read under the lock of whoever moves bytes."""
    directory, base = os.path.split(path)
    with open(os.path.join(directory, f".{base}.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in rotated(path):
            with (gzip.open if name.endswith(".gz") else open)(name, "rb") as file:
                yield from iter(lambda: file.read(1 << 20), b"")
        with open(path, "rb") as file:
            front = True
            for chunk in iter(lambda: file.read(1 << 20), b""):
                # Where the file system cannot collapse, what was cut off stays as a hole.
                yield chunk.lstrip(b"\0") if front and rotated(path) else chunk
                front = front and not chunk.strip(b"\0")


def follow_numbers(path):
    """Every line number once, in order."""
    expected, rest = 1, b""
    for chunk in contents(path):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            equal(int(line), expected, "line")
            expected += 1
    equal(rest, b"", "an unfinished last line")
    return expected - 1


def on_a_terminal(command, environment):
    """What the command writes when its standard output is a terminal."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # EIO: the last writer is gone
        pass
    os.close(ours)
    equal(process.wait(), 0, "exit status")
    return seen


def a_megabyte_in_one_line():
    """a line of 1 MB is there whole, in the file and by svctl logs"""
    with Daemon() as svd:
        path = one_shot(svd, 'line, "1048576"')
        equal(b"".join(contents(path)), b"x" * 1048575 + b"\n", "the file")
        shown = svd.svctl("logs", "w", "--lines", "5", "--json").stdout.splitlines()
        equal(sum(json.loads(line).get("text", "").count("x") for line in shown), 1048575, "characters by svctl logs")


def binary_output():
    """binary output is kept byte for byte; svctl logs shows it without harming the terminal"""
    with Daemon() as svd:
        path = one_shot(svd, 'binary, "65536"')
        equal(b"".join(contents(path)), bytes(range(256)) * 256, "the file")
        raw = subprocess.run([SVCTL, "logs", "w"], env=svd.environment, stdout=subprocess.PIPE, check=True).stdout
        check(bytes(range(128, 256)) in raw, "svctl logs into a pipe changes nothing")
        shown = on_a_terminal([SVCTL, "logs", "w"], {**svd.environment, "NO_COLOR": "1"})
        equal(set(shown) & (set(range(32)) - {9, 10, 13}), set(), "control characters that svctl logs sends to a terminal")


def a_million_lines_and_the_end():
    """1,000,000 lines followed at once by exit: all there, in order"""
    with Daemon() as svd:
        path = one_shot(svd, f'lines, "{LINES}"')
        equal(follow_numbers(path), LINES, "lines in the file")
        shown = subprocess.run([SVCTL, "logs", "w", "--lines", "3"], env=svd.environment, stdout=subprocess.PIPE, check=True).stdout
        check(f"{LINES:010d}".encode() in shown, "the last line by svctl logs")


def rotation_loses_no_line():
    """rotation by size under full load, without the program's help, loses and doubles no line"""
    with Daemon() as svd:
        path = one_shot(svd, f'lines, "{LINES}"', "to: file, rotate: 1MiB, keep: 100")
        svd.wait_until(lambda: rotated(path), "a rotated file")
        equal(follow_numbers(path), LINES, "lines in the file and its rotated ones")
        say(f"{len(rotated(path))} rotated files")
        shown = subprocess.Popen([SVCTL, "logs", "w", "--all", "--json"], env=svd.environment, stdout=subprocess.PIPE)
        svd.open.append(shown)
        for number, line in enumerate(shown.stdout, 1):
            equal(int(json.loads(line)["text"]), number, "line by svctl logs --all")
        equal(number, LINES, "lines by svctl logs --all")


def instances_are_merged_in_time():
    """svctl logs merges the instances of an app, and follows"""
    with Daemon() as svd:
        svd.apply("version: 1\nname: t\napps:\n"
                  "  w: { exec: [/bin/sh, -c, 'echo begin $SVD_INSTANCE; exec sleep 1000'], instances: 3, logs: { to: file } }\n")
        follow = svd.start("logs", "w", "-f", stdout=subprocess.PIPE, text=True)
        seen = []

        def count(slot):
            return sum(f"begin {slot}" in line for line in seen)

        def see_one():
            line = follow.stdout.readline()
            check(line, "svctl logs -f goes on")
            seen.append(line)

        while not all(count(slot) for slot in range(3)):
            see_one()
        shown = svd.svctl("logs", "w").stdout  # now that all have written
        for slot in range(3):
            check(f"begin {slot}" in shown, f"instance {slot}:\n{shown}")
        svd.svctl("restart", "w/1")
        while count(1) < 2:
            see_one()
        equal([count(slot) for slot in range(3)], [1, 2, 1], "beginnings, each told once")


run(a_megabyte_in_one_line, binary_output, a_million_lines_and_the_end, rotation_loses_no_line, instances_are_merged_in_time)
