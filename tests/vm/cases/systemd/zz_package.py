#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package where systemd runs: installed it serves, upgraded it touches no app, purged it leaves nothing; the last case, since svd is gone then"""
import grp
import pathlib

from harness import APP, Daemon, check, equal, run, wait_gone
from vm import Service, output

PACKAGE = "/svd-tests/svd.deb"
ECOSYSTEM = f"version: 1\nname: t\napps:\n  web: {{ exec: [{APP}, wait], instances: 2 }}\n"


class Installed(Service):
    """Of which nothing is left to stop."""

    def clean_up(self):
        Daemon.clean_up(self)


def dpkg(*arguments):
    """What it depends on is there, but not as far as dpkg knows of every library."""
    output("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *arguments)


def state_of(what):
    return [output("systemctl", what, unit, ok=False).strip() for unit in ("svd.socket", "svd.service")]


def life_of_a_package():
    """dpkg -i, dpkg -i again, dpkg --remove, dpkg --purge"""
    with Installed() as svd:
        svd.systemctl("stop")
        dpkg("--install", "--force-depends", PACKAGE)
        equal((state_of("is-enabled"), state_of("is-active")), (["enabled"] * 2, ["active"] * 2), "units after the installation")
        svd.apply(ECOSYSTEM)
        pids = svd.pids()
        read = ["busctl", "--system", "call", "org.svd1", "/org/svd1", "org.svd1.Manager", "ListApps", "as", "0"]
        check("t" in output("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *read), "the bus knows the policy")

        dpkg("--install", "--force-depends", PACKAGE)
        svd.wait_until(lambda: svd.answers() and svd.daemon()["engine_starts"] == 2, "a second engine after the upgrade")
        equal(svd.pids(), pids, "instances after the upgrade")

        dpkg("--remove", "svd")
        wait_gone(pids.values(), 0, "instances after the removal")
        equal(state_of("is-active"), ["inactive"] * 2, "units after the removal")
        check(pathlib.Path("/var/lib/svd").is_dir(), "a removal keeps the state")

        dpkg("--purge", "svd")
        found = output("find", "/", "(", "-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/svd-tests", "-o", "-path", "/run/svd-cases", "-o",
                       "-path", "/tmp", ")", "-prune", "-o", "(", "-iname", "*svd*", "-o", "-lname", "*svd*", ")", "-print", ok=False)
        equal([path for path in found.splitlines() if not is_of_the_test(path)], [], "left after the purge")
        check("svd" not in {group.gr_name for group in grp.getgrall()}, "the group is gone")
        left = output("systemctl", "list-units", "--all", "--plain", "--no-legend", "svd.*")
        equal(left, "", "units that systemd still knows")


def another_prefix():
    """installed below /usr/local, as the README says: svctl startup makes the name on the system bus its own, --disable takes that back"""
    unpacked = pathlib.Path("/run/svd-unpacked")
    output("dpkg-deb", "--extract", PACKAGE, unpacked)
    for unit in (*unpacked.glob("usr/lib/systemd/*/svd.*"), *unpacked.glob("lib/systemd/*/svd.*")):
        unit.write_text(unit.read_text().replace("/usr/", "/usr/local/"))
    output("cp", "-R", f"{unpacked}/usr/.", "/usr/local/")
    policy = pathlib.Path("/etc/dbus-1/system.d/org.svd1.conf")
    output("/usr/local/bin/svctl", "startup")
    call = "busctl --system call org.freedesktop.DBus / org.freedesktop.DBus GetConnectionUnixProcessID s org.svd1"
    output("timeout", "30", "sh", "-c", f"until {call}; do sleep 0.2; done")  # pace: the bus gives it the name a little later
    output("/usr/local/bin/svctl", "startup", "--disable")
    check(not policy.exists(), "the policy is gone")
    output("systemctl", "stop", "svd.socket", "svd.service")


def is_of_the_test(path):
    return "svd-cases" in path or path.startswith("/run/log/journal")


run(life_of_a_package, another_prefix)
