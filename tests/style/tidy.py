#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over src/, remembering what was clean: only files whose text, or that of a header of ours that they
include, has changed are looked at again.

    tidy.py SOURCE_DIR BUILD_DIR     exit status 1 when anything is wrong
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
CACHE = pathlib.Path(os.environ.get("SVD_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "svd") / "tidy"


def reachable(source, path, seen):
    if path in seen or not path.exists():
        return seen
    seen.add(path)
    for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        reachable(source, source / "src" / name, seen)
    return seen


def key(source, path, command):
    digest = hashlib.sha256(command.encode() + (source / ".clang-tidy").read_bytes())
    for one in sorted(reachable(source, path, set())):
        digest.update(str(one.relative_to(source)).encode() + b"\0" + one.read_bytes())
    return CACHE / digest.hexdigest()


def look(tool, build, path, stamp):
    done = subprocess.run([tool, "-p", build, "--quiet", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode == 0:
        stamp.touch()
    return done.returncode, done.stdout


def main(source, build):
    source, tool = pathlib.Path(source), shutil.which("clang-tidy-14")
    if not tool:
        print("SKIPPED: no clang-tidy-14 here: other versions say other things")
        return 77
    CACHE.mkdir(parents=True, exist_ok=True)
    commands = json.loads(pathlib.Path(build, "compile_commands.json").read_text())
    todo = []
    for entry in commands:
        path = pathlib.Path(entry["file"])
        if path.suffix == ".cpp" and (source / "src") in path.parents:
            stamp = key(source, path, re.sub(r"\S*" + re.escape(str(build)) + r"\S*", "", entry.get("command", "")))
            if not stamp.exists():
                todo.append((path, stamp))
    print(f"{len(todo)} files to look at")
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for code, output in pool.map(lambda one: look(tool, build, *one), todo):
            wrong += code != 0
            print(output, end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
