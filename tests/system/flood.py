#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What attackers run (floods.py): flood.py KIND [WHERE]. Writes a byte to the descriptor $GOING when the flood is under way.

For ever, until it is killed or cut off. Uses nothing but what any program can do.
"""
import array
import json
import os
import socket
import struct
import sys


def going():
    if os.environ.get("GOING"):
        os.write(int(os.environ.pop("GOING")), b"x")


def channel():
    number = os.environ.get("SVD_CHANNEL_FD") or os.environ["NODE_CHANNEL_FD"]
    ours = socket.socket(fileno=int(number))
    ours.setblocking(True)
    return ours


def say_for_ever(ours, text):
    ours.settimeout(None)
    while True:
        ours.sendall(text)
        try:
            while ours.recv(65536, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass


def rights(count):
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [2] * count))]


def notify(path):
    """Each datagram from a process with an environment that is long to read (floods.py gives it one), or with descriptors"""
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.connect(path)
    ours.send(b"READY=1\nSTATUS=forged")
    going()
    while True:
        for _ in range(50):
            ours.send(b"READY=1\nSTATUS=forged")
        ours.sendmsg([b"READY=1"], rights(253))


def connect(path):
    """Connections that are opened, hold their handshake open, or talk garbage"""
    kept, turn = [], 0
    while True:
        ours = socket.socket(socket.AF_UNIX)
        try:
            ours.connect(path)
            ours.send((b"\0", b"\0AUTH EXTERNAL ", b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n" + os.urandom(200), os.urandom(4096))[turn % 4])
        except OSError:
            pass
        kept.append(ours)
        turn += 1
        if turn == 200:
            going()
        if len(kept) > 400:
            kept.pop(0).close()


def marshal(serial, member, destination, path, interface, flags=0, signature="", body=b""):
    """A D-Bus method call, as the specification has it."""
    def text(value):
        return struct.pack("<I", len(value)) + value.encode() + b"\0"
    fields = b""
    for code, kind, value in ((1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination), (8, "g", signature)):
        if not value:
            continue
        fields += b"\0" * (-len(fields) % 8) + bytes([code, 1]) + kind.encode() + b"\0"
        fields += bytes([len(value)]) + value.encode() + b"\0" if kind == "g" else text(value)
    head = struct.pack("<BBBBIII", ord("l"), 1, flags, 1, len(body), serial, len(fields)) + fields
    return head + b"\0" * (-len(head) % 8) + body


def bus(path):
    """Calls over the message bus that are answered at length, and some that are refused"""
    ours = socket.socket(socket.AF_UNIX)
    ours.connect(path)
    ours.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\nBEGIN\r\n")
    ours.sendall(marshal(1, "Hello", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"))
    serial, none = 1, struct.pack("<I", 0)
    while True:
        for member, flags, signature, body in (("ListInstances", 0, "as", none), ("ListUsage", 0, "as", none), ("Shutdown", 1, "b", struct.pack("<I", 1))):
            serial += 1
            ours.sendall(marshal(serial, member, "org.svd1", "/org/svd1", "org.svd1.Manager", flags, signature, body))
        if serial == 301:
            going()
        try:
            while ours.recv(1 << 20, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass


def lines():
    """Short messages for nobody in particular, without end"""
    going()
    say_for_ever(channel(), b"1\n" * 20000)


def unfinished():
    """Messages of almost 8 MiB that never end, or do"""
    ours, part = channel(), b"x" * (1 << 20)
    going()
    while True:
        ours.sendall(b'"')
        for _ in range(7):
            ours.sendall(part)
        if os.environ.get("SVD_INSTANCE", "0").endswith("0"):
            ours.sendall(b'"\n')
        else:
            ours.sendall(b"y" * 1000)


def garbage():
    """No JSON, and letters to nobody; each is told"""
    going()
    say_for_ever(channel(), (b'{"svd":{"to":"nobody/7","id":7},"data":1}\n' + b"{[\n") * 2000)


def descriptors():
    """Descriptors with an incomplete line"""
    ours = channel()
    going()
    while True:
        ours.sendmsg([b"x"], rights(60))


def handles():
    """Handles for another instance, which reads none"""
    ours = channel()
    handle = b'{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"svd":{"to":"flood/1"},"data":1}}\n'
    going()
    while True:
        if os.environ.get("NODE_APP_INSTANCE") == "1":
            os.read(0, 1)
            continue
        ours.sendmsg([handle], rights(1))


def query(seq, port, data, act="queryServer", **more):
    return json.dumps({"cmd": "NODE_CLUSTER", "act": act, "index": 0, "seq": seq, "address": "127.0.0.1", "port": port,
                       "addressType": 4, "data": data, **more}).encode() + b"\n"


def queries():
    """Sockets by the dozen with 8 MiB of data each, then small ones without end"""
    ours, seq = channel(), 0
    ours.settimeout(20)
    large = "x" * ((8 << 20) - 400)
    for port in range(20000, 20064):
        seq += 1
        ours.sendall(query(seq, port, large))
        if seq == 4:
            going()
    while True:
        for port in range(0, 64):
            seq += 1
            ours.sendall(query(seq, 0, "y" * 500, index=port))
        try:
            while ours.recv(65536, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass


def log():
    """Lines to standard output, as fast as it takes them"""
    going()
    while True:
        os.write(1, b"a line of a log, and nothing else in it\n" * 200)


def crash():
    """A flood, and then its end, again and again"""
    ours = channel()
    ours.setblocking(False)
    going()
    try:
        while True:
            ours.send(b"1\n" * 30000)
    except BlockingIOError:
        os._exit(1)


KINDS = (notify, connect, bus, lines, unfinished, garbage, descriptors, handles, queries, log, crash)

if __name__ == "__main__":
    {kind.__name__: kind for kind in KINDS}[sys.argv[1]](*sys.argv[2:])
