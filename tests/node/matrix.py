#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Unmodified Node programs on svd's channel: every way to listen, each Node that is asked for.

    matrix.py local            the machine's own node
    matrix.py MAJOR            that major, from npm's package `node`, kept in $SVD_NODE_CACHE; skipped where npm has none
"""
import collections
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from harness import Daemon, Failed, check, equal, run, say   # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ASKS = 20           # connections to each address
MISSED = 2          # turns of round robin, at most
SKIP = 77


# --- Node --------------------------------------------------------------------------------------------------------------

def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(SKIP)


def find_node(which):
    if which == "local":
        return shutil.which("node") or skip("there is no node on this machine")
    if not which.isdigit():
        sys.exit(__doc__)
    place = pathlib.Path(os.environ["SVD_NODE_CACHE"]) / which
    node = place / "node_modules/node/bin/node"
    if not node.exists():
        if not shutil.which("npm"):
            skip("there is no npm to install Node with")
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "install", "--prefix", place, "--no-audit", "--no-fund", f"node@{which}"], timeout=600,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0 or not node.exists():
            skip(f"npm cannot install node@{which}: {done.stdout.strip()[-300:]}")
    return str(node)


# --- clients -----------------------------------------------------------------------------------------------------------

def dial(address, family=socket.AF_INET):
    client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect(address)
    return client


def first_line(address, family=socket.AF_INET):
    """Whom a plain TCP or unix server says that it is."""
    with dial(address, family) as client:
        return int(client.makefile().readline())


def http(host, port, wrap=lambda client: client):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with wrap(dial((host, port), family)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    check(answer.startswith(b"HTTP/1.1 200"), f"http {host}:{port} answered {answer[:80]!r}")
    return int(answer.split(b"\r\n\r\n", 1)[1].split(b"\r\n")[-1 if b"chunked" not in answer.lower() else 1])


def tls_context(alpn=None):
    context = ssl.create_default_context(cafile=str(HERE / "cert.pem"))
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


def datagram(host, port, family):
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.sendto(b"who", (host, port))
        return int(client.recv(100))


def http2(port):
    """Preface and SETTINGS; the server's SETTINGS frame comes back."""
    with tls_context("h2").wrap_socket(dial(("127.0.0.1", port)), server_hostname="localhost") as client:
        equal(client.selected_alpn_protocol(), "h2", "ALPN")
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        head = client.recv(9)
        equal(head[3], 4, "the first frame's type (SETTINGS)")


