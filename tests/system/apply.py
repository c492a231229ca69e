#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Apply converges, and touches nothing that it need not touch: processes are compared by pid."""
import os
import subprocess

from harness import APP, BUILD, Daemon, SVCTL, check, equal, run


def ecosystem(**apps):
    """name → (instances, {env}); written as one file."""
    text = "version: 1\nname: t\napps:\n"
    for name, (instances, env) in apps.items():
        text += f"  {name}:\n    exec: [{APP}, wait]\n    instances: {instances}\n    logs: {{ to: none }}\n"
        text += "".join(f"    env: {{ {key}: \"{value}\" }}\n" for key, value in env.items())
    return text


def pids_of(svd, *apps):
    return {name: pid for name, pid in svd.pids().items() if name.split("/")[0] in apps}


def same_file_changes_nothing():
    """a second apply of the same file changes nothing and says so"""
    with Daemon() as svd:
        text = ecosystem(web=(3, {"A": "1"}), api=(2, {}))
        svd.apply(text)
        before = svd.pids()
        equal(len(before), 5, "processes")
        revision = svd.apps()["t:web"]["revision"]
        equal(svd.svctl("plan", svd.write(text), ok=False).returncode, 0, "exit status of plan with nothing to do")
        again = svd.apply(text)
        check("nothing" in again.stdout.lower(), f"it says that nothing is to do: {again.stdout!r}")
        equal(svd.pids(), before, "pids after the second apply")
        equal(svd.apps()["t:web"]["revision"], revision, "revision after the second apply")


def changed_env_touches_that_app_only():
    """a changed env replaces that app's instances alone, a removed app stops, and plan says both with the reason"""
    with Daemon() as svd:
        svd.apply(ecosystem(web=(3, {"MODE": "production"}), api=(2, {}), old=(1, {})))
        before = svd.pids()
        changed = svd.write(ecosystem(web=(3, {"MODE": "staging"}), api=(2, {})))
        plan = svd.svctl("plan", changed, ok=False)
        equal(plan.returncode, 2, "exit status of plan with changes")
        check("env.MODE changed production → staging" in plan.stdout, f"plan gives the reason:\n{plan.stdout}")
        equal(svd.pids(), before, "pids after plan: it changes nothing")
        dry = svd.svctl("apply", "--dry-run", changed, ok=False)
        check("env.MODE" in dry.stdout and svd.pids() == before, "a dry run shows the plan and changes nothing")
        svd.svctl("apply", changed)
        after = svd.pids()
        equal({n: p for n, p in after.items() if "api" in n}, {n: p for n, p in before.items() if "api" in n}, "api's pids")
        for slot in range(3):
            check(after[f"t:web/{slot}"] != before[f"t:web/{slot}"], f"web/{slot} is a new process")
            environment = open(f"/proc/{after[f't:web/{slot}']}/environ", "rb").read().split(b"\0")
            check(b"MODE=staging" in environment, f"web/{slot} has the new environment")
        check("t:old" not in svd.apps() and not os.path.exists(f"/proc/{before['t:old/0']}"), "the removed app is gone")


def scale_touches_no_survivor():
    """scale up and down, by verb and by file: survivors keep their pids, the highest slots go first"""
    with Daemon() as svd:
        svd.apply(ecosystem(web=(4, {})))
        four = svd.pids()
        svd.svctl("scale", "web", "6")
        six = svd.pids()
        equal({n: six[n] for n in four}, four, "the four old ones after scaling to 6")
        equal(len(six), 6, "processes after scaling to 6")
        svd.svctl("scale", "web", "2")
        equal(svd.pids(), {f"t:web/{slot}": four[f"t:web/{slot}"] for slot in (0, 1)}, "after scaling to 2")
        svd.apply(ecosystem(web=(3, {})))
        three = svd.pids()
        equal(len(three), 3, "processes after the file asked for 3")
        equal([three[f"t:web/{slot}"] for slot in (0, 1)], [four[f"t:web/{slot}"] for slot in (0, 1)], "survivors by file")
        svd.apply(ecosystem(web=(0, {})))
        equal(svd.pids(), {}, "after scaling to 0")


def ecosystems_live_side_by_side():
    """an apply prunes inside its own ecosystem only"""
    with Daemon() as svd:
        svd.apply(ecosystem(web=(1, {})))
        svd.apply(ecosystem(web=(1, {})).replace("name: t", "name: other"), name="other.yaml")
        equal(sorted(svd.pids()), ["other:web/0", "t:web/0"], "both run")
        before = svd.pids()["other:web/0"]
        svd.apply(ecosystem(api=(1, {})))
        equal(svd.pids().get("other:web/0"), before, "the other ecosystem's process")
        check("t:web/0" not in svd.pids(), "the pruned app")


def rollback_goes_back():
    """rollback re-applies the revision before, as a new revision"""
    with Daemon() as svd:
        svd.apply(ecosystem(web=(1, {"V": "one"})))
        svd.apply(ecosystem(web=(1, {"V": "two"})))
        svd.svctl("rollback")
        pid = svd.pids()["t:web/0"]
        check(b"V=one" in open(f"/proc/{pid}/environ", "rb").read().split(b"\0"), "the old environment is back")
        equal(len(svd.json("history")), 3, "revisions in history")


