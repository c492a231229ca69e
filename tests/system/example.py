# SPDX-License-Identifier: Apache-2.0
"""What the tests of contrib/examples share: a copy of an example on free ports, and asking it."""
import os
import re
import shutil
import socket
import time
import urllib.error
import urllib.request

from harness import Failed, SOURCE, check

EXAMPLES = SOURCE / "contrib/examples"


def free_ports(count):
    """The first of so many free ports in a row."""
    for first in range(21000, 32000, 17):
        taken = []
        try:
            for port in range(first, first + count):
                taken.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for one in taken:
                one.close()
    raise Failed("no free ports")


def place(svd, name, port, count):
    """A copy of the example in the test's own directory, its ports moved to free ones."""
    target = svd.directory / name
    shutil.copytree(EXAMPLES / name, target, ignore=shutil.ignore_patterns("__pycache__"))
    first = free_ports(count)
    for root, _, files in os.walk(target):
        for file in files:
            path = os.path.join(root, file)
            text = open(path, encoding="utf-8").read()
            moved = re.sub(rf"\b{port // 10}(\d)\b", lambda m: str(first + int(m[1])), text)
            if moved != text:
                open(path, "w", encoding="utf-8").write(moved)
    return target, first


def get(url):
    """The answer, as soon as there is one: a program that runs need not listen yet."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return reply.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            check(time.monotonic() < deadline, f"{url}: {error}")
            time.sleep(.05)  # pace: nothing here tells when a foreign program listens


def need(*programs):
    for program in programs:
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            raise Failed(f"{program} is not installed (contrib/packages)")
