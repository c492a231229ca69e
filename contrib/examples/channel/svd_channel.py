"""The channel of svd for a Python program (channel: json): one JSON value a line, both ways."""
import json
import os
import socket


class Channel:
    def __init__(self):
        self.socket = socket.socket(fileno=int(os.environ["SVD_CHANNEL_FD"]))
        self.socket.setblocking(True)
        self.socket.set_inheritable(False)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def send(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def __iter__(self):
        return (json.loads(line) for line in self.lines)
