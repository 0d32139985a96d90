"""Clients of Redis or Valkey, made from an address."""

import re
import ssl
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from mixrelay.shared.errors import ConfigurationError

SENTINEL_PORT = 26379
# A password may hold any character, also where it should be escaped and is not: the last "@" ends
# it. Where only one name stands before the "@", it may be a password that was put there.
_ACCOUNT = re.compile(r"^([a-z0-9+.-]*://|)(?:([^:@/?#]*):)?.*@", re.IGNORECASE | re.DOTALL)
_PASSWORD_ASKED = re.compile(r"([?&][^=&]*pass[^=&]*=)[^&]*", re.IGNORECASE)

_OF_SENTINELS = ("sentinel_username", "sentinel_password")
_OF_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

# redis-py names itself by CLIENT SETINFO, which a user of few rights may not: each connection
# would leave two entries in the server's ACL LOG.
_NAMELESS: dict[str, object] = (
    {"driver_info": None}
    if find_spec("redis.driver_info")
    else {"lib_name": None, "lib_version": None}
)


def connect(url: str, *, timeout: float = 5.0, connect_timeout: float = 2.0) -> Redis:
    """A client that repeats nothing by itself; opens nothing until its first command.

    redis-py repeats a command up to ten times when the connection breaks, whether or not the
    server ran it; so retries are off, and whoever calls decides.

    Args:
        url: `redis://`, `rediss://`, `unix://`, or `redis+sentinel://h1:26379,h2/service/0`
            (`rediss+sentinel://` with TLS).
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
    options = client_options(url, timeout=timeout, connect_timeout=connect_timeout)
    options["retry"] = Retry(NoBackoff(), 0)
    if "+sentinel://" in url:
        return _through_sentinel(SentinelAddress.parse(url), options)
    try:
        return Redis.from_url(url, **options)
    except ValueError as error:
        raise _unreadable(url, error) from None


def client_options(url: str, *, timeout: float, connect_timeout: float) -> dict[str, Any]:
    """What every client of ours is made with, sync or async; retries aside, which differ."""
    options = {
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        **_NAMELESS,
    }
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
    return options


def certificate_trouble(error: BaseException | None) -> str | None:
    """Why a server's certificate was refused, where that is what an error comes from."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        error = error.__cause__ or error.__context__
    return None


def mask(url: str) -> str:
    """The address without its password, fit for a log or an error."""
    return _PASSWORD_ASKED.sub(r"\1***", _ACCOUNT.sub(_masked_account, url))


def _masked_account(found: re.Match[str]) -> str:
    name = "" if found[2] is None else f"{found[2]}:"
    return f"{found[1]}{name}***@"


def _unreadable(url: str, error: ValueError) -> ConfigurationError:
    """The error, without its text where that may repeat a part of a password."""
    why = str(error)
    if "@" in url or _PASSWORD_ASKED.search(url):
        why = "write it as redis://user:password@host:6379/0, with / ? # @ : % of the password "
        why += "as %2F %3F %23 %40 %3A %25"
    return ConfigurationError(f"MIXRELAY_REDIS_URL {mask(url)!r} cannot be read: {why}")


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """`redis+sentinel://user:password@h1:26379,h2/service/0?sentinel_password=…`, taken apart.

    User and password are the server's; those of the sentinels stand in the query. With
    `rediss+sentinel://` both speak TLS, and the query may have `ssl_ca_certs`, `ssl_certfile`
    and `ssl_keyfile`.

    Raises:
        ConfigurationError: sentinels or service are not named, or the query asks for more.
    """

    hosts: tuple[tuple[str, int], ...]
    service: str
    to_server: dict[str, Any] = field(repr=False)
    to_sentinels: dict[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        parts = urlsplit(url)
        service, _, database = parts.path.strip("/").partition("/")
        account, _, places = parts.netloc.rpartition("@")
        try:
            hosts = tuple(_host(place) for place in places.split(",") if place)
            number = int(database or 0)
        except ValueError as error:
            raise _unreadable(url, error) from None
        if not service or not hosts:
            raise _unusable(
                url,
                "must name sentinels and a service, such as redis+sentinel://host1,host2/name/0.",
            )
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        tls = _tls(url, parts.scheme, asked)
        user, _, password = account.partition(":")
        return cls(
            hosts,
            service,
            {"db": number, **_account(unquote(user), unquote(password)), **tls},
            _account(*(asked.get(name, "") for name in _OF_SENTINELS)) | tls,
        )


def _tls(url: str, scheme: str, asked: dict[str, str]) -> dict[str, Any]:
    secured = scheme.startswith("rediss")
    known = (*_OF_SENTINELS, *(_OF_TLS if secured else ()))
    if unknown := sorted(asked.keys() - set(known)):
        raise _unusable(url, f"asks for {', '.join(unknown)}; it may ask for {', '.join(known)}.")
    named = {name: asked[name] for name in _OF_TLS if name in asked}
    return {"ssl": True, **named} if secured else {}


def _account(user: str, password: str) -> dict[str, str | None]:
    return {"username": user or None, "password": password or None}


def _unusable(url: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"MIXRELAY_REDIS_URL {mask(url)!r} {why}")


def _through_sentinel(address: SentinelAddress, options: dict[str, Any]) -> Redis:
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs=options | address.to_sentinels, **options
    )
    client: Redis = sentinel.master_for(address.service, **address.to_server)  # type: ignore[no-untyped-call]
    return client


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "localhost", parts.port or SENTINEL_PORT
