# SPDX-License-Identifier: Apache-2.0
"""Containers whose PID 1 is svd, by podman and crun: without an image, on a directory with little but svd in it.

    with Container() as box:             or Container(user="alice"): rootless
        box.svctl("apply", "-", input="version: 1 …")
        box.stop()
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import APP, TIMEOUT, check, say
from vm import output

PROGRAMS = ("/usr/bin/svd", "/usr/bin/svctl", "/usr/libexec/svd/engine", "/usr/libexec/svd/logtool", "/usr/bin/sh")
UP = "serves unix:path="  # what the daemon says when it listens


def make_root(at):
    """Programs, what they link, a shell, and the app of tests/system as /usr/bin/app."""
    for name in ("proc", "sys", "dev", "tmp", "run", "etc", "var", "usr/bin", "usr/lib", "usr/lib64"):
        (at / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (at / name).symlink_to(f"usr/{name}")
    (at / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (at / "etc/group").write_text("root:x:0:\n")
    copy(APP, at / "usr/bin/app")
    for file in {*PROGRAMS, *re.findall(r"(/\S+) \(0x", output("ldd", *PROGRAMS))}:
        copy(file, at / file.lstrip("/"))


def copy(source, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(os.path.realpath(source), to)


def prepare_user(user):
    """Without a session podman cannot ask the user's systemd for cgroups; the manager stays when nobody is logged in."""
    output("loginctl", "enable-linger", user)
    uid = int(output("id", "-u", user))
    output("systemctl", "start", f"user@{uid}.service")
    return ["runuser", "-u", user, "--", "env", f"HOME=/home/{user}", f"XDG_RUNTIME_DIR=/run/user/{uid}"]


class Container:
    """Podman runs in the foreground: what it says is the container's log, what it exits with the container's code."""

    def __init__(self, *options, user=None, command=("svd", "--foreground")):
        self.podman = [*(prepare_user(user) if user else []), "podman"]
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="container-", dir=f"/home/{user}" if user else "/var/tmp"))
        make_root(self.directory / "root")
        if user:
            output("chown", "-R", f"{user}:", self.directory)
        self.name, self.log = self.directory.name, []
        self.process = subprocess.Popen(
            [*self.podman, "run", "--rm", "--name", self.name, "--network", "none", *options, "--rootfs", self.directory / "root", *command],
            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        self.wait_for(UP)
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            output(*self.podman, "kill", self.name, ok=False, cwd=self.directory)
        self.process.wait(TIMEOUT)
        self.read_rest()
        if kind is not None:
            say("--- the container's log\n" + "".join(self.log))
        shutil.rmtree(self.directory)

    def wait_for(self, words):
        """Until its log has these."""
        for line in self.process.stdout:
            self.log.append(line)
            if words in line:
                return
        check(False, f"the container ended without having said '{words}':\n" + "".join(self.log))

    def read_rest(self):
        if not self.process.stdout.closed:
            self.log += self.process.stdout
            self.process.stdout.close()

    def run(self, *command, **more):
        """In the container; what it says."""
        return output(*self.podman, "exec", "-i", self.name, *command, cwd=self.directory, **more)

    def shell(self, script):
        return self.run("sh", "-euc", script)

    def svctl_json(self, *arguments):
        return json.loads(self.run("svctl", *arguments, "--json"))

    def stop(self):
        """podman stop; the exit code of the container."""
        output(*self.podman, "stop", "--time", "60", self.name, cwd=self.directory)
        return self.process.wait(TIMEOUT)
