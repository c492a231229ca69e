"""Binds its address by itself, together with its siblings (SO_REUSEPORT)."""
import os
import socket

listening = socket.create_server(("127.0.0.1", 18103), reuse_port=True)
body = f"own/{os.environ['SVD_INSTANCE']}\n".encode()
while True:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
