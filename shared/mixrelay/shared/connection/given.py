"""Connections like those of a client that an application has: its servers, its account, its TLS.

    given = Given.of(redis.Redis(credential_provider=...), name="redis=")
    client = given.client(timeout=0.5, connect_timeout=0.5)

A client of an application's may repeat commands unseen, wait for minutes, decode its answers and
bound its pool to what the application needs. So nothing is sent through it: pools are made anew
with what its own are made with, and only retries, timeouts and decoding are ours. It is neither
changed nor closed, and may be made before a fork.

Known by what they have, and not by their class: clients, pools and clusters of redis-py and
valkey-py, sync or async, what a Sentinel names, and fakeredis.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Self, cast

import redis
import redis.sentinel
from redis import asyncio as redis_asyncio
from redis.asyncio import ConnectionPool as Pool
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError
from redis.retry import Retry

from mixrelay.shared.connection.addresses import ClusterAddress
from mixrelay.shared.connection.async_bounded import bound_async
from mixrelay.shared.connection.async_nodes import AsyncNodes
from mixrelay.shared.connection.bounded import bound, bounded
from mixrelay.shared.connection.cluster_client import ClusterClient
from mixrelay.shared.connection.nodes import MAX_CONNECTIONS, TIMEOUTS, Nodes, OneNode
from mixrelay.shared.connection.versions import unannounced
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.idleness import KEEPALIVE

# What is the pool's or the client's own, or decided here; everything else is passed on.
_NOT_COPIED = frozenset(
    {
        *TIMEOUTS,
        "retry",
        "retry_on_timeout",
        "retry_on_error",
        "decode_responses",
        "encoding_errors",
        "health_check_interval",
        "single_connection_client",
        "connection_pool",
        "cache",
        "cache_config",
        "event_dispatcher",
        "himport_registry",
        "maint_notifications_config",
        "maint_notifications_pool_handler",
        "oss_cluster_maint_notifications_handler",
        "orig_host_address",
        "orig_socket_timeout",
        "orig_socket_connect_timeout",
        "response_callbacks",
    }
)
_OF_CLUSTERS = frozenset({"host", "port", "db", "path", "redis_connect_func", "max_connections"})
_OF_ITS_LIBRARY = frozenset({"parser_class", "lib_name", "lib_version", "redis_connect_func"})
_FOR_SENTINELS = (*TIMEOUTS, "retry", "maint_notifications_config")
_OF_SENTINELS = frozenset({"host", "port", "username", "password", "credential_provider"})
_TAKEN = (
    "a redis.Redis, a redis.asyncio.Redis, a connection pool, a RedisCluster, a client of "
    "valkey-py, or a fakeredis.FakeRedis"
)


@dataclass(frozen=True)
class Given:
    """What an application gave in place of an address.

    Attributes:
        url: the address without user and password, as `MIXRELAY_REDIS_URL` would have it.
        is_fake: whether it is fakeredis, which is no server.
    """

    url: str
    is_fake: bool
    _pool: Any = field(repr=False)
    _cluster: ClusterAddress | None = field(repr=False)
    _options: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, given: Any, *, name: str = "redis=") -> Self:
        """Look at a client or a pool; nothing is opened.

        Args:
            given: what an application has.
            name: of the argument, for the error.

        Raises:
            ConfigurationError: it is neither.
        """
        nodes = getattr(given, "nodes_manager", None)
        if nodes is not None and hasattr(nodes, "startup_nodes"):
            return cls._of_cluster(nodes)
        pool = getattr(given, "connection_pool", given)
        if not hasattr(pool, "connection_class") or not hasattr(pool, "connection_kwargs"):
            hint = f"; for an address write redis_url={given!r}" if isinstance(given, str) else ""
            raise ConfigurationError(
                f"{name} takes a client, such as {_TAKEN}, and was given "
                f"{type(given).__name__}{hint}."
            )
        options = _copied(pool.connection_kwargs)
        is_fake = _package(pool.connection_class) == "fakeredis"
        return cls(_url_of(pool, options), is_fake, pool, None, options)

    @classmethod
    def _of_cluster(cls, nodes: Any) -> Self:
        hosts = tuple((one.host, int(one.port)) for one in nodes.startup_nodes.values())
        kwargs = dict(nodes.connection_kwargs)
        wanted = kwargs.get("connection_class")
        secured = bool(kwargs.pop("ssl", False)) or "SSL" in getattr(wanted, "__name__", "")
        kwargs.pop("connection_class", None)
        options = {
            name: value
            for name, value in _copied(kwargs).items()
            if name not in _OF_CLUSTERS | _OF_ITS_LIBRARY
        }
        kind = bounded(redis.SSLConnection if secured else redis.Connection)
        options = _fitting(options, None, kind)
        scheme = "rediss+cluster" if secured else "redis+cluster"
        places = ",".join(f"{host}:{port}" for host, port in sorted(hosts))
        address = ClusterAddress(hosts, kind, {})
        return cls(f"{scheme}://{places}", False, None, address, options)

    @property
    def user(self) -> str:
        """The name of Redis's user that it signs in as; empty for the default one."""
        known = self._options
        provider = known.get("credential_provider")
        return str(known.get("username") or getattr(provider, "username", None) or "")

    def client(self, *, timeout: float, connect_timeout: float) -> redis.Redis:
        """Return a sync client that repeats nothing and decodes nothing; opens nothing.

        Args:
            timeout: seconds that one reply may take.
            connect_timeout: seconds to connect.
        """
        nodes = self.nodes(timeout=timeout, connect_timeout=connect_timeout)
        if isinstance(nodes, Nodes):
            return ClusterClient(nodes)
        return redis.Redis(connection_pool=nodes.pool_for(b""))

    def nodes(
        self,
        *,
        timeout: float,
        connect_timeout: float,
        max_connections: int = MAX_CONNECTIONS,
    ) -> OneNode | Nodes:
        """Return the server, or the cluster's nodes; opens nothing. Arguments as for `nodes_at`."""
        # What is refused by a replica did not run, and is sent once more, as by `connect`.
        retry = Retry(NoBackoff(), 1, (ReadOnlyError,))
        options = self._timed(timeout, connect_timeout) | {"retry": retry}
        options |= unannounced(is_async=False)
        if self._cluster is not None:
            nodes = Nodes(self._cluster, options, patience=0.0)
            nodes.max_connections = max_connections
            return nodes
        ours = {"retry": retry, "max_connections": max_connections}
        manager = getattr(self._pool, "sentinel_manager", None)
        if manager is not None:
            pool = self._master(redis.sentinel, redis.Redis, manager, options | ours)
        else:
            kind = self._pool.connection_class
            wanted = _class_for(kind, is_async=False)
            made = _fitting(options, kind, wanted) | ours
            pool = redis.ConnectionPool(connection_class=wanted, **made)
        bound(pool)
        return OneNode(pool)

    @property
    def is_cluster(self) -> bool:
        """Whether several servers have the keys."""
        return self._cluster is not None

    def async_nodes(self, *, timeout: float, connect_timeout: float, most: int) -> AsyncNodes:
        """Return a cluster's nodes for one event loop; opens nothing.

        Args:
            timeout: seconds that one reply may take.
            connect_timeout: seconds to connect.
            most: connections to one node.
        """
        assert self._cluster is not None  # noqa: S101 - is_cluster
        options = self._timed(timeout, connect_timeout) | unannounced(is_async=True)
        return AsyncNodes(self._cluster, options, patience=0.0, most=most)

    def async_pool(
        self, *, timeout: float, connect_timeout: float, max_connections: int = MAX_CONNECTIONS
    ) -> Pool:
        """Return a pool for one event loop, to a server that is no cluster; opens nothing."""
        options = self._timed(timeout, connect_timeout) | unannounced(is_async=True)
        ours = {"retry": AsyncRetry(NoBackoff(), 0), "max_connections": max_connections}
        manager = getattr(self._pool, "sentinel_manager", None)
        if manager is not None:
            sentinel: Any = redis_asyncio.sentinel
            client = redis_asyncio.Redis
            pool = cast("Pool", self._master(sentinel, client, manager, options | ours))
        else:
            kind = self._pool.connection_class
            wanted = _class_for(kind, is_async=True)
            made = _fitting(options, kind, wanted) | ours
            pool = Pool(connection_class=wanted, **made)
        bound_async(pool)
        return pool

    def _timed(self, timeout: float, connect_timeout: float) -> dict[str, Any]:
        if self.is_fake:
            return self._options | {"socket_timeout": timeout}
        times: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": connect_timeout,
        }
        if "path" not in self._options:
            # Or a peer that vanished without a word would be found out by a call that waits.
            times["socket_keepalive"] = True
            own = self._options.get("socket_keepalive_options")
            # redis-py 8 has an object of its own there for its defaults.
            times["socket_keepalive_options"] = own if own and isinstance(own, dict) else KEEPALIVE
        return self._options | times

    def _master(self, module: Any, client: Any, manager: Any, made: dict[str, Any]) -> Any:
        """Return a pool of the service's master; its sentinels are asked with our timeouts too."""
        ours = {name: made[name] for name in _FOR_SENTINELS if name in made}
        sentinel = module.Sentinel([], manager.min_other_sentinels)
        for one in manager.sentinels:
            known = _copied(one.connection_pool.connection_kwargs)
            kept = {name: value for name, value in known.items() if name in _OF_SENTINELS}
            secured = "SSL" in one.connection_pool.connection_class.__name__
            tls = {name: value for name, value in known.items() if name.startswith("ssl_")}
            sentinel.sentinels.append(client(ssl=secured, **kept, **tls, **ours))
        secured = "SSL" in self._pool.connection_class.__name__
        kind = module.SentinelManagedSSLConnection if secured else module.SentinelManagedConnection
        options = _fitting(made, self._pool.connection_class, kind)
        options |= {name: made[name] for name in ("retry", "max_connections")}
        return module.SentinelConnectionPool(
            self._pool.service_name,
            sentinel,
            is_master=self._pool.is_master,
            connection_class=kind,
            **options,
        )


