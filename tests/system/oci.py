# SPDX-License-Identifier: Apache-2.0
"""Containers by crun, whose PID 1 is svd from the bundle of contrib/container: what a container engine does, without the engine.

    with Container("svd", "/eco/eco.yaml", files={"eco.yaml": "version: 1 …"}) as box:
        box.wait_for("serves")
        box.svctl("ls")
"""
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

from harness import APP, BUILD, SOURCE, TIMEOUT, Failed, check, say
from pid1 import PROBE, Terminal

PREFIX = os.environ.get("SVD_TEST_PREFIX", str(BUILD))
DENY = str(BUILD / "tests/system/deny")
# crun wants one hierarchy of cgroups in the usual place, which need not be how this machine has it.
ALONE = ["unshare", "--mount", "sh", "-euc",
         'umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "$@"', "sh"]
# What container engines leave to root.
USUAL = [f"CAP_{name}" for name in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT")]
SHELL = ("sh", "sleep", "echo", "cat", "id", "ps", "kill", "touch", "mkdir", "ls", "trap", "true", "env")


def skip(why):
    say(f"SKIPPED: {why}")
    sys.exit(77)


def require_containers():
    for program in ("crun", "patchelf", "busybox"):
        if shutil.which(program) is None:
            skip(f"no {program} here")
    if os.geteuid() != 0:
        skip("crun's containers need root here")
    with tempfile.TemporaryDirectory(prefix="svd-test-") as place:
        make_bundle(pathlib.Path(place), ["true"], {})
        tried = crun(place, "run", "--bundle", place, "svd-test-probe", stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if tried.returncode != 0:
            skip(f"crun runs nothing here: {tried.stderr.strip()}")


def crun(place, *arguments, **more):
    return subprocess.run([*ALONE, "crun", "--root", f"{place}/state", "--cgroup-manager=disabled", *arguments], timeout=TIMEOUT, **more)


def make_image(root):
    """The bundle, a shell, and the tests' own programs with their libraries in /test. Returns what the bundle says of its size."""
    for name in ("bin", "proc", "sys", "dev", "run", "tmp", "var", "etc", "eco", "test/lib"):
        (root / name).mkdir(parents=True)
    said = subprocess.run([SOURCE / "contrib/container/bundle", PREFIX, root], check=True, stdout=subprocess.PIPE, text=True).stdout
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    for name in SHELL:
        (root / "bin" / name).symlink_to("busybox")
    loader = next((root / "opt/svd/lib").glob("ld-linux*")).name
    for program in (APP, PROBE, DENY):
        to = root / "test" / pathlib.Path(program).name
        shutil.copy(program, to)
        (root / "bin" / to.name).symlink_to(f"/test/{to.name}")
        for library in re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout):
            shutil.copy(os.path.realpath(library), root / "test/lib" / os.path.basename(library))
        subprocess.run(["patchelf", "--set-interpreter", f"/test/lib/{loader}", "--set-rpath", "/test/lib", to], check=True)
    return said.strip()


def make_bundle(place, command, options):
    subprocess.run(["crun", "spec"], check=True, cwd=place)
    config = json.loads((place / "config.json").read_text())
    root = pathlib.Path(options.get("image") or place / "rootfs")
    if not root.exists():
        (root / "bin").mkdir(parents=True)
        for name in ("proc", "sys", "dev"):
            (root / name).mkdir()
        shutil.copy(shutil.which("busybox"), root / "bin/true")
    process = config["process"]
    process.pop("rlimits", None)
    process.update(args=list(map(str, command)), terminal=options.get("terminal", False), user={"uid": options.get("uid", 0), "gid": 0},
                   env=["PATH=/usr/local/bin:/bin", "TERM=dumb", *(f"{k}={v}" for k, v in options.get("env", {}).items())],
                   capabilities=dict.fromkeys(("bounding", "effective", "permitted"), options.get("capabilities", USUAL)))
    config["root"] = {"path": str(root), "readonly": options.get("readonly", True)}
    config["linux"]["readonlyPaths"] += options.get("sealed", [])
    left_out = set(options.get("without", ()))
    config["mounts"] = [mount for mount in config["mounts"] if mount["destination"] not in left_out]
    for path in options.get("tmpfs", ()):
        config["mounts"].append({"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777" if path == "/tmp" else "mode=755"]})
    for source, path in {str(place / "files"): "/eco", **options.get("binds", {})}.items():
        if os.path.exists(source):
            config["mounts"].append({"destination": path, "type": "bind", "source": source, "options": ["rbind", "rw"]})
    (place / "config.json").write_text(json.dumps(config))


class Container:
    """Runs at once; what it writes is in `log`, its exit code is code()."""

    def __init__(self, *command, files=None, deny=(), image, **options):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="svd-test-"))
        self.place.chmod(0o755)  # a random user has to get through
        self.files = self.place / "files"
        self.files.mkdir()
        for name, text in (files or {}).items():
            (self.files / name).write_text(text)
        if deny:
            command = ("deny", *deny, "--", *command)
        make_bundle(self.place, command, {"image": image, **options})
        self.name, self.uid, self.log = self.place.name, options.get("uid", 0), ""
        words = [*ALONE, "crun", "--root", str(self.place / "state"), "--cgroup-manager=disabled", "run", "--bundle", str(self.place), self.name]
        self.terminal = Terminal(*words) if options.get("terminal") else None
        self.process = None if self.terminal else subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        crun(self.place, "delete", "--force", self.name, capture_output=True)
        if self.terminal:
            self.terminal.__exit__(kind, value, trace)
        else:
            self.process.wait(TIMEOUT)
            self.read()
            if kind is not None:
                say(f"--- the container's output\n{self.log}")
            self.process.stdout.close()
        shutil.rmtree(self.place)

    def read(self, timeout=0.0):
        """What there is; False: nothing came in that time, or nothing will any more."""
        if not select.select([self.process.stdout], [], [], max(0.0, timeout))[0]:
            return False
        part = os.read(self.process.stdout.fileno(), 65536).decode(errors="replace")
        self.log += part
        return part != ""

    def wait_for(self, words, count=1):
        """Until its output has these words so many times."""
        deadline = time.monotonic() + TIMEOUT
        while self.log.count(words) < count:
            if not self.read(deadline - time.monotonic()):
                raise Failed(f"the container never said {words!r} {count} times")

    def code(self):
        if self.terminal:
            return self.terminal.code()
        while self.read(TIMEOUT):
            pass
        return self.process.wait(TIMEOUT)

    def signal(self, name):
        """As `docker kill -s NAME`."""
        done = crun(self.place, "kill", self.name, name, capture_output=True, text=True)
        check(done.returncode == 0, f"crun kill: {done.stderr}")

    def pid(self):
        """Of the container's PID 1, as seen from here."""
        return json.loads(crun(self.place, "state", self.name, capture_output=True, text=True).stdout)["pid"]

    def run(self, *command, ok=True):
        """As `docker exec`; what it printed."""
        done = crun(self.place, "exec", "--user", f"{self.uid}:0", self.name, *map(str, command), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        check(not ok or done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def svctl(self, *arguments):
        return json.loads(self.run("svctl", *arguments, "--json"))

    def pids(self):
        """"shop:web/0" → pid within the container."""
        return {one["instance"]: one["pid"] for one in self.svctl("ls") if one["pid"]}
