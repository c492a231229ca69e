#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in a file: all at once, at the right place, and nothing is applied."""
import re
import time

from harness import APP, Daemon, check, equal, run, say

# Each mistake is marked with ^ under its first column in the line that follows it.
MARKED = """\
version: 1
name: t
apps:
  web:
    exec: [node, server.js]
    instnaces: 4
#   ^ unknown key
    instances: many
#              ^ neither a number nor max
    env: { PORT: 1, PORT: 2 }
#                   ^ duplicate key
    restart: { delay: 10, policy: sometimes }
#                     ^ no unit
#                                 ^ not a policy
    umask: "9"
#          ^ not octal
  "bad name":
# ^ not a name
    exec: [x]
  empty:
# ^ no exec
    instances: 1
  late:
    exec: [x]
    stop: { signal: SIGNOPE, timeout: 1 parsec }
#                   ^ no such signal
#                                     ^ not a duration
"""


def split(marked):
    """The file without the marks, and the places that the marks point at."""
    lines, places = [], []
    for line in marked.splitlines():
        if line.startswith("#") and "^" in line:
            places.append((len(lines), line.index("^") + 1))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n", sorted(places)


def ten_mistakes_ten_diagnostics():
    """ten different mistakes give ten diagnostics at the right line and column, by check, plan and apply alike"""
    text, places = split(MARKED)
    equal(len(places), 10, "mistakes in the sample")
    with Daemon() as svd:
        file = svd.write(text)
        done = svd.svctl("check", file, ok=False)
        equal(done.returncode, 1, "exit status of check")
        output = done.stdout + done.stderr
        found = sorted((int(m[1]), int(m[2])) for m in re.finditer(r"^\S*ecosystem\.yaml:(\d+):(\d+): ", output, re.M))
        equal(found, places, f"positions in\n{output}\n")
        check("did you mean 'instances'?" in output, "the suggestion")
        check(re.search(r"^ *\d* *\|? *    instnaces: 4$", output, re.M) and "^" in output, f"the source line and a caret:\n{output}")
        check(not (svd.home / "run/bus").exists(), "check starts no daemon")
        applied = svd.svctl("apply", file, ok=False)
        equal(applied.returncode, 1, "exit status of apply")
        check(f":{places[0][0]}:{places[0][1]}: " in applied.stdout + applied.stderr, "apply shows them too")


def a_wrong_file_changes_nothing():
    """one mistake anywhere and nothing is applied"""
    with Daemon() as svd:
        good = f"version: 1\nname: t\napps:\n  web: {{ exec: [{APP}, wait], logs: {{ to: none }} }}\n"
        svd.apply(good)
        before = svd.pids()
        done = svd.apply(good.replace("wait]", "wait], instances: 3") + "  api: { exec: [x], oops: 1 }\n", ok=False)
        equal(done.returncode, 1, "exit status")
        equal(svd.pids(), before, "processes")


def ten_thousand_apps():
    """a file of 10,000 apps is checked quickly (the figure is printed)"""
    with Daemon() as svd:
        text = "version: 1\nname: big\napps:\n" + "".join(
            f"  app{i}:\n    exec: [node, server.js, \"{i}\"]\n    instances: 1\n    env: {{ PORT: \"{i}\" }}\n" for i in range(10_000))
        file = svd.write(text)
        begun = time.monotonic()
        svd.svctl("check", file)
        say(f"check of 10,000 apps: {time.monotonic() - begun:.2f} s, {len(text)} bytes")


run(ten_mistakes_ten_diagnostics, a_wrong_file_changes_nothing, ten_thousand_apps)
