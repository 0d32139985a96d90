"""Partitions on one server, and each on a node of its own."""

from collections.abc import Iterator

import pytest
from redis import Redis

from mixrelay.shared.connection import connect
from tests.conftest import empty
from tests.support.partitions import Partitioned
from tests.support.redis_cluster import RedisCluster


@pytest.fixture(scope="session")
def nodes() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(params=["server", "cluster"])
def redis(request: pytest.FixtureRequest) -> Iterator[Redis]:
    """A client of either, on which nothing is stored yet."""
    if request.param == "server":
        url = request.getfixturevalue("valkey")
        empty(url)
    else:
        cluster = request.getfixturevalue("nodes")
        for server in cluster.servers:
            server.client.flushall()
        url = cluster.url
    with connect(url) as client:
        yield client


@pytest.fixture
def three(redis: Redis) -> Partitioned:
    return Partitioned(redis)
