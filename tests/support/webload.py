"""Web servers as they are deployed, the load of many clients, and the count of what arrived."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TypeAlias

from redis import Redis

from tests.support.fleet import alive, children, wait_until
from tests.support.patience import Deadline, patient
from tests.support.ports import free_port
from tests.support.processes import Process

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
CLIENTS = 8
BOOTED = -1
"""In place of a number: the event that each start of an application tracks."""
SLICE = 5_000


class Server:
    """A server's command, which can be started again at the same address."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        self._command = [part.replace("PORT", str(self.port)) for part in command]
        self._environment = os.environ | environment
        self._log = log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as output:
            self.process = Process(
                self._command,
                env=self._environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def workers(self) -> list[int]:
        return [pid for pid in children(self.process.pid) if alive(pid)]

    def terminate(self, grace: float = 60) -> None:
        """SIGTERM, as a deploy does; the processes end by themselves."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(grace)

    def destroy(self) -> None:
        for pid in [*self.workers(), self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.end()

    def tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])


class Load:
    """Clients that each ask again and again, with a number that no other request has."""

    def __init__(self, port: int, requests: int, clients: int = CLIENTS) -> None:
        self._port = port
        self._requests = requests
        self._numbers = count()
        self.answered: dict[int, float] = {}
        """Of each request that was answered, the seconds that it took."""
        self.moments: dict[int, float] = {}
        self.unanswered: list[int] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for(self, share: float, seconds: float = 300) -> None:
        wanted = share * self._requests
        wait_until(lambda: len(self.answered) + len(self.unanswered) >= wanted, seconds, "load")

    def join(self) -> None:
        for thread in self._threads:
            thread.join(patient(300))

    def ask_more(self, times: int) -> None:
        """Make further requests, one after the other."""
        self._requests = max(self._requests, *self.answered, *self.unanswered) + 1 + times
        self._numbers = count(self._requests - times)
        self._ask()

    def _ask(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
            while (n := next(self._numbers)) < self._requests:
                self._connect(connection)
                began = time.perf_counter()
                try:
                    self._request(connection, n)
                except (OSError, http.client.HTTPException):
                    # It went out, or may have: nobody can know whether it was worked on.
                    connection.close()
                    self.unanswered.append(n)
                else:
                    self.answered[n] = time.perf_counter() - began
                    self.moments[n] = began

    def _request(self, connection: http.client.HTTPConnection, n: int) -> None:
        connection.request("GET", f"/?n={n}")
        # uvicorn's workers write head and body apart, with Nagle's algorithm on: each response
        # would wait 40 ms for our kernel's delayed acknowledgement.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        answer = connection.getresponse()
        body = answer.read()
        assert (answer.status, body) == (200, b"ok"), (n, answer.status, body)

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        """Have a connection, also where the server is being replaced."""
        deadline = Deadline(60)
        while connection.sock is None:
            try:
                connection.connect()
            except ConnectionError:
                if deadline.is_over():
                    raise
                time.sleep(0.02)


@contextmanager
def serving(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Server]:
    server = Server(command, environment, log)
    try:
        yield server
    finally:
        server.destroy()


Queued: TypeAlias = dict[str, dict[int, list[bytes]]]


def queued(redis: Redis, queue: str = "mixpanel_queue") -> Queued:
    """The tuples in the queue by what they are (event, $set, $add) and their number."""
    found: Queued = {
        "event": defaultdict(list),
        "$set": defaultdict(list),
        "$add": defaultdict(list),
    }
    for first in range(0, redis.llen(queue), SLICE):
        for payload in redis.lrange(queue, first, first + SLICE - 1):
            record = json.loads(json.loads(payload)[1])["data"]
            kind = next(kind for kind in found if kind in record)
            number = record["properties" if kind == "event" else kind].get("n", BOOTED)
            found[kind][number].append(payload)
    found["event"].pop(BOOTED, None)
    return found


def terminate_one(server: Server, chance: Callable[[list[int]], int]) -> None:
    """SIGTERM to one of its worker processes, which it replaces."""
    wait_until(lambda: bool(server.workers()), 30, f"a worker process\n{server.tail()}")
    with suppress(ProcessLookupError):
        os.kill(chance(server.workers()), signal.SIGTERM)
