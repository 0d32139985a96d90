"""``redis=``: whatever client an application has, sync or async, the messages are in its queue."""

import asyncio
import copy
import pickle
import time
from contextlib import ExitStack

import fakeredis
import pytest
import redis
import valkey as valkey_py
from redis import asyncio as redis_asyncio
from redis.backoff import ConstantBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry
from valkey import asyncio as valkey_asyncio

from mixrelay.producer import ConfigurationError, RedisSink, Tracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.shared.connection.bounded import BoundedConnection
from mixrelay.shared.idleness import KEEPALIVE
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_servers import RedisServer, Sentinels

LIST = "mixpanel_queue"


@pytest.fixture(scope="module")
def server():
    with RedisServer(acl="user app on >secret ~* &* +@all\n") as own:
        yield own


@pytest.fixture(autouse=True)
def _empty(server):
    server.client.flushall()


@pytest.fixture
def account(server):
    return {"host": "127.0.0.1", "port": server.port, "username": "app", "password": "secret"}


class Provider(CredentialProvider):
    """As IAM's: a user and a password that are asked for at each connection."""

    def get_credentials(self):
        return "app", "secret"

    async def get_credentials_async(self):
        return self.get_credentials()


def impatient(**account):
    return redis.Redis(
        **account, retry=Retry(ConstantBackoff(5), 5), retry_on_error=[redis.RedisError]
    )


CLIENTS = {
    "redis": lambda to: redis.Redis(**to),
    "decoded": lambda to: redis.Redis(**to, decode_responses=True),
    "resp3": lambda to: redis.Redis(**to, protocol=3),
    "one connection": lambda to: redis.Redis(**to, single_connection_client=True),
    "impatient": lambda to: impatient(**to),
    "pool": lambda to: redis.ConnectionPool(**to),
    "blocking pool": lambda to: redis.BlockingConnectionPool(**to, max_connections=1),
    "asyncio": lambda to: redis_asyncio.Redis(**to),
    "asyncio decoded": lambda to: redis_asyncio.Redis(**to, decode_responses=True),
    "asyncio pool": lambda to: redis_asyncio.ConnectionPool(**to),
    "valkey": lambda to: valkey_py.Valkey(**to),
    "valkey decoded": lambda to: valkey_py.Valkey(**to, decode_responses=True),
    "valkey asyncio": lambda to: valkey_asyncio.Valkey(**to),
    "url": lambda to: redis.from_url(
        f"redis://{to['username']}:{to['password']}@{to['host']}:{to['port']}/0"
    ),
    "provider": lambda to: redis.Redis(
        host=to["host"], port=to["port"], credential_provider=Provider()
    ),
    "asyncio provider": lambda to: redis_asyncio.Redis(
        host=to["host"], port=to["port"], credential_provider=Provider()
    ),
}
FAKES = {
    "sync": fakeredis.FakeRedis,
    "strict": fakeredis.FakeStrictRedis,
    "async": fakeredis.FakeAsyncRedis,
    "valkey": fakeredis.FakeValkey,
    "async valkey": fakeredis.FakeAsyncValkey,
}


def pushed_by(client, **options):
    with ExitStack() as ends:
        sink = RedisSink(redis=client, spool_dir="off", **options)
        ends.callback(sink.close)
        tracker = Tracker("t", sink=sink)
        assert tracker.track("u", "Sync")
        with tracker.batch():
            tracker.track("u", "One")
            tracker.people.increment("u", {"n": 1})


def awaited_by(client, **options):
    async def track():
        async with AsyncRedisSink(redis=client, spool_dir="off", **options) as sink:
            assert await Tracker("t", sink=sink).track("u", "Async")

    asyncio.run(track())


@pytest.mark.parametrize("kind", CLIENTS)
def test_any_client_serves_both_trackers(server, account, kind):
    client = CLIENTS[kind](account)
    pushed_by(client)
    awaited_by(client)
    assert server.client.llen(LIST) == 4


