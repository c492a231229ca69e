#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The journal has what each instance said, and finds it by field"""
import json

from harness import APP, equal, run
from vm import Service, output

INSTANCES, LINES = 3, 100


def lines_by_instance():
    """three instances, 100 lines each: all there, in order, each under its instance's name"""
    with Service() as svd:
        svd.apply("version: 1\nname: t\napps:\n"
                  f"  web: {{ exec: [{APP}, lines, '{LINES}', wait], instances: {INSTANCES}, logs: {{ to: journal }} }}\n")
        for slot in range(INSTANCES):
            name = f"t:web/{slot}"
            svd.wait_until(lambda: len(messages(f"SYSLOG_IDENTIFIER={name}")) >= LINES, f"the lines of {name}")
            equal(messages(f"SYSLOG_IDENTIFIER={name}"), [f"{number:010}" for number in range(1, LINES + 1)], f"what {name} said")
            equal(len(svd.svctl("logs", name, "--lines", LINES * 2).stdout.splitlines()), LINES, f"lines that svctl logs {name} shows")
        equal(svd.daemon()["degraded"], [], "what is missing")


def messages(*match):
    return [json.loads(line)["MESSAGE"] for line in output("journalctl", "-b", "-o", "json", *match).splitlines()]


run(lines_by_instance)
