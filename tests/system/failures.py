#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starts that cannot succeed: apply fails, says the step and the reason, and nobody else is affected."""
import os
import resource

from harness import APP, Daemon, check, equal, run

GOOD = f"  good: {{ exec: [{APP}, wait], instances: 2, logs: {{ to: none }} }}\n"
# A bad app gives up at once, so that apply's answer does not wait for its back-off.
GIVE_UP = "restart: { delay: 0ms, max_restarts: 1, window: 1m }"
ROOT = os.getuid() == 0


def fails(svd, app, *words):
    """Applies one bad app beside a good one and expects these words in what apply says."""
    done = svd.apply("version: 1\nname: t\napps:\n" + GOOD + f"  bad: {{ {app}, {GIVE_UP}, logs: {{ to: none }} }}\n", ok=False)
    output = done.stdout + done.stderr
    check(done.returncode != 0, f"apply fails for {app}:\n{output}")
    for word in ("bad", *words):
        check(word in output, f"apply says {word!r} for {app}:\n{output}")
    equal(svd.apps()["t:good"]["ready"], 2, f"ready instances of the other app beside {app}")


def every_reason_is_said():
    """bad directory, missing program, not executable, no such user: exit status ≠ 0, step and reason in words"""
    with Daemon() as svd:
        (svd.directory / "plain").write_text("no program")
        (svd.directory / "badinterpreter").write_text("#!/no/such/interpreter\n")
        (svd.directory / "badinterpreter").chmod(0o755)
        svd.apply("version: 1\nname: t\napps:\n" + GOOD)
        before = svd.pids("t:good")
        fails(svd, f"exec: [{APP}], cwd: /no/such/place", "working directory", "/no/such/place", "No such file or directory")
        fails(svd, "exec: [/no/such/program]", "program", "/no/such/program", "No such file or directory")
        fails(svd, "exec: [no-such-program-in-path]", "executing the program: 'no-such-program-in-path' is in no directory of its PATH (/")
        fails(svd, f"exec: [{svd.directory}/plain]", "plain", "Permission denied")
        fails(svd, f"exec: [{svd.directory}/badinterpreter]", f"'{svd.directory}/badinterpreter' needs the interpreter '/no/such/interpreter', which is missing")
        fails(svd, f"exec: [./badinterpreter], cwd: {svd.directory}", "'./badinterpreter' needs the interpreter '/no/such/interpreter', which is missing")
        fails(svd, f"exec: [badinterpreter], env: {{ PATH: \"/no/such:{svd.directory}\" }}", "badinterpreter' needs the interpreter '/no/such/interpreter'")
        if ROOT:
            fails(svd, f"exec: [{APP}], user: no-such-user", "setting the user 'no-such-user': no such user")
            fails(svd, f"exec: [{APP}], group: no-such-group", "setting the group 'no-such-group': no such group")
            fails(svd, f"exec: [{APP}], groups: [no-such-group]", "'no-such-group': no such group")
            fails(svd, f"exec: [{APP}], user: \"54321\"", "'54321': no user has this number, so a group must be given")
        equal(svd.pids("t:good"), before, "the other app's processes, after all of it")


def a_crash_loop_ends_in_failed():
    """a program that keeps dying uses up its restarts, is failed, and status says why"""
    with Daemon() as svd:
        # Without a readiness check a program that was executed is ready, so apply itself may well succeed.
        svd.apply(f"version: 1\nname: t\napps:\n{GOOD}"
                  f"  bad: {{ exec: [{APP}, exit, \"3\"], logs: {{ to: none }},"
                  " restart: { delay: 0ms, max_restarts: 4, window: 1m } }\n", ok=False)
        bad = svd.wait_until(lambda: [i for n, i in svd.instances("t:bad").items() if i["phase"] == "failed"], "bad failed")[0]
        equal(bad["restarts"], 4, "restarts before it was given up")
        check("exit code 3" in bad["reason"] or "exit code 3" in bad["last_exit"], f"the reason: {bad}")
        shown = svd.svctl("status", ok=False)
        check(shown.returncode == 5 and "exit code 3" in shown.stdout, f"status tells it:\n{shown.stdout}")
        equal(svd.apps()["t:good"]["ready"], 2, "ready instances of the other app")


def no_descriptors_left():
    """an app that may hold no descriptor does not get to run: it is failed, status shows why, the others run"""
    with Daemon() as svd:
        # Executing it succeeds and its loader then opens nothing, so whether apply still sees the death is a matter of time.
        svd.apply("version: 1\nname: t\napps:\n" + GOOD +
                  f"  bad: {{ exec: [{APP}, wait], limits: {{ nofile: 0 }}, {GIVE_UP}, logs: {{ to: file }} }}\n", ok=False)
        svd.wait_until(lambda: svd.apps()["t:bad"]["state"] == "failed", "bad failed")
        shown = svd.svctl("status", "bad", ok=False)
        equal(shown.returncode, 5, "exit status of status")
        for word in ("exit code 127", "Error 24"):  # EMFILE, in the loader's own words, from its log
            check(word in shown.stdout, f"status says {word!r}:\n{shown.stdout}")
        equal(svd.apps()["t:good"]["ready"], 2, "ready instances of the other app")


def svd_without_descriptors():
    """svd with few descriptors serves what it can, says what it cannot, and recovers"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        with Daemon() as svd:
            done = svd.apply(f"version: 1\nname: t\napps:\n  many: {{ exec: [{APP}, wait], instances: 200, logs: {{ to: none }} }}\n")
            equal(done.returncode, 0, "apply of 200 instances by a svd that was started with 64 descriptors")
            equal(svd.apps()["t:many"]["ready"], 200, "ready")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def no_processes_left():
    """a user whose processes are used up: the start fails with the reason, the others run"""
    if not ROOT:
        return
    with Daemon() as svd:
        svd.apply("version: 1\nname: t\napps:\n" + GOOD)
        # The kernel counts the others of the same user: the first instance may run, the second is one too many.
        fails(svd, "exec: [/bin/sleep, \"1000\"], instances: 2, user: nobody, cwd: /, limits: { nproc: 0 }",
              "executing the program", "Resource temporarily unavailable")


run(every_reason_is_said, a_crash_loop_ends_in_failed, no_descriptors_left, svd_without_descriptors, no_processes_left)
