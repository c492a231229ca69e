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


# As in contrib/manual/logs.md: from what svd says of the starts to what these wrote.
LINES_OF = "journalctl -b -o cat $(journalctl -b -o cat --output-fields=SVD_CGROUP {} | sort -u | sed 's/^/_SYSTEMD_CGROUP=/')"


def fields():
    """ecosystem, app, instance and revision select what svd says of the instances, and lead to what these say"""
    with Service() as svd:
        svd.apply(ecosystem("first", 1))
        svd.apply(ecosystem("first", 2))
        svd.apply(ecosystem("other", 1))
        first = {"first web 0 1", "first web 1 1", "first db 0 1", "first web 0 2", "first web 1 2"}
        other = {"other web 0 1", "other web 1 1", "other db 0 1"}
        for match, want in (("SVD_ECOSYSTEM=first", first), ("SVD_ECOSYSTEM=other", other),
                            ("SVD_APP=db", {"first db 0 1", "other db 0 1"}),
                            ("SVD_ECOSYSTEM=first SVD_APP=web SVD_INSTANCE=1", {"first web 1 1", "first web 1 2"}),
                            ("SVD_ECOSYSTEM=first SVD_REVISION=2", {"first web 0 2", "first web 1 2"})):
            have = svd.wait_until(lambda: (lines := lines_of(match)) >= want and lines, f"the lines of {match}")
            equal(have, want, f"what {match} leads to")
            told = messages("SYSLOG_IDENTIFIER=svd", *match.split())
            equal({line.split()[1].partition("/")[0] for line in told}, {":".join(line.split()[:2]) for line in want}, f"whom svd tells of: {told}")


def lines_with_fields():
    """with `fields: true` one journalctl selects the lines of an ecosystem, an app, an instance, a revision, also when svd was killed meanwhile"""
    with Service() as svd:
        svd.apply(ecosystem("one", 1, ", fields: true"))
        svd.apply(ecosystem("one", 2, ", fields: true"))
        svd.kill_both()
        svd.wait_until(svd.answers, "the service answers again")
        svd.apply(ecosystem("one", 3, ", fields: true"))
        webs = {f"one web {slot} {revision}" for slot in (0, 1) for revision in (1, 2, 3)}
        for match, want in (("SVD_ECOSYSTEM=one", webs | {"one db 0 1"}),
                            ("SVD_ECOSYSTEM=one SVD_APP=web", webs),
                            ("SVD_ECOSYSTEM=one SVD_APP=web SVD_INSTANCE=1", {line for line in webs if line.split()[2] == "1"}),
                            ("SVD_ECOSYSTEM=one SVD_APP=web SVD_REVISION=2", {"one web 0 2", "one web 1 2"}),
                            ("SVD_ECOSYSTEM=one SVD_APP=web SVD_REVISION=3 -p info -t one:web/1", {"one web 1 3"})):
            have = svd.wait_until(lambda: (lines := of_apps(match)) >= want and lines, f"the lines of {match}")
            equal(have, want, f"what {match} selects")
        equal(svd.svctl("logs", "db", "--lines", 5).stdout.split("| ")[-1].strip(), "one db 0 1", "what svctl logs shows")
        equal(svd.daemon()["degraded"], [], "what is missing")
        svd.systemctl("stop")
        svd.wait_until(lambda: not output("pgrep", "-x", "logtool", ok=False), "the writers end with the apps")


def of_apps(match):
    """What svd itself says of them has the same fields."""
    return {line["MESSAGE"] for line in entries("_COMM=logtool", *match.split())}


def ecosystem(name, number, logs=""):
    """Apps that say who they are; another number is another generation of `web`."""
    program = "[sh, -c, 'echo $SVD_ECOSYSTEM $SVD_APP $SVD_INSTANCE $SVD_REVISION; exec sleep 1000']"
    return (f"version: 1\nname: {name}\ndefaults: {{ logs: {{ to: journal{logs} }} }}\napps:\n"
            f"  web: {{ exec: {program}, instances: 2, env: {{ N: '{number}' }} }}\n  db: {{ exec: {program} }}\n")


def lines_of(match):
    return set(output("sh", "-c", LINES_OF.format(match)).splitlines())


def messages(*match):
    return [entry["MESSAGE"] for entry in entries(*match)]


def entries(*match):
    return [json.loads(line) for line in output("journalctl", "-b", "-o", "json", *match).splitlines()]


run(lines_by_instance, fields, lines_with_fields)
