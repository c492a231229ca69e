#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""svd.service is enabled, an ecosystem runs, and the machine is turned off with all that in it: the journal has no error

This is all that this machine does. What is left running is for the shutdown to stop; whether the last lines of the journal
hold an error, and whether each app was asked to stop, is seen from outside.
"""
import pathlib

from harness import Daemon, equal, run
from vm import SystemDaemon, output

# Once asked to stop, it tells the host, over a line that works until the very end.
APP = "#!/bin/sh\ntrap 'echo \"stopped $SVD_APP/$SVD_INSTANCE\" >/dev/ttyS2; exit 0' TERM\nsleep 1000000 & wait\n"


class Stays(SystemDaemon):
    """Neither it nor what it runs is stopped by the test."""

    def clean_up(self):
        self.open.clear()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.explain()


def it_runs():
    """three instances are ready, and nothing that is an error is in the journal yet"""
    output("systemctl", "enable", "--now", "svd.service")
    with Stays() as svd:
        script = svd.write(APP, "app")
        script.chmod(0o755)
        svd.apply(f"version: 1\nname: t\napps:\n  web: {{ exec: [{script}], instances: 3, logs: {{ to: journal }} }}\n")
        svd.wait_ready("t:web", 3)
        equal(output("journalctl", "-b", "-p", "err", "-q"), "", "errors in the journal")


run(it_runs)
