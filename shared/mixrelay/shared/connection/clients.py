"""Makes clients from addresses, and treats a cluster's and a server's alike."""

import re
import ssl
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from mixrelay.shared.connection.addresses import (
    VERIFIED,
    ClusterAddress,
    SentinelAddress,
    is_cluster,
    refuse_changing,
    refuse_unverified,
    unreadable,
    unusable,
)
from mixrelay.shared.connection.bounded import bound
from mixrelay.shared.connection.cluster_client import ClusterClient
from mixrelay.shared.connection.nodes import TIMEOUTS, Nodes, OneNode
from mixrelay.shared.connection.versions import unannounced, verified
from mixrelay.shared.idleness import KEEPALIVE
from mixrelay.shared.resolving import check_host

# redis-py names itself by CLIENT SETINFO, which a user of few rights may not: each connection
# would leave two entries in the server's ACL LOG.
_NAMELESS: dict[str, object] = (
    {"driver_info": None}
    if find_spec("redis.driver_info")
    else {"lib_name": None, "lib_version": None}
)


PATIENCE_SECONDS = 1.0
"""How long a command is sent to a cluster again that refuses it, while its slot moves or is not
served. Short: one thread of a worker sees to all partitions, and has a backoff for each."""


def connect(url: str, *, timeout: float = 5.0, connect_timeout: float = 2.0) -> Redis:
    """A client that repeats nothing by itself; opens nothing until its first command.

    redis-py repeats a command up to ten times when the connection breaks, whether or not the
    server ran it; so retries are off, and whoever calls decides. Only what a server refuses since
    it is a replica, after a failover that left its connections open, is sent once more, on a new
    connection to whatever the name means by then: nothing ran.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1:26379,h2/service/0`
            (`rediss+sentinel://` with TLS), or `redis+cluster://h1:6379,h2` (`rediss+cluster://`).
        timeout: seconds that one reply may take.
        connect_timeout: seconds to connect.

    Raises:
        ConfigurationError: the address cannot be read.
    """
    refuse_unverified(url)
    refuse_changing(url)
    options = client_options(url, timeout=timeout, connect_timeout=connect_timeout)
    options["retry"] = Retry(NoBackoff(), 1, (ReadOnlyError, MasterDownError))
    if is_cluster(url):
        address = ClusterAddress.parse(url)
        check_hosts(url, *address.hosts)
        return ClusterClient(
            Nodes(address, options | address.to_nodes, patience=min(timeout, PATIENCE_SECONDS))
        )
    if "+sentinel://" in url:
        sentinels = SentinelAddress.parse(url)
        check_hosts(url, *sentinels.hosts)
        return _through_sentinel(sentinels, options)
    try:
        client = Redis.from_url(url, **options)
        path = urlsplit(url).path
    except ValueError as error:
        raise unreadable(url, error) from None
    # redis-py takes a name for database 0, and says nothing of the query until it connects.
    if not url.startswith("unix://") and not re.fullmatch("/?[0-9]*", path):
        raise unusable(url, "must name its database by a number, as redis://host:6379/0 does.")
    pool = client.connection_pool
    try:
        pool.connection_class(**pool.connection_kwargs)
    except TypeError as error:
        unknown = str(error).rpartition(" ")[2]
        raise unusable(url, f"asks for {unknown}, which redis-py does not know.") from None
    except RedisError as error:
        raise unusable(url, f"cannot be used: {error}") from None
    if "host" in pool.connection_kwargs:
        check_hosts(url, (pool.connection_kwargs["host"], 0))
    bound(pool)
    return client


def nodes_at(
    url: str, *, timeout: float, connect_timeout: float, max_connections: int
) -> OneNode | Nodes:
    """For a producer, which sends its pushes on connections of its own; opens nothing.

    On a cluster a push that finds its slot moving or not served is refused at once.

    Args:
        url: as for `connect`.
        timeout: seconds that one reply may take.
        connect_timeout: seconds to connect.
        max_connections: to one node.

    Raises:
        ConfigurationError: the address cannot be read.
    """
    client = connect(url, timeout=timeout, connect_timeout=connect_timeout)
    if isinstance(client, ClusterClient):
        client.nodes.patience = 0.0
        client.nodes.max_connections = max_connections
        return client.nodes
    client.connection_pool.max_connections = max_connections
    return OneNode(client.connection_pool)


def client_options(
    url: str, *, timeout: float, connect_timeout: float, is_async: bool = False
) -> dict[str, Any]:
    """What every client of ours is made with; retries aside, which differ."""
    options = {
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        **_NAMELESS,
        **unannounced(is_async=is_async),
        **verified(url),
    }
    if url.startswith("rediss://"):
        options |= VERIFIED
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
        options["socket_keepalive_options"] = KEEPALIVE
    return options


def node_of(client: Redis, key: str | bytes) -> Redis:
    """A client of the node that holds a key, for what is the node's: its time, its settings.

    Of a single server that is the client itself. Ask again each time: the key may move.

    Raises:
        redis.RedisError: the cluster does not tell which node that is.
    """
    if not isinstance(client, ClusterClient):
        return client
    return Redis(connection_pool=client.nodes.pool_for(key))


def masters(client: Redis) -> dict[str, Redis]:
    """A client of every node that serves slots now, by `host:port`; of a single server, by "".

    Raises:
        redis.RedisError: the cluster does not tell which they are.
    """
    if not isinstance(client, ClusterClient):
        return {"": client}
    nodes = client.nodes
    return {
        str(place): Redis(connection_pool=nodes.pool_at(place))
        for place in nodes.topology.masters()
    }


def infos(client: Redis, *sections: str) -> list[dict[str, Any]]:
    """INFO of every node that serves slots and answers; of a single server, of that one.

    Raises:
        redis.RedisError: none answers, or this user may not ask.
    """
    told: list[dict[str, Any]] = []
    trouble: RedisError | None = None
    for node in masters(client).values():
        try:
            told.append(node.info(*sections))
        except (RedisConnectionError, RedisTimeoutError) as error:
            trouble = error
    if trouble is not None and not told:
        raise trouble
    return told


def shorten_timeouts(client: Redis, seconds: float) -> None:
    """From now on a client waits for no reply longer than that."""
    if isinstance(client, ClusterClient):
        client.nodes.shorten_timeouts(seconds)
        return
    pool = client.connection_pool
    pool.connection_kwargs |= dict.fromkeys(TIMEOUTS, seconds)
    # A connection keeps the timeout that it was made with, also when it is opened again.
    pool.disconnect(inuse_connections=False)
    pool.reset()


def certificate_trouble(error: BaseException | None) -> str | None:
    """Why a server's certificate was refused, where that is what an error comes from."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        error = error.__cause__ or error.__context__
    return None


def check_hosts(url: str, *hosts: tuple[str, int]) -> None:
    """Refuses names that no name server can be asked for.

    Raises:
        ConfigurationError: one is such a name.
    """
    for host, _ in hosts:
        if why := check_host(host):
            raise unusable(url, f"cannot be used: {why}.")


def _through_sentinel(address: SentinelAddress, options: dict[str, Any]) -> Redis:
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs=options | address.to_sentinels, **options
    )
    client: Redis = sentinel.master_for(address.service, **address.to_server)  # type: ignore[no-untyped-call]
    bound(client.connection_pool)
    return client