@pytest.mark.parametrize("kind", CLIENTS)
def test_what_was_spooled_goes_over_it_too(server, account, kind, tmp_path):
    client = CLIENTS[kind](account)
    sink = RedisSink(redis=client, spool_dir=tmp_path)
    tracker = Tracker("t", sink=sink)
    server.client.config_set("maxmemory", 1)  # every push is refused
    try:
        assert tracker.track("u", "Kept")
    finally:
        server.client.config_set("maxmemory", 0)
    sink.lists.first.breaker.succeeded()
    assert tracker.track("u", "Next")
    assert (sink.counters.spooled, sink.counters.drained) == (1, 1)
    assert [b"Kept" in one for one in server.client.lrange(LIST, 0, -1)] == [True, False]


def test_unix_socket(server):
    account = {"unix_socket_path": str(server.socket), "username": "app", "password": "secret"}
    for client in (redis.Redis(**account), valkey_py.Valkey(**account)):
        server.client.flushall()
        pushed_by(client)
        awaited_by(client)
        assert server.client.llen(LIST) == 4


@pytest.mark.parametrize("kind", FAKES)
def test_fakeredis(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server = fakeredis.FakeServer()
    client = FAKES[kind](server=server, decode_responses=True)
    pushed_by(client)
    awaited_by(client)
    assert fakeredis.FakeRedis(server=server).llen(LIST) == 4


@pytest.mark.parametrize("kind", FAKES)
def test_fakeredis_that_shares_no_server_object(kind):
    client = FAKES[kind](host=f"of-{kind}".replace(" ", "-"))
    pushed_by(client)
    awaited_by(client)
    again = redis.Redis(
        connection_pool=Tracker("t", redis=client)._outlet._sink.pushing.nodes().pool_for(b"")
    )
    assert again.llen(LIST) == 4


def test_fakeredis_leaves_nothing_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server = fakeredis.FakeServer()
    tracker = Tracker("t", redis=fakeredis.FakeRedis(server=server))
    server.connected = False
    assert tracker.track("u", "Lost") is False
    assert not [*tmp_path.iterdir()]


def test_cluster():
    with RedisCluster(3) as cluster:
        port = cluster.servers[0].port
        sync = redis.RedisCluster(host="127.0.0.1", port=port)
        pushed_by(sync, partitions=3)
        awaited_by(sync, partitions=3)
        asked = redis_asyncio.RedisCluster(host="127.0.0.1", port=port)
        pushed_by(asked, partitions=3)
        awaited_by(asked, partitions=3)
        other = valkey_py.ValkeyCluster(host="127.0.0.1", port=port)
        pushed_by(other, partitions=3)
        awaited_by(other, partitions=3)
        names = (LIST, f"{LIST}.1", f"{LIST}.2")
        assert sum(sync.llen(name) for name in names) == 12
        sync.close()
        other.close()


def test_master_of_a_sentinel():
    with RedisServer() as primary, Sentinels(primary) as sentinels:
        ports = [("127.0.0.1", port) for port in sentinels.ports]
        name = sentinels.service
        one = redis.Sentinel(ports).master_for(name)
        two = redis_asyncio.Sentinel(ports).master_for(name)
        for client in (one, two):
            pushed_by(client)
            awaited_by(client)
        assert one.llen(LIST) == 8


def test_its_retries_and_patience_are_not_ours(account):
    """A push is sent once and the promised second holds, whatever the client would do."""
    with RedisServer() as server:
        client = impatient(port=server.port)
        sink = RedisSink(redis=client, spool_dir="off")
        tracker = Tracker("t", sink=sink)
        assert tracker.track("u", "First")
        with server.hung():
            began = time.monotonic()
            assert tracker.track("u", "Second") is False
            assert time.monotonic() - began < 4  # its own: five tries, five seconds apart
        assert server.client.llen(LIST) == 2  # what went out unanswered is there once
        sink.close()


def test_the_client_itself_stays_as_it_is(server, account):
    client = redis.Redis(**account, decode_responses=True, socket_timeout=60)
    pushed_by(client)
    assert client.connection_pool.connection_kwargs["socket_timeout"] == 60
    assert client.llen(LIST) == 3  # and is not closed
    assert all(isinstance(one, str) for one in client.lrange(LIST, 0, -1))
    client.close()


def test_where_it_pushes_is_shown_without_a_password(account):
    sink = RedisSink(redis=redis.Redis(**account))
    assert repr(sink) == f"RedisSink('redis://127.0.0.1:{account['port']}/0', 'mixpanel_queue')"


def test_the_spool_is_that_of_the_address(account, tmp_path):
    ours = RedisSink(redis=redis.Redis(**account), spool_dir=tmp_path)
    theirs = RedisSink(f"redis://app:secret@127.0.0.1:{account['port']}/0", spool_dir=tmp_path)
    assert ours.guard._spool().folder == theirs.guard._spool().folder


def makes_none():
    raise KeyError("no settings")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (object(), "redis= takes a client, such as"),
        (5, "redis= takes a client, such as"),
        (lambda: 5, "redis= takes a client, such as"),
        ("redis://:hidden@localhost", "redis is an address; .* the address as redis_url.$"),
        ("shop.nowhere", "redis is 'shop.nowhere', which cannot be imported"),
        (redis.Redis, r"redis is the class Redis; make one of it: Redis\(…\)"),
        (makes_none, r"redis is a function that made no client \(KeyError\)"),
    ],
)
def test_what_is_no_client_is_refused(wrong, said):
    for make in (Tracker, lambda _, redis: AsyncRedisSink(redis=redis)):
        with pytest.raises(ConfigurationError, match=said):
            make("t", redis=wrong)


