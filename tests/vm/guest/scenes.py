# SPDX-License-Identifier: Apache-2.0
"""What svd has to do in every container, whoever started it."""
import os

from container import UP, Container
from harness import Reports, check, equal, say

SERVE = "trap 'echo stopped $SVD_APP/$SVD_INSTANCE; exit 0' TERM; while :; do /usr/bin/app wait & wait $!; done"


def life_and_end(degraded, user=None):
    """Starts, says what is missing, applies, loses its engine and nothing else, and stops in order with code 0."""
    with Container(user=user) as box:
        status = box.svctl_json("daemon", "status")
        equal(status["pid"], 1, "the daemon's pid")
        check_missing(status, degraded)
        box.run("svctl", "apply", "-", input="version: 1\nname: t\napps:\n"
                f"  web: {{ exec: [sh, -c, \"{SERVE}\"], instances: 2, logs: {{ to: console }} }}\n")
        pids = pids_of(box)
        equal(len(pids), 2, "instances")
        box.shell(f"kill -9 {status['engine_pid']}")
        box.wait_for(UP)  # from the second engine
        equal(pids_of(box), pids, "instances after the engine's death")
        equal(box.stop(), 0, "exit code of the container after podman stop")
        box.read_rest()
        for slot in range(2):
            check(any(f"stopped web/{slot}" in line for line in box.log), f"web/{slot} was asked to stop")
        say("".join(box.log))


def pids_of(box):
    return {one["instance"]: one["pid"] for one in box.svctl_json("ls") if one["phase"] == "ready"}


def check_missing(status, beginnings):
    missing = status["degraded"]
    check(len(missing) == len(beginnings) and all(map(str.startswith, missing, beginnings)), f"what is missing: {missing}")


def cgroups_when_writable(degraded=(), user=None):
    """As for an init that is systemd: podman stop sends SIGRTMIN+3. Nothing is missing but that, and the strays of a killed instance are gone when its successor runs."""
    with Container("--systemd=always", user=user) as box:
        check_missing(box.svctl_json("daemon", "status"), degraded)
        reports = Reports(box.directory / "root/var/reports")
        os.chmod(reports.path, 0o666)
        box.run("svctl", "apply", "-", input="version: 1\nname: t\napps:\n"
                "  web: { exec: [app, strays, /var/reports, report, /var/reports, wait], logs: { to: none }, restart: { delay: 0ms } }\n")
        family = reports.next(3)
        main, = (pid for pid, what, _ in family if what != "stray")
        box.shell(f"kill -9 {main}")
        reports.next(1)
        left = box.shell("; ".join(f"if [ -e /proc/{pid} ]; then echo {pid}; fi" for pid, _, _ in family))
        equal(left, "", f"left of {family} when the successor ran")
        reports.close()
        equal(box.stop(), 0, "exit code of the container after podman stop")