def a_pipe_of_the_shell_is_no_place():
    """svctl apply <(printf …): relative paths begin in the current directory"""
    with Daemon() as svd:
        reports = svd.reports()
        text = f"version: 1\napps:\n  web: {{ exec: [{APP}, report, {reports.path}, wait], logs: {{ to: none }} }}\n"
        end, writer = os.pipe()
        os.write(writer, text.encode())
        os.close(writer)
        svd.svctl("apply", f"/dev/fd/{end}", pass_fds=[end])
        os.close(end)
        (pid, _, _), = reports.next(1)
        equal(os.readlink(f"/proc/{pid}/cwd"), str(svd.directory), "the directory of the instance")


def a_daemon_in_the_background_serves_when_svd_returns():
    """svd --daemonize returns when it serves; where one runs already it says so and ends with 3, as --foreground does"""
    with Daemon() as svd:
        program = [BUILD / "bin/svd", "--daemonize"]
        done = subprocess.run(program, env=svd.environment, capture_output=True, text=True, timeout=60)
        equal((done.returncode, done.stdout, done.stderr), (0, "", ""), "svd --daemonize")
        equal(svd.svctl("ls", ok=False).returncode, 0, "svctl ls at once")
        keeper = svd.daemon()["pid"]
        for mode in "--daemonize", "--foreground":
            done = subprocess.run([program[0], mode], env=svd.environment, capture_output=True, text=True, timeout=60)
            equal((done.returncode, done.stdout, done.stderr), (3, "", f"svd: already running (pid {keeper})\n"), f"a second svd {mode}")
        elsewhere = {**svd.environment, "SVD_HOME": "relative"}
        done = subprocess.run(program, env=elsewhere, capture_output=True, text=True, timeout=60)
        equal((done.returncode, done.stderr), (1, "svd: cannot use SVD_HOME='relative': want an absolute path\n"), "in no place")


def two_first_applies_start_one_daemon():
    """two applies at the same moment start one daemon, and both succeed"""
    with Daemon() as svd:
        files = [svd.write(ecosystem(web=(1, {})).replace("name: t", f"name: e{i}"), f"{i}.yaml") for i in range(4)]
        running = [subprocess.Popen([SVCTL, "apply", str(file)], env=svd.environment, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True) for file in files]
        for process in running:
            output, _ = process.communicate(timeout=60)
            equal(process.returncode, 0, f"exit status of an apply that said {output!r}")
        equal(sorted(svd.pids()), [f"e{i}:web/0" for i in range(4)], "instances")
        equal(svd.daemon()["engine_starts"], 1, "engine starts")


def stopped_apps_stay_stopped_over_a_restart_of_svd():
    """a normal stop of svd and a start bring everything back as it was, including what the user had stopped"""
    with Daemon() as svd:
        text = ecosystem(web=(2, {}), api=(1, {}))
        svd.apply(text)
        svd.svctl("stop", "web")
        before = svd.pids()
        equal(sorted(before), ["t:api/0"], "after stopping web")
        svd.stop()
        check(not os.path.exists(f"/proc/{before['t:api/0']}"), "svd's end stops the apps")
        svd.apply("version: 1\nname: second\napps: {}\n", name="second.yaml")  # starts the daemon again
        svd.wait_ready("t:api", 1)
        equal(sorted(svd.pids()), ["t:api/0"], "what runs in the second life")
        equal(svd.apps()["t:web"]["state"], "stopped", "web's state in the second life")
        svd.svctl("start", "web")
        equal(len(svd.pids()), 3, "after starting web")


def instances_get_a_clean_start():
    """an instance inherits no descriptor and no environment of svd's"""
    with Daemon(LEAK_ME="secret") as svd:
        svd.apply(ecosystem(web=(2, {"MINE": "1"})))
        for name, pid in svd.pids().items():
            equal(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2"], f"descriptors of {name}")
            names = {entry.split(b"=")[0].decode() for entry in open(f"/proc/{pid}/environ", "rb").read().split(b"\0") if entry}
            check("LEAK_ME" not in names and "SVD_HOME" not in names, f"{name}'s environment {sorted(names)}")
            for wanted in ("MINE", "PATH", "SVD_ECOSYSTEM", "SVD_APP", "SVD_INSTANCE", "SVD_INSTANCES", "SVD_REVISION", "NODE_APP_INSTANCE"):
                check(wanted in names, f"{name} sees {wanted}")


run(same_file_changes_nothing, a_pipe_of_the_shell_is_no_place, a_daemon_in_the_background_serves_when_svd_returns, changed_env_touches_that_app_only, scale_touches_no_survivor, ecosystems_live_side_by_side,
    rollback_goes_back, two_first_applies_start_one_daemon, stopped_apps_stay_stopped_over_a_restart_of_svd,
    instances_get_a_clean_start)
