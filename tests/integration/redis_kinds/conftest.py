"""Servers of each kind, and everything that touches one: producers, a worker, the console."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mixrelay.producer import RedisSink, Tracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.command import environment, mixrelay
from tests.support.console import called
from tests.support.private_ca import PrivateCa
from tests.support.redis_servers import KINDS, RedisServer

TOKEN = "00112233445566778899aabbccddeeff"
PATIENT = {"timeout": 10.0, "connect_timeout": 10.0}


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> PrivateCa:
    return PrivateCa(tmp_path_factory.mktemp("ca"), "our-ca")


@pytest.fixture(params=list(KINDS))
def binary(request: pytest.FixtureRequest) -> str:
    """Each kind of server in turn."""
    return KINDS[request.param]


@pytest.fixture
def server_of() -> Iterator[Callable[..., RedisServer]]:
    """Makes servers that end with the test."""
    servers: list[RedisServer] = []

    def make(*arguments: Any, **options: Any) -> RedisServer:
        servers.append(RedisServer(*arguments, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


class Parties:
    """All that touch one queue, each by an address of its own."""

    def __init__(self, mixpanel: Sandbox, folder: Path) -> None:
        self.mixpanel = mixpanel
        self.environment = environment(
            MIXPANEL_API_HOST=mixpanel.url,
            MIXPANEL_TOKEN=TOKEN,
            MIXRELAY_LINGER="0.05",
            MIXRELAY_SPOOL_DIR=str(folder),
        )

    def call(self, url: str, *arguments: str, expect: int | None = 0) -> str:
        """Runs a command as a user of that address; returns what it said."""
        env = self.environment | {"MIXRELAY_REDIS_URL": url}
        if arguments[0] != "worker":
            shown, notes = called(*arguments, expect=expect, **env)
            return shown if "--json" in arguments else shown + notes
        ended = mixrelay(*arguments, env=env, expect=expect)
        return ended.stdout.decode() + ended.stderr.decode()

    def produce(self, url: str) -> None:
        """Pushes an event by the sync sink and one by the async sink."""
        sink = RedisSink(url, spool_dir="off", **PATIENT)
        assert Tracker(TOKEN, sink=sink).track("user-1", "Sync")
        sink.close()
        asyncio.run(self._produce(url))

    async def _produce(self, url: str) -> None:
        async with AsyncRedisSink(url, spool_dir="off", **PATIENT) as sink:
            assert await Tracker(TOKEN, sink=sink).track("user-1", "Async")

    def go_the_whole_way(self, url: str) -> None:
        """Two events and a message that nobody can read: pushed, drained, looked at."""
        self.produce(url)
        with connect(url) as client:
            Queue(client).push([b"nonsense"])
        self.call(url, "worker", "--burst")
        assert sorted(one["event"] for one in self.mixpanel.events) == ["Async", "Sync"]
        assert json.loads(self.call(url, "status", "--json"))["totals"]["delivered"] == 2
        assert "malformed" in self.call(url, "dlq", "list")
        self.call(url, "dlq", "discard", "--all", "--yes")
        assert json.loads(self.call(url, "status", "--json"))["dead"] == 0


@pytest.fixture
def parties(mixpanel: Sandbox, tmp_path: Path) -> Parties:
    return Parties(mixpanel, tmp_path / "spool")
