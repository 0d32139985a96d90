import asyncio

import pytest
from redis import Redis
from redis.connection import SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import SentinelConnectionPool

from mixrelay.producer import QueueUnavailableError, RedisSink
from mixrelay.producer.push.async_connection import _nodes_at
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.shared.connection import ClusterAddress, SentinelAddress, connect, mask
from mixrelay.shared.connection.cluster_client import ClusterClient
from mixrelay.shared.connection.slots import Place
from mixrelay.shared.errors import ConfigurationError


def tries(retry, error):
    """How often a command is sent that always fails so."""
    sent = []

    def send():
        sent.append(1)
        raise error

    with pytest.raises(type(error)):
        retry.call_with_retry(send, lambda _: None)
    return len(sent)


@pytest.mark.parametrize("url", ["redis://h/1", "rediss://h", "unix:///run/redis.sock?db=2"])
def test_a_client_repeats_nothing_and_opens_nothing(url):
    client = connect(url, timeout=3, connect_timeout=1)
    assert isinstance(client, Redis)
    told = client.connection_pool.connection_kwargs
    assert tries(told["retry"], RedisConnectionError("gone")) == 1
    assert tries(told["retry"], RedisTimeoutError("late")) == 1
    assert tries(told["retry"], ReadOnlyError("a replica, where nothing ran")) == 2
    assert tries(told["retry"], MasterDownError("a replica that serves nothing")) == 2
    assert told["socket_timeout"] == 3
    assert told["socket_connect_timeout"] == 1


def test_sentinels_are_asked_for_the_master():
    client = connect("redis+sentinel://user:secret@one,two:26380/mymaster/3")
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "mymaster"
    assert pool.connection_kwargs["db"] == 3
    assert pool.connection_kwargs["password"] == "secret"
    ports = [
        sentinel.connection_pool.connection_kwargs["port"]
        for sentinel in pool.sentinel_manager.sentinels
    ]
    assert ports == [26379, 26380]


def test_passwords_and_tls_of_sentinels_are_their_own():
    url = "rediss+sentinel://:a%40b@[::1]:26380,two/main?sentinel_password=c&ssl_ca_certs=/ca.pem"
    read = SentinelAddress.parse(url)
    assert read.hosts == (("::1", 26380), ("two", 26379))
    assert (read.service, read.to_server["password"]) == ("main", "a@b")
    assert read.to_sentinels["password"] == "c"
    for options in (read.to_server, read.to_sentinels):
        assert (options["ssl"], options["ssl_ca_certs"]) == (True, "/ca.pem")
    assert "a@b" not in repr(read)


@pytest.mark.parametrize("asked", ["ssl_ca_certs=/ca.pem", "max_connections=3"])
def test_what_sentinels_cannot_be_asked_is_refused_and_not_passed_over(asked):
    with pytest.raises(ConfigurationError, match="it may ask for sentinel_username"):
        connect(f"redis+sentinel://one,two/main/0?{asked}")


@pytest.mark.parametrize("url", ["redis+sentinel://one,two", "http://h:secret@x", "nonsense"])
def test_an_address_that_cannot_be_read_is_a_clear_error_without_its_password(url):
    with pytest.raises(ConfigurationError, match="MIXRELAY_REDIS_URL") as raised:
        connect(url)
    assert "secret" not in str(raised.value)


def test_a_cluster_is_named_by_some_of_its_nodes():
    read = ClusterAddress.parse("rediss+cluster://:a%40b@[::1]:7000,two?ssl_ca_certs=/ca.pem")
    assert read.hosts == (("::1", 7000), ("two", 6379))
    assert issubclass(read.connection_class, SSLConnection)
    assert (read.to_nodes["password"], read.to_nodes["ssl_ca_certs"]) == ("a@b", "/ca.pem")
    assert "a@b" not in repr(read)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+cluster://", "must name nodes"),
        ("redis+cluster://:secret@one/1", "a cluster has none but 0"),
        ("redis+cluster://:secret@one?ssl_ca_certs=/ca.pem", "it may ask for nothing"),
        ("redis+cluster://:secret@one:port", "cannot be read"),
    ],
)
def test_what_a_cluster_cannot_be_asked_is_refused_without_the_password(url, said):
    with pytest.raises(ConfigurationError, match=said) as raised:
        connect(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:secret@one/abc", "its database by a number"),
        ("rediss://one:123/secret@two/0", "its database by a number"),
        ("redis://:secret@one/1/2", "its database by a number"),
        ("redis://:secret@one?foo=1", "asks for 'foo', which redis-py does not know"),
        ("unix:///one?password=secret&foo=1", "asks for 'foo'"),
        ("redis://one?ssl_ca_certs=/ca.pem", "asks for 'ssl_ca_certs'"),
    ],
)
def test_what_a_server_cannot_be_asked_is_refused_without_the_password(url, said):
    with pytest.raises(ConfigurationError, match=said) as raised:
        connect(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["redis://one", "redis://one/", "redis://one/3", "unix:///a/b?db=1", "redis://one?db=2"],
)
def test_a_server_may_be_asked_for_a_database(url):
    connect(url).close()


