"""A Redis that can be taken away in the ways a producer meets."""

import json
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress

import redis

from mixrelay.shared.connection import connect


def until(happened, seconds=10):
    """Wait for something; fail where it does not happen."""
    limit = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.01)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def names(url, queue="q"):
    """Return the names of the queue's events, in order."""
    with connect(url) as client:
        return [event_name(one) for one in client.lrange(queue, 0, -1)]


def event_name(one):
    return json.loads(json.loads(one)[1])["data"]["event"]


@contextmanager
def hung(process):
    """Stop a server: connections are still taken, answers do not come."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


class Cutting:
    """A proxy that lets the server carry a command out and swallows the answer.

    It does so once for each connection, when it sees one of the words.
    """

    def __init__(self, url, *words):
        self._target = redis.connection.parse_url(url)
        self._words = words
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.cut = 0
        self.most_cuts = 1

    def __enter__(self):
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *args):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _run(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        target = (self._target["host"], self._target["port"])
        with client, socket.create_connection(target) as server:
            seen = threading.Event()
            to_server = threading.Thread(
                target=self._pass_commands, args=(client, server, seen), daemon=True
            )
            to_server.start()
            while answer := server.recv(1 << 20):
                if seen.is_set():
                    break
                client.sendall(answer)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            to_server.join()

    def _pass_commands(self, client, server, seen):
        with suppress(OSError):
            while command := client.recv(1 << 20):
                if self.cut < self.most_cuts and any(word in command for word in self._words):
                    self.cut += 1
                    seen.set()
                server.sendall(command)
            server.shutdown(socket.SHUT_WR)
