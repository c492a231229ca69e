#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The built programs say that they work with a shadow stack (x86; see cmake/options.cmake for what they cannot say)."""
import pathlib
import platform
import subprocess
import sys


def main(build):
    cache = (build / "CMakeCache.txt").read_text()
    if platform.machine() != "x86_64" or not any(f"CMAKE_BUILD_TYPE:STRING={kind}\n" in cache for kind in ("Release", "RelWithDebInfo")):
        print("SKIPPED: only a release for x86-64 says so")
        return 77
    programs = [path for path in (build / "bin/svd", build / "bin/svctl", build / "libexec/svd/engine", build / "libexec/svd/logtool") if path.exists()]
    if not programs:
        print("SKIPPED: nothing is built")
        return 77
    silent = [path for path in programs
              if "SHSTK" not in subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True).stdout]
    for path in silent:
        print(f"{path} has no SHSTK note")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