def _copied(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name not in _NOT_COPIED}


def _is_coroutine(function: Any) -> bool:
    return inspect.iscoroutinefunction(function)


def _class_for(kind: Any, *, is_async: bool) -> Any:
    """Return redis-py's class like this one; this one itself where it is that already."""
    package = _package(kind)
    if package != "valkey" and is_async == _is_coroutine(kind.connect):
        is_fake_valkey = package == "fakeredis" and "Valkey" in kind.__name__
        if not is_fake_valkey:
            return kind
    if package == "fakeredis":
        import fakeredis  # noqa: PLC0415 - the application has it

        return fakeredis.FakeAsyncRedisConnection if is_async else fakeredis.FakeRedisConnection
    names = {one.__name__ for one in kind.__mro__}
    module = redis_asyncio.connection if is_async else redis.connection
    for known in ("UnixDomainSocketConnection", "SSLConnection"):
        if known in names:
            return getattr(module, known)
    return module.Connection


def _fitting(options: dict[str, Any], kind: Any, wanted: Any) -> dict[str, Any]:
    """Return those of one class's options that another one knows; all, for the same."""
    if kind is wanted:
        return options
    known: set[str] = set()
    for one in wanted.__mro__:
        known.update(inspect.signature(one.__init__).parameters)
    return {
        name: value
        for name, value in options.items()
        if name in known and name not in _OF_ITS_LIBRARY
    }


def _package(kind: Any) -> str:
    return str(kind.__module__).partition(".")[0]


def _url_of(pool: Any, options: dict[str, Any]) -> str:
    database = options.get("db") or 0
    manager = getattr(pool, "sentinel_manager", None)
    if manager is not None:
        asked = [one.connection_pool.connection_kwargs for one in manager.sentinels]
        places = ",".join(f"{one.get('host')}:{one.get('port')}" for one in asked)
        return f"redis+sentinel://{places}/{pool.service_name}/{database}"
    if "path" in options:
        return f"unix://{options['path']}?db={database}"
    kind = pool.connection_class
    if kind.__module__.partition(".")[0] == "fakeredis":
        return f"fakeredis://{options.get('host', '')}/{database}"
    scheme = "rediss" if "SSL" in kind.__name__ else "redis"
    return f"{scheme}://{options.get('host', 'localhost')}:{options.get('port', 6379)}/{database}"
