"""A worker whose requests are answered as no server should: no batch and no process dies of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.works import Works, event, update

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MESSAGES = 40


class Answering:
    """Answers every connection with these bytes, and counts them."""

    def __init__(self, listener: socket.socket, answer: bytes) -> None:
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.answered = 0
        self._listener, self._answer = listener, answer
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.answered += 1
            with connection:
                try:
                    connection.recv(65_536)
                    connection.sendall(self._answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65_536):
                        pass
                except OSError:
                    continue


@contextmanager
def answering(answer: bytes) -> Iterator[Answering]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Answering(listener, answer)
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HEAD + b"Content-Length: 60000000000\r\n\r\n1", id="60-gb"),
        pytest.param(HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n1", id="10-to-the-40"),
        pytest.param(CHUNKED + b"ffffffffffffffff\r\n1", id="chunk-of-64-bits"),
        pytest.param(CHUNKED + b"-5\r\n1", id="negative-chunk"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n", id="no-address"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n", id="only-hints"),
    ],
)
def test_no_answer_ends_a_worker_or_makes_a_dead_letter(works: Works, answer: bytes) -> None:
    works.push(*[event(f"u{n}") for n in range(MESSAGES)], update("p", **{"$set": {"x": 1}}))
    with answering(answer) as server:
        works.drain_while(lambda: server.answered < 10, to=works.settings(api_host=server.address))
    assert works.books.dead == 0
    assert works.books.waiting == MESSAGES + 1
    assert works.books.difference == 0
    works.drain()
    assert len(works.users()) == MESSAGES
    assert works.box.profiles["p"]["x"] == 1
