"""Answers that no server should give, each of which is a failure of its exchange and no more."""

import socket
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mixrelay.shared.mixpanel.endpoints import Destination, Endpoint
from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.transport import Answer, Transport
from tests.support.patience import patient

OK = b'{"status": 1, "error": null}'
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MOST = 8_000_000
"""Bytes that a hostile answer may make us use: far less than it claims, or unpacks to."""


def packed(body: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(body) + packer.flush()


BOMB = packed(bytes(60_000_000))
PACKED = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB
REDIRECT = b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\nLocation: "


@contextmanager
def serving(answer: bytes, *, then: bytes = b"") -> Iterator[str]:
    """Answers every request of every connection with these bytes, and ends the connection."""

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while take(stream):
                    connection.sendall(answer)
                    if not then:
                        return
                    connection.sendall(then)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def take(stream) -> bool:
    length = 0
    line = stream.readline()
    if not line:
        return False
    while line.strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
        line = stream.readline()
    stream.read(length)
    return True


def posted(answer: bytes, *, deadline: float = 2.0, most: int = 200_000) -> Answer | Failure:
    """What comes of it, in bounded memory."""
    transport = Transport(
        max_answer_bytes=most,
        deadline=patient(deadline),
        read_timeout=patient(deadline),
        connect_timeout=patient(deadline),
    )
    with serving(answer) as address:
        tracemalloc.start()
        try:
            outcome = transport.post(Destination(Endpoint.ENGAGE, address, token="t"), b"[]")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            transport.close()
    assert peak < MOST
    return outcome


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        pytest.param(HEAD + b"Content-Length: 60000000000\r\n\r\n" + OK, "too_large", id="60-gb"),
        pytest.param(HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + OK, "too_large",
                     id="a-length-beyond-64-bits"),
        pytest.param(CHUNKED + b"ffffffffffffffff\r\n" + OK, "cut_answer", id="chunk-of-64-bits"),
        pytest.param(CHUNKED + b"f" * 400 + b"\r\n" + OK, "cut_answer", id="chunk-of-1600-bits"),
        pytest.param(CHUNKED + b"-5\r\n" + OK, "cut_answer", id="negative-chunk"),
        pytest.param(CHUNKED + b"-1\r\n" + OK, "cut_answer", id="chunk-of-minus-one"),
        pytest.param(CHUNKED + b"zz\r\n" + OK, "cut_answer", id="chunk-of-no-size"),
        pytest.param(CHUNKED + b"1\r\nxx" * 3, "cut_answer", id="chunk-without-its-end"),
        pytest.param(CHUNKED + b"0\r\n" + b"x: y\r\n" * 100_000, "too_large cut_answer",
                     id="trailers-without-end"),
        pytest.param(HEAD + b"x: y\r\n" * 200 + b"\r\n", "cut_answer", id="200-headers"),
        pytest.param(HEAD + b"x: y\r\n" * 100_000 + b"\r\n", "cut_answer too_large",
                     id="100000-headers"),
        pytest.param(HEAD + b"x: " + b"y" * 70_000 + b"\r\n\r\n", "cut_answer", id="huge-header"),
        pytest.param(HEAD + b"Content-Length: 1, 2\r\n\r\nx", "cut_answer", id="two-lengths"),
        pytest.param(b"\x00" * 100, "cut_answer", id="zeros"),
        pytest.param(b"HTTP/1.1\r\n\r\n", "cut_answer", id="no-status"),
        pytest.param(b"HTTP/1.1 " + b"9" * 5_000 + b" x\r\n\r\n", "cut_answer", id="long-status"),
        pytest.param(b"HTTP/9.9 200 OK\r\n\r\n", "cut_answer", id="another-http"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000, "too_large", id="storm-of-100"),
        pytest.param(b"HTTP/1.1 103 Hints\r\nx: y\r\n\r\n" * 50_000, "too_large",
                     id="storm-of-103"),
        pytest.param(b"HTTP/1.1 101 Switch\r\nUpgrade: h2c\r\n\r\n", "cut_answer", id="101"),
        pytest.param(HEAD + PACKED, "too_large", id="gzip-bomb"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n" + PACKED, "too_large",
                     id="gzip-bomb-of-a-redirect"),
        pytest.param(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
                     "cut_answer", id="broken-gzip"),
    ],
)  # fmt: skip
def test_a_hostile_answer_is_a_failure_of_its_exchange(answer: bytes, kinds: str) -> None:
    failure = posted(answer)
    assert isinstance(failure, Failure), failure
    assert failure.kind.value in kinds.split()
    assert failure.sent
    assert failure.detail


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(REDIRECT + b"http://[::1\r\n\r\nok", id="no-address"),
        pytest.param(REDIRECT + b"http://x:99999999/\r\n\r\nok", id="no-port"),
        pytest.param(REDIRECT + b"\xff\xfe\r\n\r\nok", id="no-text"),
        pytest.param(HEAD + b"Content-Length: 2\r\nSet-Cookie: a=b; expires=" + b"1" * 60_000
                     + b"\r\n\r\nok", id="cookie"),
        pytest.param(HEAD + b"Content-Length: 2\r\nContent-Type: a;" + b'charset="' * 5_000
                     + b"\r\n\r\nok", id="type"),
        pytest.param(HEAD + b"Content-Length: 2\r\nContent-Encoding: gzip, br, x\r\n\r\nok",
                     id="codings"),
    ],
)  # fmt: skip
def test_absurd_headers_of_a_whole_answer_are_only_text(answer: bytes) -> None:
    outcome = posted(answer)
    assert isinstance(outcome, Answer), outcome
    assert outcome.body == b"ok"


@pytest.mark.parametrize("status", [b"102 Processing", b"103 Early Hints", b"199 What"])
def test_an_informational_answer_is_followed_by_the_one_that_counts(status: bytes) -> None:
    final = HEAD + b"Content-Length: %d\r\n\r\n" % len(OK) + OK
    outcome = posted(b"HTTP/1.1 " + status + b"\r\nLink: </x>\r\n\r\n" + final)
    assert isinstance(outcome, Answer), outcome
    assert (outcome.status, outcome.body) == (200, OK)


def test_no_answer_is_taken_for_that_of_the_next_request() -> None:
    late = b"HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n" + OK
    transport = Transport(deadline=patient(2))
    with serving(b"HTTP/1.1 103 Early Hints\r\n\r\n", then=late) as address:
        outcomes = [
            transport.post(Destination(Endpoint.ENGAGE, address, token="t"), b"[]")
            for _ in range(4)
        ]
    transport.close()
    assert [one.status for one in outcomes if isinstance(one, Answer)] == [200] * 4


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), FailureKind.WORKER),
        (RuntimeError("can't start new thread"), FailureKind.WORKER),
        (RecursionError("too deep"), FailureKind.UNEXPECTED),
        (KeyError("a bug of a library"), FailureKind.UNEXPECTED),
    ],
)
def test_anything_that_an_exchange_raises_is_a_failure(monkeypatch, error, kind) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("mixrelay.shared.mixpanel.dialing.addresses", fail)
    outcome = posted(b"")
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.sent) == (kind, False)


def test_a_body_that_cannot_be_packed_for_want_of_memory_is_a_failure(monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("mixrelay.shared.mixpanel.transport.gzipped", fail)
    transport = Transport()
    outcome = transport.post(Destination(Endpoint.IMPORT, "http://127.0.0.1:1"), b"[]")
    transport.close()
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.sent) == (FailureKind.WORKER, False)
