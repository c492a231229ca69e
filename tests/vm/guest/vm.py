# SPDX-License-Identifier: Apache-2.0
"""What the cases of a machine share, beside tests/system/harness.py.

    with SystemDaemon() as svd:      the daemon that runs there already, as root's svctl finds it: PID 1 of flavour bare,
        svd.apply('version: 1 …')    svd.service of flavour systemd
"""
import os
import pathlib
import shutil
import subprocess

from harness import Daemon, equal, say

CGROUP2 = pathlib.Path("/sys/fs/cgroup")
LINGERS = pathlib.Path("/var/lib/systemd/linger/alice")
CONTROLLERS = {"cpu", "cpuset", "io", "memory", "pids"}


class SystemDaemon(Daemon):
    """Not ours to stop: what a test applied is deleted at its end, and the daemon stays."""

    def __init__(self, **environment):
        super().__init__(**environment)
        del self.environment["SVD_HOME"]

    def stop(self):
        pass

    def clean_up(self):
        self.delete_all()
        self.cgroup_base = None
        super().clean_up()

    def delete_all(self):
        self.svctl("delete", "all", ok=False)


class Delegated(Daemon):
    """A daemon alone in a cgroup that was given to it, as systemd does with Delegate=yes, with these controllers."""

    def __init__(self, controllers=CONTROLLERS, mount=CGROUP2, **environment):
        super().__init__(**environment)
        cases = mount / pathlib.Path("/proc/self/cgroup").read_text().strip().removeprefix("0::/")
        self.outer = cases.parent / self.directory.name
        self.cgroup = self.outer / "svd"
        self.controllers = controllers

    def __enter__(self):
        self.outer.mkdir()
        for controller in self.controllers:
            (self.outer / "cgroup.subtree_control").write_text(f"+{controller}")
        self.cgroup.mkdir()
        os.setxattr(self.cgroup, "user.delegate", b"1")
        self.run_svd()
        return self

    def run_svd(self):
        ready, theirs = os.pipe()
        process = subprocess.Popen(["/usr/bin/svd", "--foreground", "--ready-fd", str(theirs)], env=self.environment, pass_fds=[theirs],
                                   stdin=subprocess.DEVNULL, start_new_session=True, cwd=self.directory,
                                   preexec_fn=lambda: (self.cgroup / "cgroup.procs").write_text("0"))
        self.open.append(process)
        os.close(theirs)
        with open(ready) as said:
            equal(said.read(), "ready\n", "what svd says when it serves")

    def take_away(self, controller):
        """From the bottom up, while nothing runs."""
        for path, _, _ in os.walk(self.outer, topdown=False):
            (pathlib.Path(path) / "cgroup.subtree_control").write_text(f"-{controller}")

    def clean_up(self):
        super().clean_up()
        for path, _, _ in os.walk(self.outer, topdown=False):
            os.rmdir(path)


def files():
    """A directory whose files are sent to the host, for people to look at."""
    return pathlib.Path(os.environ["SVD_VM_FILES"])


def output(*command, ok=True, **more):
    """What a program says on standard output; with ok, it has to succeed."""
    more = more if "input" in more else {"stdin": subprocess.DEVNULL, **more}
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if ok and done.returncode != 0:
        say(done.stdout + done.stderr)
        equal(done.returncode, 0, f"exit status of {' '.join(map(str, command))}")
    return done.stdout


class Service(SystemDaemon):
    """svd.service, started for one test; stopped after it, and its state thrown away."""

    def __enter__(self):
        self.systemctl("start")
        return self

    def clean_up(self):
        output("systemctl", "stop", "svd.socket", "svd.service")
        shutil.rmtree("/var/lib/svd", ignore_errors=True)
        super().clean_up()

    def delete_all(self):
        pass

    def systemctl(self, verb):
        output("systemctl", "reset-failed", "svd.service", ok=False)  # many starts are what we want; none, when it is not loaded
        output("systemctl", verb, "svd.service")

    def property(self, name):
        return output("systemctl", "show", "--value", "--property", name, "svd.service").strip()

    def answers(self):
        """Whether anybody serves at the moment."""
        return self.svctl("daemon", "status", ok=False).returncode == 0

    def main_pid(self):
        return int(self.property("MainPID"))


class Alice:
    """Not logged in: all that there is of her is the user manager, if she lingers."""

    def __enter__(self):
        LINGERS.unlink(missing_ok=True)
        return self

    def __exit__(self, *_):
        output("loginctl", "disable-linger", "alice")
        output("systemctl", "stop", "user@1000.service")

    def run(self, *command, code=0, **more):
        done = subprocess.run(["runuser", "-u", "alice", "--", "env", "HOME=/home/alice", "XDG_RUNTIME_DIR=/run/user/1000", *command], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/home/alice", **{"stdin": subprocess.DEVNULL, **more})
        say(f"alice: {' '.join(command)}: {done.returncode}\n{done.stdout}")
        equal(done.returncode, code, f"exit status of {command}")
        return done.stdout
