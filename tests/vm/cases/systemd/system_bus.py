#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""org.svd1 on the system bus: root may do everything, the group svd all but end the daemon, others may read"""
import grp
import subprocess

from harness import APP, check, equal, run, say
from vm import Service, output

MANAGER = ("org.svd1", "/org/svd1", "org.svd1.Manager")
GROUP = ["setpriv", "--reuid", "alice", "--regid", "alice", "--groups", "svd"]
NOBODY = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
READ = [("ListApps", "as", "0"), ("History", "s", "")]
CHANGE = [("Restart", "as", "1", "t:web")]
REEXECUTE = ("Reexecute",)
END = ("Shutdown", "b", "false")


def call(who, *method):
    """True or False: allowed or denied. Anything else is a failure."""
    done = subprocess.run([*who, "busctl", "--system", "call", *MANAGER, *method], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    check(done.returncode == 0 or "denied" in done.stdout.lower(), f"{' '.join((*who, *method))}: {done.stdout}")
    say(f"{who[2] if who else 'root'} {method[0]}: {done.stdout.strip()}")
    return done.returncode == 0


def who_may_do_what():
    """the same methods by busctl as nobody, as one of the group, as root"""
    with Service() as svd:
        svd.apply(f"version: 1\nname: t\napps:\n  web: {{ exec: [{APP}, wait] }}\n")
        check(grp.getgrnam("svd"), "the group svd")
        for who, allowed, denied in ((NOBODY, READ, [*CHANGE, REEXECUTE, END]), (GROUP, READ + CHANGE, [REEXECUTE, END]), ([], READ + CHANGE + [REEXECUTE], [])):
            for method in allowed:
                check(call(who, *method), f"{who} may not {method}")
            for method in denied:
                check(not call(who, *method), f"{who} may {method}")
        svd.wait_ready("t:web", 1)
        svd.wait_until(lambda: svd.daemon()["engine_starts"] == 2, "a second engine after Reexecute")
        check(call([], *END), "root may not end the daemon")


def whose_name_it_is():
    """the bus says that svd owns the name, and starts the service for who calls it"""
    with Service() as svd:
        pid = output("busctl", "--system", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetConnectionUnixProcessID", "s", "org.svd1")
        equal(int(pid.split()[1]), svd.daemon()["engine_pid"], "the process behind the name")
        output("systemctl", "stop", "svd.socket", "svd.service")
        check(call([], *READ[0]), "a call did not start the service")
        equal(svd.property("ActiveState"), "active", "the service")


run(who_may_do_what, whose_name_it_is)
