from collections.abc import Iterator

import pytest

from mixrelay.shared.queue import Queue
from tests.conftest import REDIS_SERVER, empty, run_redis
from tests.support.bench import Bench

SERVERS = ["valkey", "redis"] if REDIS_SERVER else ["valkey"]


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of each kind of server in turn."""
    if request.param == "valkey":
        yield request.getfixturevalue("valkey")
    else:
        assert REDIS_SERVER is not None
        with run_redis(REDIS_SERVER) as url:
            yield url


@pytest.fixture
def redis_url(server: str) -> str:
    empty(server)
    return server


@pytest.fixture
def bench(queue: Queue) -> Bench:
    return Bench(queue)