def free_port():
    """Nobody has it now on any address; the kernel gives others out first for a while."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind(("::", 0))
        return probe.getsockname()[1]


# --- the cases ---------------------------------------------------------------------------------------------------------

class Case:
    def __init__(self, name, check_it, listen=None, ports=1, program=None, instances=2):
        self.name, self.check_it, self.listen, self.ports = name, check_it, listen, ports
        self.program = program or ["cases.cjs"]
        self.instances = instances


class Stage:
    """A case while it runs: where it listens, who its instances are."""

    def __init__(self, case, mode, directory):
        self.case, self.mode = case, mode
        self.out = directory / f"{case.name}"
        self.ports = [free_port() for _ in range(case.ports)]
        self.name = f"svd-{os.getpid()}-{mode}-{case.name}"
        self.reports = []

    def yaml(self, node):
        case = self.case
        program = [node, str(HERE / case.program[0])]
        env = {"CASE": case.name, "OUT": str(self.out), "NAME": self.name}
        for index, port in enumerate(self.ports):
            env["PORT" + (str(index + 1) if index else "")] = str(port)
        app = {"exec": program, "cwd": str(self.out.parent), "instances": case.instances, "channel": "node", "env": env,
               "logs": {"to": "file"}, "stop": {"timeout": "5s"}, "ready": {"timeout": "50s"}}
        if case.name == "refused":
            app["ready"] = {"channel": False}
        if case.name == "refused" and os.geteuid() == 0:
            app["user"] = "nobody"
        if self.mode != "undeclared" and case.listen:
            app["listen"] = {name: {**where, **({"balance": self.mode} if self.mode != "shared" and "udp" not in where else {})}
                             for name, where in case.listen(self).items()}
        return app

    def read(self):
        """The instances' reports, when all are there."""
        found = [pathlib.Path(f"{self.out}.{slot}") for slot in range(self.case.instances)]
        if not all(path.exists() for path in found):
            return False
        self.reports = [json.loads(path.read_text()) for path in found]
        return True

    @property
    def pids(self):
        return {report["pid"] for report in self.reports}

    def everyone_serves(self, ask, what, asks=ASKS):
        """Each answer is one of our instances'; round robin gives each the same share, but that one misses its turn which
        has answered the client and not yet svd, as on a busy machine it may."""
        counts = collections.Counter(ask() for _ in range(asks))
        check(set(counts) <= self.pids, f"{what}: answers of {set(counts)}, want {self.pids}")
        if self.mode == "round-robin" and self.case.listen:
            check(min(counts[pid] for pid in self.pids) >= asks // 2 - MISSED, f"{what}: shares {dict(counts)}")


def two_ports(stage):
    port, other = stage.ports
    stage.everyone_serves(lambda: http("127.0.0.1", port), "http")
    stage.everyone_serves(lambda: first_line(("127.0.0.1", other)), "echo")


def unix_paths(stage):
    for path in (f"{stage.out}.sock", f"{stage.out}.rel.sock"):
        stage.everyone_serves(lambda: first_line(path, socket.AF_UNIX), path)


def any_ports(stage):
    ports = [[address["port"] for address in report["addresses"]] for report in stage.reports]
    equal(ports[0], ports[1], "the ports of the two instances")
    check(ports[0][0] != ports[0][1] and all(ports[0]), f"two different ports: {ports[0]}")
    for port in ports[0]:
        stage.everyone_serves(lambda: http("127.0.0.1", port), f"port {port}")


def udp(stage):
    stage.everyone_serves(lambda: datagram("127.0.0.1", stage.ports[0], socket.AF_INET), "udp4")
    stage.everyone_serves(lambda: datagram("::1", stage.ports[0], socket.AF_INET6), "udp6")


def https(stage):
    context = tls_context()
    session, resumed = None, 0
    for _ in range(ASKS):
        with context.wrap_socket(dial(("127.0.0.1", stage.ports[0])), server_hostname="localhost", session=session) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            while client.recv(65536):
                pass
            resumed += client.session_reused
            session = session or client.session
    equal(resumed, ASKS - 1, "TLS sessions resumed, whichever instance answers")


def hosts(stage):
    port, name, v6 = stage.ports
    stage.everyone_serves(lambda: http("127.0.0.1", port), "127.0.0.1")
    stage.everyone_serves(lambda: http("::1", port), "::1")
    resolved = stage.reports[0]["addresses"][2]["address"]
    stage.everyone_serves(lambda: http(resolved if resolved not in ("::", "0.0.0.0") else "127.0.0.1", name), "localhost")
    stage.everyone_serves(lambda: http("::1", v6), "ipv6Only")
    try:
        dial(("127.0.0.1", v6)).close()
        raise Failed("an ipv6Only server has an IPv4 address")
    except ConnectionRefusedError:
        pass


def at_most_one_each(stage):
    """maxConnections 1: both instances hold one; a third one waits, or is closed, and is served when there is room."""
    clients, served = [], set()
    deadline = time.monotonic() + 30
    while served != stage.pids:
        check(time.monotonic() < deadline, f"only {served} of {stage.pids} served")
        client = dial(("127.0.0.1", stage.ports[0]))
        line = client.makefile().readline()
        if line:
            served.add(int(line))
            clients.append(client)
        else:
            client.close()   # shared: Node closes what is too much
    clients.pop().close()
    while True:
        client = dial(("127.0.0.1", stage.ports[0]))
        line = client.makefile().readline()
        client.close()
        if line:
            break
        check(time.monotonic() < deadline, "nobody served when there was room")
    for client in clients:
        client.close()


def taken(stage):
    for report in stage.reports:
        equal(report["code"], "EADDRINUSE", "a second listen() on the port in one process")
    stage.everyone_serves(lambda: http("127.0.0.1", stage.ports[0]), "http")


def refused(stage):
    for report in stage.reports:
        equal(report["code"], "EACCES", "port 80 for a user without rights")


def simple_http(stage):
    stage.everyone_serves(lambda: http("127.0.0.1", stage.ports[0]), "http")


def tcp(*names):
    return lambda stage: {name: {"tcp": f"[::]:{stage.ports[index]}"} for index, name in enumerate(names)}


CASES = [
    Case("http", simple_http, tcp("http")),
    Case("module", simple_http, tcp("http"), program=["module.mjs"]),
    Case("echo", lambda stage: stage.everyone_serves(lambda: first_line(("127.0.0.1", stage.ports[0])), "echo"), tcp("echo")),
    Case("unix", unix_paths, lambda stage: {"abs": {"unix": f"{stage.out}.sock"}, "rel": {"unix": f"{stage.out}.rel.sock"}}),
    Case("abstract", lambda stage: stage.everyone_serves(lambda: first_line("\0" + stage.name, socket.AF_UNIX), "abstract"),
         lambda stage: {"name": {"unix": "@" + stage.name}}),
    Case("zero", any_ports),
    Case("two", two_ports, tcp("http", "echo"), ports=2),
    Case("udp", udp, lambda stage: {"v4": {"udp": f"127.0.0.1:{stage.ports[0]}"}, "v6": {"udp": f"[::1]:{stage.ports[0]}"}}),
    Case("https", https, tcp("https")),
    Case("http2", lambda stage: http2(stage.ports[0]), tcp("http2")),
    Case("hosts", hosts, lambda stage: {"v4": {"tcp": f"127.0.0.1:{stage.ports[0]}"}, "v6": {"tcp": f"[::1]:{stage.ports[0]}"},
                                        "name": {"tcp": f"{stage.ports[1]}"},
                                        "only6": {"tcp": f"[::]:{stage.ports[2]}", "v6only": True}}, ports=3),
    Case("again", simple_http, tcp("http")),
    Case("busy", taken),
    Case("max", at_most_one_each, tcp("max")),
    Case("descriptor", simple_http, tcp("http")),
    Case("refused", refused),
]
ONLY_DECLARED = {"descriptor"}
ONLY_UNDECLARED = {"busy", "refused", "zero"}


def check_worker(stage):
    for report in stage.reports:
        check(report["worker"], f"{stage.case.name}: cluster.isWorker")
        check(report["main"], f"{stage.case.name}: require.main is the program")
        equal(report["env"], [], f"{stage.case.name}: what Node takes out of the environment")


def run_mode(node, mode, cases):
    with Daemon() as svd:
        directory = svd.directory / "out"
        directory.mkdir()
        os.chmod(svd.directory, 0o755)
        os.chmod(directory, 0o777)
        stages = [Stage(case, mode, directory) for case in cases]
        svd.apply(json.dumps({"version": 1, "name": "node", "apps": {stage.case.name: stage.yaml(node) for stage in stages}}),
                  timeout=240)
        for stage in stages:
            svd.wait_until(stage.read, f"{stage.case.name}: both instances listen", timeout=120)
            check_worker(stage)
            stage.case.check_it(stage)
        pids = svd.pids()
        equal(len(pids), 2 * len(stages), "instances that run")
        restarts = {name: one["restarts"] for name, one in svd.instances().items() if one["restarts"]}
        equal(restarts, {}, "restarts")
    say(f"   {mode}: {len(stages)} of {len(stages)}: {' '.join(stage.case.name for stage in stages)}")


def main():
    which = sys.argv[1] if len(sys.argv) > 1 else "local"
    node = find_node(which)
    version = subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    say(f"node {version} ({which})")

    def undeclared():
        """what the file does not declare is opened for the app, and shared"""
        run_mode(node, "undeclared", [case for case in CASES if case.name not in ONLY_DECLARED])

    def shared():
        """what the file declares is given to the workers"""
        run_mode(node, "shared", [case for case in CASES if case.name not in ONLY_UNDECLARED])

    def even():
        """each slot has its own socket"""
        run_mode(node, "even", [case for case in CASES if case.name in ("http", "echo", "two", "https")])

    def round_robin():
        """connections are passed over the channel, each worker the same share"""
        run_mode(node, "round-robin", [case for case in CASES if case.name not in ONLY_UNDECLARED | {"udp"}])

    run(*[test for test in (undeclared, shared, even, round_robin) if not sys.argv[2:] or test.__name__ in sys.argv[2:]])


if __name__ == "__main__":
    main()