def shops_client():
    return redis.Redis(port=6390)


shop = shops_client()


@pytest.mark.parametrize("given", ["shop", "shops_client", shops_client])
def test_a_path_or_a_function_of_a_client_is_resolved(given):
    if isinstance(given, str):
        given = f"{__name__}.{given}"
    for sink in (RedisSink(redis=given), AsyncRedisSink(redis=given)):
        assert "'redis://localhost:6390/0'" in repr(sink)
    if isinstance(given, str):
        other = pickle.loads(pickle.dumps(Tracker("t", redis=given)))
        assert "'redis://localhost:6390/0'" in repr(other)


def test_a_client_and_an_address_are_refused():
    with pytest.raises(ConfigurationError, match="either redis= or redis_url="):
        Tracker("t", redis_url="redis://localhost", redis=redis.Redis())


def test_a_client_beside_a_sink_is_refused():
    with pytest.raises(ConfigurationError, match="redis= is for a tracker that has no other sink"):
        Tracker("t", sink=print, redis=redis.Redis())


def test_copies_share_it(server, account):
    tracker = copy.deepcopy(Tracker("t", redis=redis.Redis(**account)))
    assert tracker.with_properties({"a": 1}).track("u", "E")
    assert server.client.llen(LIST) == 1


def test_pickling_says_what_cannot_be_pickled(account):
    with pytest.raises(ConfigurationError, match="redis_url="):
        pickle.dumps(Tracker("t", redis=redis.Redis(**account)))


@pytest.mark.parametrize("password", [":wrong@", ""])
def test_a_wrong_password_is_the_same_to_both_kinds(password):
    with RedisServer(requirepass="right") as server:
        url = f"redis://{password}127.0.0.1:{server.port}/0"
        heard, awaited = [], []
        with ExitStack() as ends:
            sink = RedisSink(url, spool_dir="off")
            ends.callback(sink.close)
            assert Tracker("t", sink=sink, error_handler=heard.append).track("u", "E") is False

        async def track():
            async with AsyncRedisSink(url, spool_dir="off") as queue:
                tracker = Tracker("t", sink=queue, error_handler=awaited.append)
                assert await tracker.track("u", "E") is False

        asyncio.run(track())
    (one,), (other,) = heard, awaited
    assert (type(one), str(one), one.maybe_delivered) == (type(other), str(other), False)
    assert "Check the user and password" in str(one)


def test_its_connections_are_bounded_as_those_of_an_address(account):
    for client in (redis.Redis(**account), valkey_py.Valkey(**account)):
        pool = RedisSink(redis=client).pushing.nodes().pool_for(b"")
        assert pool.connection_class is BoundedConnection
        assert pool.connection_kwargs["socket_keepalive_options"] == KEEPALIVE
