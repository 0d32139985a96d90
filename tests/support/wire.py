"""Whole messages off a socket, as the bytes that came: RESP's (2 and 3) and HTTP/1.1's."""

import socket

_RECEIVED_AT_ONCE = 1 << 16


class Ended(Exception):
    """The stream ended, between two messages or in the middle of one."""


class Stream:
    """A socket's bytes; what was received and not yet read is in `buffer`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = bytearray()

    def line(self, end: bytes = b"\r\n") -> bytes:
        """Up to and with the next `end`."""
        looked = 0
        while (found := self.buffer.find(end, looked)) < 0:
            looked = max(len(self.buffer) - len(end) + 1, 0)
            self._receive()
        return self.exactly(found + len(end))

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._receive()
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def _receive(self) -> None:
        received = self.sock.recv(_RECEIVED_AT_ONCE)
        if not received:
            raise Ended
        self.buffer += received


def read_resp(stream: Stream) -> bytes:
    """One command or one reply (Redis: RESP protocol description)."""
    head = stream.line()
    kind, rest = head[:1], head[1:-2]
    if kind in b"$=!":
        return head + (stream.exactly(int(rest) + 2) if int(rest) >= 0 else b"")
    if kind in b"*~>%|":
        parts = max(int(rest), 0) * (2 if kind in b"%|" else 1)
        # An attribute stands in front of the reply that it is about.
        parts += kind == b"|"
        return head + b"".join(read_resp(stream) for _ in range(parts))
    return head


def read_http(stream: Stream) -> bytes:
    """One request or one response; without a length it has no body."""
    head = stream.line(b"\r\n\r\n")
    headers = head.lower()
    if b"\r\ntransfer-encoding: chunked" in headers:
        return head + _chunks(stream)
    _, found, rest = headers.partition(b"\r\ncontent-length:")
    return head + (stream.exactly(int(rest.partition(b"\r\n")[0])) if found else b"")


def _chunks(stream: Stream) -> bytes:
    taken = b""
    while True:
        size = stream.line()
        taken += size + stream.exactly(int(size, 16) + 2)
        if int(size, 16) == 0:
            return taken


def words(command: bytes) -> list[bytes]:
    """A command of RESP as its words; of several that were sent together, the first."""
    at = command.index(b"\r\n") + 2
    found: list[bytes] = []
    for _ in range(int(command[1 : at - 2])):
        end = command.index(b"\r\n", at)
        size = int(command[at + 1 : end])
        found.append(command[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return found
