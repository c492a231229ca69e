# SPDX-License-Identifier: Apache-2.0
"""What the tests of this tier share: an app of unmodified Node servers, and load on it with an account of every failure."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
from harness import BUILD, Daemon, Failed, check, equal, run, say  # noqa: E402,F401  one import for the tests

LOAD = str(BUILD / "tests/cluster/load")
SERVER = HERE / "server.js"
BALANCES = ("shared", "even", "sticky", "round-robin")


def times(name, by_default):
    """How often: a test that is to be run by hand for the record takes SVD_<name> from the environment."""
    return int(os.environ.get(f"SVD_{name}", by_default))


PAUSE = times("PAUSE", 2000)  # of slow clients, in milliseconds: an instance that leaves waits for the slowest


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def web(port, balance="shared", instances=4, release="1", exec=f"[node, {SERVER}]", more=""):
    """The ecosystem: one app, t:web, of `instances` servers behind one port."""
    return f"""
version: 1
name: t
apps:
  web:
    exec: {exec}
    instances: {instances}
    channel: node
    listen: {{ http: {{ tcp: "127.0.0.1:{port}", balance: {balance} }} }}
    env: {{ PORT: "{port}", RELEASE: "{release}" }}
    {more}
"""


class Load:
    """Clients on a port, until end(): {"requests": …, "failed": …, "causes": {…}, …} and "failures": [(cause, port, ms)]."""

    def __init__(self, port, name, *options):
        self.name = name
        self.failures = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop it when it is full
        self.process = subprocess.Popen([LOAD, "127.0.0.1", str(port), *options], text=True,
                                        stdout=subprocess.PIPE, stderr=self.failures)

    def end(self, timeout=90):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=timeout)
        self.failures.seek(0)
        err = self.failures.read()
        equal(self.process.returncode, 0, f"{self.name}: exit status ({err[-500:]})")
        told = json.loads(out)
        told["failures"] = []
        for line in err.splitlines():
            if line.startswith("FAILED "):
                *cause, port, when = line.split()[1:]
                told["failures"].append((" ".join(cause), int(port), float(when)))
        say(f"   {self.name}: {told['requests']} requests, {told['failed']} failed {told['causes'] or ''}")
        check(told["requests"] > 0, f"{self.name}: no request was answered")
        return told

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.failures):
            stream.close()


def loads(port):
    """The three kinds of clients: busy ones that keep their connection, busy ones that do not, and many slow ones that do.
    From several addresses: `balance: sticky` goes by them."""
    return [Load(port, "kept connections", "clients=16", "sources=16"),
            Load(port, "a connection each", "clients=16", "sources=16", "mode=close"),
            Load(port, "slow clients", "clients=300", "sources=50", f"pause={PAUSE}")]
