"""The whole way, from a producer to the console, over every way to reach a server."""

from collections.abc import Callable

import pytest

from mixrelay.producer import QueueRefusedError, QueueUnavailableError, RedisSink
from mixrelay.shared.connection import connect
from tests.integration.redis_kinds.conftest import Parties
from tests.support.fleet import wait_until
from tests.support.private_ca import PrivateCa
from tests.support.redis_servers import REDIS, VALKEY, RedisServer, Sentinels

ServerOf = Callable[..., RedisServer]


def test_with_a_password(server_of: ServerOf, parties: Parties) -> None:
    server = server_of(requirepass="p@ss:w/rd")
    parties.go_the_whole_way(server.url_of("", "p%40ss%3Aw%2Frd"))


def test_by_a_socket_file(server_of: ServerOf, parties: Parties) -> None:
    parties.go_the_whole_way(f"unix://{server_of(port=0).socket}?db=0")


def test_by_tls_with_a_private_authority(
    server_of: ServerOf, parties: Parties, ca: PrivateCa, binary: str
) -> None:
    server = server_of(binary, certificate=ca.issue("localhost", "127.0.0.1"))
    parties.go_the_whole_way(f"{server.tls_url}?ssl_ca_certs={ca.file}")


def test_through_sentinels(server_of: ServerOf, parties: Parties, binary: str) -> None:
    with Sentinels(server_of(binary)) as sentinels:
        parties.go_the_whole_way(sentinels.url)


def test_sentinels_and_server_may_ask_for_passwords(server_of: ServerOf, parties: Parties) -> None:
    server = server_of(requirepass="theirs")
    with Sentinels(server, password="ours") as sentinels:
        asked = sentinels.url.replace("://", "://:theirs@")
        parties.produce(f"{asked}?sentinel_password=ours")
        with pytest.raises(QueueUnavailableError) as raised:
            RedisSink(f"{asked}?sentinel_password=wrong", spool_dir="off").push(b"x")
        assert "wrong" not in str(raised.value)


@pytest.mark.skipif(REDIS is None, reason="the wheel's Valkey has no TLS for its sentinels")
def test_sentinels_and_server_may_speak_tls(
    server_of: ServerOf, parties: Parties, ca: PrivateCa
) -> None:
    certificate = ca.issue("localhost", "127.0.0.1")
    server = server_of(REDIS, certificate=certificate)
    with Sentinels(server, certificate=certificate) as sentinels:
        parties.produce(f"{sentinels.url}?ssl_ca_certs={ca.file}")


def test_a_failover_is_followed_by_open_connections(server_of: ServerOf, binary: str) -> None:
    primary, replica = server_of(binary), server_of(binary)
    replica.follow(primary)
    with Sentinels(primary) as sentinels:
        wait_until(sentinels.know_replica, 20, "a replica that sentinels know")
        sink = RedisSink(sentinels.url, spool_dir="off")
        assert sink.push(b"before") == 1
        wait_until(lambda: replica.client.llen("mixpanel_queue") == 1, 10, "replication")
        primary.kill()
        wait_until(lambda: sentinels.primary_port() == replica.port, 20, "a failover")
        wait_until(lambda: pushes(sink), 10, "a push to the new primary")
        assert replica.client.lrange("mixpanel_queue", 0, -1) == [b"before", b"after"]
        sink.close()


def pushes(sink: RedisSink) -> bool:
    try:
        return bool(sink.push(b"after"))
    except (QueueUnavailableError, QueueRefusedError):
        return False


WRONG = {
    "no authority": ("localhost", "", "unable to get local issuer certificate"),
    "another authority": ("localhost", "other", "certificate signature failure|issuer"),
    "another name": ("elsewhere.example", "ours", "is not valid for 'localhost'|mismatch"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_certificate_that_is_not_trusted_is_refused_with_what_to_do(
    server_of: ServerOf,
    parties: Parties,
    ca: PrivateCa,
    tmp_path_factory: pytest.TempPathFactory,
    wrong: str,
) -> None:
    host, authority, said = WRONG[wrong]
    other = PrivateCa(tmp_path_factory.mktemp("ca"), "another-ca")
    server = server_of(VALKEY, certificate=ca.issue(host))
    url = server.tls_url.replace("127.0.0.1", "localhost")
    if authority:
        url += f"?ssl_ca_certs={other.file if authority == 'other' else ca.file}"
    for command, code in (("worker", 2), ("status", 4)):
        told = " ".join(parties.call(url, command, expect=code).split())
        assert "shows a certificate that is not trusted" in told
        assert "ssl_ca_certs=/" in told
    sink = RedisSink(url, spool_dir="off")
    with pytest.raises(QueueUnavailableError, match=said) as raised:
        sink.push(b"x")
    assert "certificate is not trusted" in str(raised.value)
    assert not raised.value.maybe_delivered
    assert not server.client.exists("mixpanel_queue")


def test_no_connection_says_who_it_is(server_of: ServerOf) -> None:
    """A user of few rights may not, and each connection would leave two entries in ACL LOG."""
    server = server_of()
    server.client.config_resetstat()
    with connect(server.url) as client:
        client.ping()
    assert "cmdstat_client|setinfo" not in server.client.info("commandstats")
