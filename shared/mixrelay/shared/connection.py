"""Clients of Redis or Valkey, made from an address."""

import re
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from mixrelay.shared.errors import ConfigurationError

SENTINEL_PORT = 26379
# A password may itself hold "@": what comes last before a host ends it.
_PASSWORD = re.compile(r"(://[^:/?#]*:)[^/?#]*@")
_PASSWORD_ASKED = re.compile(r"([?&]password=)[^&#]*")


def connect(url: str, *, timeout: float = 5.0, connect_timeout: float = 2.0) -> Redis:
    """A client that repeats nothing by itself; opens nothing until its first command.

    redis-py repeats a command up to ten times when the connection breaks, whether or not the
    server ran it; so retries are off, and whoever calls decides.

    Args:
        url: `redis://`, `rediss://`, `unix://`, or `redis+sentinel://h1:26379,h2/service/0`.
        timeout: seconds that one reply may take.
        connect_timeout: seconds to connect.

    Raises:
        ConfigurationError: the address cannot be read, or names a cluster.
    """
    if url.startswith("redis+cluster://"):
        raise ConfigurationError(
            f"MIXRELAY_REDIS_URL {mask(url)!r} names a cluster, which is not supported yet; use "
            "one server, redis://host:6379/0, or one with a failover, "
            "redis+sentinel://host1,host2/mymaster/0."
        )
    options: dict[str, object] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
    if url.startswith("redis+sentinel://"):
        return _through_sentinel(url, options)
    try:
        return Redis.from_url(url, **options)
    except ValueError as error:
        raise ConfigurationError(
            f"MIXRELAY_REDIS_URL {mask(url)!r} cannot be read: {error}"
        ) from error


def mask(url: str) -> str:
    """The address without its password, fit for a log or an error."""
    return _PASSWORD_ASKED.sub(r"\1***", _PASSWORD.sub(r"\1***@", url))


def _through_sentinel(url: str, options: dict[str, object]) -> Redis:
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    hosts = [_host(host) for host in parts.netloc.rpartition("@")[2].split(",") if host]
    if not service or not hosts:
        raise ConfigurationError(
            f"MIXRELAY_REDIS_URL {mask(url)!r} must name sentinels and a service, "
            "such as redis+sentinel://host1,host2/mymaster/0."
        )
    account, _, password = parts.netloc.rpartition("@")[0].partition(":")
    sentinel = Sentinel(hosts, sentinel_kwargs=options, **options)  # type: ignore[no-untyped-call]
    return sentinel.master_for(  # type: ignore[no-any-return, no-untyped-call]
        service,
        db=int(database or 0),
        username=unquote(account) or None,
        password=unquote(password) or None,
    )


def _host(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or SENTINEL_PORT)
