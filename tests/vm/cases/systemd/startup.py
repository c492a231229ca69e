#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""svctl startup: the daemon comes with the machine, for root and for a user who is not logged in, and is taken back"""
import pathlib

from harness import APP, check, equal, run
from vm import Alice, Service, output

ECOSYSTEM = f"version: 1\nname: t\napps:\n  web: {{ exec: [{APP}, wait], limits: {{ memory: 64MiB }} }}\n"


def enabled(*options):
    return [output("systemctl", *options, "is-enabled", unit, ok=False).strip() for unit in (["svd.service"] if options else ["svd.service", "svd.socket"])]


def of_the_system():
    """root: units are enabled and started; --disable takes that back and stops nothing"""
    with Service() as svd:
        svd.systemctl("stop")
        equal(enabled(), ["disabled"] * 2, "before")
        output("svctl", "startup")
        equal(enabled(), ["enabled"] * 2, "after svctl startup")
        svd.apply(ECOSYSTEM)
        pids = svd.pids()
        output("svctl", "startup", "--disable")
        equal(enabled(), ["disabled"] * 2, "after svctl startup --disable")
        equal((svd.property("ActiveState"), svd.pids()), ("active", pids), "what runs")


def of_a_user():
    """a user whom root lets linger needs no right to that, nor polkit: her daemon runs below her manager, with limits; --disable takes it back"""
    with Alice() as alice:
        output("systemctl", "start", "user@1000.service")
        # She may not do that herself here: no polkit is installed. Nothing was begun, and it is said what to ask for.
        said = alice.run("svctl", "startup", code=1)
        check("loginctl enable-linger alice" in said, f"the way out is said: {said}")
        output("loginctl", "enable-linger", "alice")
        alice.run("svctl", "startup")
        equal(alice.run("systemctl", "--user", "is-enabled", "svd.service").strip(), "enabled", "her unit")
        alice.run("svctl", "apply", "-", stdin=None, input=ECOSYSTEM)
        group = pathlib.Path(f"/proc/{int(output('pgrep', '-u', 'alice', '-x', 'app'))}/cgroup").read_text()
        check(group.startswith("0::/user.slice/user-1000.slice/user@1000.service/app.slice/svd.service/"), group)
        check("cannot be enforced" not in alice.run("svctl", "status", "web"), "her limits hold")
        leaf = pathlib.Path("/sys/fs/cgroup", group.strip().removeprefix("0::/"))
        equal((leaf / "memory.max").read_text().strip(), str(64 << 20), "memory.max")
        # What she may not have is refused, and not left out.
        said = alice.run("svctl", "apply", "-", stdin=None, code=1, input="version: 1\nname: g\napps:\n  x: { exec: [id], groups: [adm], restart: { policy: never } }\n")
        check("cannot start: setting supplementary groups" in said, said)
        alice.run("svctl", "delete", "g:")
        # The machine's next boot, as far as she is concerned.
        output("systemctl", "restart", "user@1000.service")
        output("timeout", "60", "sh", "-c", "until pgrep -u alice -x app; do sleep 0.2; done")  # pace: it comes by itself
        alice.run("svctl", "startup", "--disable")
        equal(alice.run("systemctl", "--user", "is-enabled", "svd.service", code=1).strip(), "disabled", "her unit")
        alice.run("svctl", "daemon", "stop")
        for place in ("/home/alice/.config/systemd", "/home/alice/.local/state/svd"):
            output("rm", "-rf", place)


run(of_the_system, of_a_user)
