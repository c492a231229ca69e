#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How the preload lets clients go (leaving.cjs), with the Node that is asked for, as in matrix.py.

    leaving.py local|MAJOR [TEST…]        SVD_LEAVES: how many reloads under load, 2 by default
"""
import os
import pathlib
import subprocess
import sys

from matrix import find_node

HERE = pathlib.Path(__file__).resolve().parent
PRELOAD = pathlib.Path(os.environ["SVD_BUILD_TREE"]) / "libexec/svd/node-preload.cjs"


def main():
    node = find_node(sys.argv[1])
    environment = {"SVD_LEAVES": "2", **os.environ}
    sys.exit(subprocess.run([node, HERE / "leaving.cjs", PRELOAD, *sys.argv[2:]], env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
