"""A proxy before Redis or before HTTP that knows one exchange from the next, and spoils some.

    with FaultProxy(redis_url, nth(3, cut_after)) as proxy:
        connect(proxy.url).rpush("list", "one")

A plan looks at each exchange, a command or a request that has come in whole and goes no further
yet, and names the fault that it meets. Plans are asked one at a time, whatever the number of
connections.
"""

import random
import select
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Self, TypeAlias
from urllib.parse import urlsplit

from tests.support.wire import Ended, Stream, read_http, read_resp

CONNECT_SECONDS = 5.0


class Cut(Exception):
    """Ends both connections of an exchange."""


class Exchange:
    """One command or request, and what the server answered once it was passed on."""

    def __init__(self, proxy: "FaultProxy", client: Stream, server: Stream, request: bytes) -> None:
        self.request = request
        self.reply: bytes | None = None
        self._proxy, self._client, self._server = proxy, client, server

    def forward(self) -> bytes:
        """Has the server carry it out; returns the reply."""
        self._server.sock.sendall(self.request)
        self.reply = self._proxy.read(self._server)
        return self.reply

    def answer(self, reply: bytes) -> None:
        self._client.sock.sendall(reply)

    def wait(self, seconds: float) -> None:
        """Raises Cut where the proxy ends first."""
        if self._proxy.over.wait(seconds):
            raise Cut

    def wait_for_client_to_leave(self) -> None:
        while True:
            self._client.exactly(1)


Fault: TypeAlias = Callable[[Exchange], None]
Plan: TypeAlias = Callable[[Exchange], Fault | None]

# What an exchange can meet.


def pass_on(exchange: Exchange) -> None:
    exchange.answer(exchange.forward())


def cut_before(exchange: Exchange) -> None:
    """The server never hears of it."""
    raise Cut


def cut_after(exchange: Exchange) -> None:
    """The server carries it out, and its reply is swallowed."""
    exchange.forward()
    raise Cut


def truncate(exchange: Exchange) -> None:
    """The first half of the reply comes, and then the end."""
    reply = exchange.forward()
    exchange.answer(reply[: len(reply) // 2])
    raise Cut


def half_open(exchange: Exchange) -> None:
    """Whatever else the client sends is taken, nothing is answered, and nothing is closed."""
    exchange.wait_for_client_to_leave()


def delay(seconds: float) -> Fault:
    """The server carries it out at once, and its reply comes late."""

    def late(exchange: Exchange) -> None:
        reply = exchange.forward()
        exchange.wait(seconds)
        exchange.answer(reply)

    return late


def trickle(seconds: float) -> Fault:
    """The reply comes byte by byte, so far apart."""

    def drop_by_drop(exchange: Exchange) -> None:
        for byte in exchange.forward():
            exchange.answer(bytes([byte]))
            exchange.wait(seconds)

    return drop_by_drop


def before(hook: Callable[[], object], then: Fault = cut_before) -> Fault:
    """Calls the hook first, for example one that kills the client."""

    def called(exchange: Exchange) -> None:
        hook()
        then(exchange)

    return called


def after(hook: Callable[[], object]) -> Fault:
    """Calls the hook when the server has carried it out; then the reply is passed on."""

    def called(exchange: Exchange) -> None:
        reply = exchange.forward()
        hook()
        exchange.answer(reply)

    return called


# Which exchanges meet it.


def never(_exchange: Exchange) -> None:
    return None


def any_exchange(_exchange: Exchange) -> bool:
    return True


def has(*parts: bytes) -> Callable[[Exchange], bool]:
    """Whether a request holds one of these bytes."""
    return lambda exchange: any(part in exchange.request for part in parts)


def always(fault: Fault) -> Plan:
    return lambda _exchange: fault


def first(most: int, fault: Fault, of: Callable[[Exchange], bool] = any_exchange) -> Plan:
    """The first so many of a kind."""
    numbers = count(1)
    return lambda exchange: fault if of(exchange) and next(numbers) <= most else None


def nth(number: int, fault: Fault, of: Callable[[Exchange], bool] = any_exchange) -> Plan:
    """The n-th of a kind, counted from 1."""
    numbers = count(1)
    return lambda exchange: fault if of(exchange) and next(numbers) == number else None


def at_random(share: float, faults: Sequence[Fault], seed: int) -> Plan:
    """Each with this probability, one of the faults."""
    chance = random.Random(seed)
    return lambda _exchange: chance.choice(faults) if chance.random() < share else None


class FaultProxy:
    """Listens on a port of its own, each connection a thread; `plan` may be changed at any time."""

    def __init__(self, url: str, plan: Plan = never) -> None:
        """Passes connections on to `redis://host:port/…` or `http://host:port/…`."""
        parts = urlsplit(url)
        self.read = read_http if parts.scheme == "http" else read_resp
        self.plan = plan
        self.seen = 0
        self.faulted = 0
        self.over = threading.Event()
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        account, at, _ = parts.netloc.rpartition("@")
        host = f"{account}{at}127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = parts._replace(netloc=host).geturl()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        _shut(self._listener)
        self.cut_all()
        for thread in self._threads:
            thread.join(CONNECT_SECONDS)
        self._listener.close()

    def lead_to(self, url: str) -> None:
        """From now on passes new connections on to another server; old ones stay as they are."""
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)

    def cut_all(self) -> None:
        """Ends all connections, idle ones too; new ones are taken."""
        with self._lock:
            for sock in self._open:
                _shut(sock)

    def _start(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, name="fault proxy", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), self._connected() as server:
            ends = {client, server}
            with self._lock:
                self._open |= ends
            try:
                self._exchange_all(Stream(client), Stream(server))
            except (Ended, Cut):
                pass  # leaving the block closes both
            finally:
                with self._lock:
                    for sock in ends:
                        _shut(sock)  # who sees it gone from those open, sees it closed
                    self._open -= ends

    def _connected(self) -> socket.socket:
        server = socket.create_connection(self._target, CONNECT_SECONDS)
        server.settimeout(None)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def _exchange_all(self, client: Stream, server: Stream) -> None:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not self.over.is_set():
            if not client.buffer:
                ready, _, _ = select.select([client.sock, server.sock], [], [])
                if client.sock not in ready:
                    return  # the server left: so its client hears of it at once
            request = self.read(client)
            if b"\r\nREPLY\r\n" in request and request.endswith(b"\r\nSKIP\r\n"):
                # Neither it nor the command behind it is answered.
                request += self.read(client) + self.read(client)
            exchange = Exchange(self, client, server, request)
            self._chosen(exchange)(exchange)

    def _chosen(self, exchange: Exchange) -> Fault:
        with self._lock:
            self.seen += 1
            fault = self.plan(exchange)
            self.faulted += fault is not None
        return fault or pass_on


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
