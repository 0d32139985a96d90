"""The addresses that redis-py does not read: Sentinel's, a cluster's; and how one is shown."""

from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.connection import Connection

from mixrelay.shared.connection.bounded import BoundedConnection, BoundedSSLConnection
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.masking import PASSWORD_ASKED, mask
from mixrelay.shared.reading import shown_value

SENTINEL_PORT = 26379
SERVER_PORT = 6379
_SHOWN = 200
"""Characters of an address in an error."""

_OF_SENTINELS = ("sentinel_username", "sentinel_password")
_OF_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def unreadable(url: str, error: ValueError) -> ConfigurationError:
    """The error, without its text where that may repeat a part of a password."""
    why = str(error)
    if "@" in url or PASSWORD_ASKED.search(url):
        why = "write it as redis://user:password@host:6379/0, with / ? # @ : % of the password "
        why += "as %2F %3F %23 %40 %3A %25"
    return unusable(url, f"cannot be read: {why}")


def is_cluster(url: str) -> bool:
    return url.partition("://")[0].endswith("+cluster")


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
        hosts, account = _who_and_where(url, parts, SENTINEL_PORT)
        number = _database(url, database)
        if not service or not hosts:
            raise unusable(
                url,
                "must name sentinels and a service, such as redis+sentinel://host1,host2/name/0.",
            )
        asked = _asked(url, parts, _OF_SENTINELS)
        tls = {"ssl": True, **VERIFIED, **_tls(asked)} if _is_secured(parts) else {}
        return cls(
            hosts,
            service,
            {"db": number, **account, **tls},
            _account(*(asked.get(name, "") for name in _OF_SENTINELS)) | tls,
        )


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """`redis+cluster://user:password@h1:6379,h2`: some of a cluster's nodes, taken apart.

    The others are learnt from these. With `rediss+cluster://` all speak TLS, and the query may
    have `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile`.

    Raises:
        ConfigurationError: no node is named, a database other than 0 is, or the query asks for
            more.
    """

    hosts: tuple[tuple[str, int], ...]
    connection_class: type[Connection]
    to_nodes: dict[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        parts = urlsplit(url)
        hosts, account = _who_and_where(url, parts, SERVER_PORT)
        if not hosts:
            raise unusable(url, "must name nodes, such as redis+cluster://host1,host2:6379.")
        if _database(url, parts.path.strip("/")):
            raise unusable(url, "names a database; a cluster has none but 0.")
        asked = _asked(url, parts, ())
        if _is_secured(parts):
            return cls(hosts, BoundedSSLConnection, account | VERIFIED | _tls(asked))
        return cls(hosts, BoundedConnection, account)


def _who_and_where(
    url: str, parts: SplitResult, port: int
) -> tuple[tuple[tuple[str, int], ...], dict[str, str | None]]:
    account, _, places = parts.netloc.rpartition("@")
    user, _, password = account.partition(":")
    try:
        hosts = tuple(_host(place, port) for place in places.split(",") if place)
    except ValueError as error:
        raise unreadable(url, error) from None
    return hosts, _account(unquote(user), unquote(password))


def _database(url: str, text: str) -> int:
    try:
        return int(text or 0)
    except ValueError as error:
        raise unreadable(url, error) from None


def _is_secured(parts: SplitResult) -> bool:
    return parts.scheme.startswith("rediss")


def _asked(url: str, parts: SplitResult, others: tuple[str, ...]) -> dict[str, str]:
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = (*others, *(_OF_TLS if _is_secured(parts) else ()))
    if unknown := sorted(asked.keys() - set(known)):
        may = ", ".join(known) or "nothing"
        raise unusable(url, f"asks for {', '.join(unknown)}; it may ask for {may}.")
    return asked


def _tls(asked: dict[str, str]) -> dict[str, str]:
    return {name: asked[name] for name in _OF_TLS if name in asked}


def _account(user: str, password: str) -> dict[str, str | None]:
    return {"username": user or None, "password": password or None}


def unusable(url: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"MIXRELAY_REDIS_URL {shown_value(mask(url), _SHOWN)} {why}")


VERIFIED: dict[str, Any] = {"ssl_check_hostname": True}
"""The certificate's name too, which redis-py 5 does not look at by default."""
_VERIFYING = {
    "ssl_cert_reqs": frozenset({"required", "cert_required", "2"}),
    "ssl_check_hostname": frozenset({"true", "t", "yes", "y", "1"}),
}
"""All that these may be set to; whatever else is written there is not meant so."""


def refuse_unverified(url: str) -> None:
    """Refuse an address that asks for TLS without a look at the server's certificate.

    Raises:
        ConfigurationError: it does.
    """
    try:
        query = urlsplit(url).query
    except ValueError:
        return  # whoever reads the address says so, without its password
    for name, value in parse_qsl(query):
        asked, allowed = name.strip().lower(), _VERIFYING.get(name.strip().lower())
        if allowed is not None and value.strip().lower() not in allowed:
            raise unusable(
                url,
                f"asks for {asked}={shown_value(value)[1:-1]}, and certificates are always "
                "verified: leave that out, and name the authority with "
                "ssl_ca_certs=/path/to/ca.pem.",
            )


_OFF = frozenset({"", "0", "f", "false", "n", "no", "off"})
_CHANGING = {
    "decode_responses": (_OFF, "messages and RQ's ids are read as bytes, not as text"),
    "encoding": (frozenset({"utf-8", "utf8", "utf_8"}), "keys and messages are UTF-8"),
    "retry_on_timeout": (_OFF, "a command whose answer is late may have run, and would run twice"),
    "retry_on_error": (_OFF, "a command that failed may have run, and would run twice"),
}
"""Options of redis-py's that change what a client means here, with the values that do not."""


def refuse_changing(url: str) -> None:
    """Refuse an address whose query has redis-py read, write or repeat otherwise than we do.

    Raises:
        ConfigurationError: it does; the message names the option.
    """
    try:
        query = urlsplit(url).query
    except ValueError:
        return  # as above
    for name, value in parse_qsl(query, keep_blank_values=True):
        harmless, why = _CHANGING.get(name, (None, ""))
        if harmless is not None and value.strip().lower() not in harmless:
            raise unusable(url, f"asks for {name}={value}: {why}. Leave {name} out.")


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "localhost", parts.port or port