def pools_of(url):
    """Return what connections to a server, to a cluster's nodes and to sentinels come from."""
    client = connect(url)
    sync = [client.connection_pool]
    if "+cluster" in url:
        sync = [client.nodes.pool_at(Place("one", 6379))]
    settings = RedisSink(url).settings
    nodes = _nodes_at(url, settings)
    awaited = nodes._pool(Place("one", 6379)) if "+cluster" in url else nodes.pool
    for pool in (*sync, awaited):
        manager = getattr(pool, "sentinel_manager", None)
        if manager is not None:
            yield from (one.connection_pool for one in manager.sentinels)
        yield pool


@pytest.mark.parametrize("url", ["rediss://one", "rediss+cluster://one", "rediss+sentinel://one/s"])
def test_every_certificate_must_name_its_host(url):
    found = [pool.make_connection() for pool in pools_of(url)]
    assert len(found) == (4 if "sentinel" in url else 2)
    for connection in found:
        checked = getattr(connection, "ssl_context", connection).check_hostname
        assert checked is True, (type(connection), checked)


@pytest.mark.parametrize("kind", [RedisSink, AsyncRedisSink])
def test_an_error_of_sentinels_names_them_and_shows_no_password(kind):
    url = "redis+sentinel://:theirs@127.0.0.1:1,127.0.0.1:2/s?sentinel_password=hidden"
    sink = kind(url, spool_dir="off")
    with pytest.raises(QueueUnavailableError) as raised:
        sink.push(b"x") if kind is RedisSink else asyncio.run(sink.push(b"x"))
    said = str(raised.value)
    assert "hidden" not in said
    assert "theirs" not in said
    assert "No master found for 's'" in said


def test_a_client_of_a_cluster_opens_nothing_and_repeats_nothing():
    client = connect("redis+cluster://ann:secret@one,two:7000", timeout=3, connect_timeout=1)
    told = client.connection_pool.connection_kwargs
    assert tries(told["retry"], RedisConnectionError("gone")) == 1
    assert tries(told["retry"], RedisTimeoutError("late")) == 1
    assert tries(told["retry"], ReadOnlyError("a replica, where nothing ran")) == 2
    assert (told["socket_timeout"], told["socket_connect_timeout"]) == (3, 1)
    assert "secret" not in repr(client)
    client.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret@h:1/0",
        "redis://u:se@secret@h/0",
        "rediss://h?password=secret&a=b",
        "unix:///x?password=secret",
        "redis+sentinel://u:secret@h1:2,h2:3/s/0",
        "redis+cluster://u:secret@h1:2,h2:3",
    ],
)
def test_a_masked_address_hides_the_password_only(url):
    assert "secret" not in mask(url)
    assert "***" in mask(url)


def test_an_address_without_a_password_is_shown_as_it_is():
    assert mask("redis://localhost:6379/0") == "redis://localhost:6379/0"


@pytest.mark.parametrize("scheme", ["rediss", "rediss+sentinel", "rediss+cluster"])
@pytest.mark.parametrize(
    "asked",
    [
        "ssl_cert_reqs=none",
        "ssl_cert_reqs=CERT_NONE",
        "ssl_cert_reqs=optional",
        "ssl_cert_reqs=nonsense",
        "ssl_check_hostname=False",
        "ssl_check_hostname=off",
    ],
)
def test_certificates_are_always_verified(scheme, asked):
    with pytest.raises(ConfigurationError, match="certificates are always verified") as raised:
        connect(f"{scheme}://user:secret@host:6380/0?{asked}")
    assert asked in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "asked", ["decode_responses=true", "encoding=utf-16", "retry_on_timeout=1", "retry_on_error=x"]
)
@pytest.mark.parametrize("place", ["redis://user:secret@host/0", "unix:///run/redis.sock"])
def test_what_changes_how_replies_are_read_or_repeated_is_refused_by_name(place, asked):
    with pytest.raises(ConfigurationError, match=asked.partition("=")[0]) as raised:
        connect(f"{place}?{asked}")
    assert asked in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "asked", ["decode_responses=false", "encoding=utf-8", "retry_on_timeout=0"]
)
def test_what_changes_nothing_is_taken(asked):
    connect(f"redis://host/0?{asked}").close()


@pytest.mark.parametrize("asked", ["", "?ssl_cert_reqs=required&ssl_check_hostname=true"])
@pytest.mark.parametrize(
    "url", ["rediss://h:6380/0", "rediss+sentinel://h/name/0", "rediss+cluster://h1,h2"]
)
def test_a_certificates_name_is_looked_at_whatever_redis_py_does_by_default(url, asked):
    """It does not before its version 6."""
    if asked and "+" in url:
        pytest.skip("redis-py's own options are for one server")
    client = connect(url + asked)
    if isinstance(client, ClusterClient):
        options = client.nodes.topology.options
    else:
        options = client.connection_pool.connection_kwargs
    assert options["ssl_check_hostname"] is True
    assert options.get("ssl_cert_reqs", "required") == "required"
