#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` puts into a prefix works there, and from wherever the prefix is moved to."""
import os
import pathlib
import subprocess

from harness import APP, BUILD, Daemon, check, equal, run

EXPECTED = ["bin/svd", "bin/svctl", "libexec/svd/engine", "libexec/svd/logtool", "share/svd/schemas/ecosystem.schema.json",
            "share/svd/schemas/org.svd1.xml", "lib/systemd/system/svd.service", "lib/systemd/user/svd.service",
            "share/bash-completion/completions/svctl", "share/zsh/site-functions/_svctl",
            "share/fish/vendor_completions.d/svctl.fish", "share/doc/svd/copyright", "share/doc/svd/README.md",
            "share/doc/svd/examples/shop/ecosystem.yaml"]


def a_moved_prefix_works():
    """installed, moved, used: svctl finds svd beside itself, svd its engine"""
    with Daemon() as svd:
        first, second = svd.directory / "first", svd.directory / "second"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", first, "--strip"], check=True, stdout=subprocess.DEVNULL)
        missing = [name for name in EXPECTED if not (first / name).exists()]
        equal(missing, [], "missing from the prefix")
        unit = (first / "lib/systemd/system/svd.service").read_text()
        check(f"ExecStart={first}/bin/svd" in unit, f"the unit names the prefix:\n{unit}")
        os.rename(first, second)
        svctl = [str(second / "bin/svctl")]
        svd.write(f"version: 1\napps:\n  web: {{ exec: [{APP}, wait], logs: {{ to: none }} }}\n")
        subprocess.run(svctl + ["apply", "ecosystem.yaml"], env=svd.environment, cwd=svd.directory, check=True, stdout=subprocess.DEVNULL)
        daemon = svd.daemon()
        equal(os.readlink(f"/proc/{daemon['pid']}/exe"), str(second / "bin/svd"), "the keeper's program")
        equal(os.readlink(f"/proc/{daemon['engine_pid']}/exe"), str(second / "libexec/svd/engine"), "the engine's program")


def release_is_hardened():
    """the programs are position independent, with read-only relocations, bound at start, and a stack that cannot run"""
    for name in EXPECTED[:4]:
        headers = subprocess.run(["readelf", "-Whld", str(BUILD / name)], check=True, stdout=subprocess.PIPE, text=True).stdout
        check("DYN (Position-Independent Executable" in headers, f"{name} is position independent")
        check("GNU_RELRO" in headers and ("BIND_NOW" in headers or "NOW" in headers), f"{name} has full RELRO")
        stack = next(line for line in headers.splitlines() if "GNU_STACK" in line)
        check("RWE" not in stack, f"{name}'s stack: {stack}")


run(a_moved_prefix_works, release_is_hardened)
