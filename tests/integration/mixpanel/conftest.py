"""A real local server whose path asks for the behaviour, plain and with TLS."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import zlib
from pathlib import Path

import pytest

TLS = Path(__file__).parents[2] / "data" / "tls"
OK = b'{"status": 1, "error": null}'


def answer(body=OK, status="200 OK", headers=""):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def packed(body):
    packer = zlib.compressobj(wbits=31)
    return packer.compress(body) + packer.flush()


BOMB = packed(bytes(50_000_000))


class Request:
    """One request as it arrived."""

    def __init__(self, stream):
        self.line = stream.readline().decode("latin-1")
        self.headers = {}
        while (line := stream.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.behaviour = self.line.partition("/")[2].partition("/")[0]
        length = int(self.headers.get("content-length", 0))
        self.body = b"" if self.behaviour == "deaf" else stream.read(length)


class Server:
    """Serves connections in threads, until closed; remembers what it got."""

    def __init__(self, context=None):
        self.context = context
        self.requests = []
        self.connections = 0
        self.closing = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.closing.set()
        self.listener.close()

    def _accept(self):
        while not self.closing.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as stream:
                while (request := Request(stream)).line:
                    self.requests.append(request)
                    if not self._behave(sock, request):
                        return
        except OSError:
            return

    def _behave(self, sock, request):
        """Do what the path asks for; true keeps the connection alive."""
        name = request.behaviour.replace("-", "_")
        if name.isdigit():
            sock.sendall(answer(b'{"error": "asked for"}', f"{name} Asked For"))
            return True
        return getattr(self, name, self.bad_gateway)(sock, request)

    def bad_gateway(self, sock, request):
        sock.sendall(answer(b"", "502 Bad Gateway"))

    def track(self, sock, request):
        sock.sendall(answer())
        return True

    def echo(self, sock, request):
        body = json.dumps({"line": request.line, "headers": request.headers}).encode()
        sock.sendall(answer(body, headers="Set-Cookie: sticky=yes\r\n"))
        return True

    def hang(self, sock, request):
        self.closing.wait(30)

    deaf = hang

    def trickle_headers(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._trickle(sock)

    def trickle_body(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        self._trickle(sock)

    def trickle_chunks(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._trickle(sock, b"1\r\nx\r\n")

    def _trickle(self, sock, drop=b"x"):
        while not self.closing.wait(0.02):
            sock.sendall(drop)

    def cut(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + OK)

    def cut_chunks(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1c\r\n" + OK)

    def cut_headers(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")

    def garbage(self, sock, request):
        sock.sendall(b"220 smtp.example ESMTP\r\n")

    def bad_gzip(self, sock, request):
        sock.sendall(answer(b"no gzip", headers="Content-Encoding: gzip\r\n"))

    def close_at_once(self, sock, request):
        return False

    def reset(self, sock, request):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def once(self, sock, request):
        """Answer the first request of a connection, reset at the second."""
        if sum(one.behaviour == "once" for one in self.requests) > 1:
            return self.reset(sock, request)
        return self.track(sock, request)

    def once_then_closed(self, sock, request):
        """Answer and close without saying so, as an idle timeout does."""
        self.track(sock, request)
        return False

    def endless_body(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self._pour(sock)

    def endless_header(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            sock.sendall(b"X: " + b"x" * 10_000 + b"\r\n")

    def endless_chunk_mark(self, sock, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._pour(sock)

    def _pour(self, sock):
        while True:
            sock.sendall(b"1" * 65_536)

    def gzip(self, sock, request):
        sock.sendall(answer(packed(OK), headers="Content-Encoding: gzip\r\n"))
        return True

    def gzip_bomb(self, sock, request):
        sock.sendall(answer(BOMB, headers="Content-Encoding: gzip\r\n"))
        return True

    def redirect(self, sock, request):
        sock.sendall(answer(b"", "307 Moved", f"Location: http://127.0.0.1:{self.port}/track\r\n"))
        return True

    def leak(self, sock, request):
        """Say the credentials back, as a helpful proxy would."""
        body = json.dumps({"error": request.headers.get("authorization"), "who": "svc-secret"})
        sock.sendall(answer(body.encode(), "401 No", "X-Who: svc-secret\r\n"))
        return True


def tls_context(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{name}.pem", TLS / f"{name}.key")
    return context


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def tls_server():
    running = Server(tls_context("localhost"))
    yield running
    running.close()


@pytest.fixture
def elsewhere_server():
    running = Server(tls_context("elsewhere"))
    yield running
    running.close()
