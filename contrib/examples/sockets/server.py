"""Answers on the socket that svd passes as the first descriptor (LISTEN_FDS)."""
import os
import socket

assert os.environ["LISTEN_PID"] == str(os.getpid()) and os.environ["LISTEN_FDNAMES"] == "http"
listening = socket.fromfd(3, socket.AF_INET, socket.SOCK_STREAM)
body = f"python/{os.environ['SVD_INSTANCE']}\n".encode()
while True:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
