"""Which queue a spool belongs to: its server, database, user and name, however they are written.

Messages of one queue must never be pushed to another one, and a password is no part of it: it may
change while messages wait.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from mixrelay.shared.masking import mask

_SERVER_PORT = 6379
_SENTINEL_PORT = 26379
_DEFAULT_USER = "default"
"""Whom Redis takes a password alone to be of."""


def spool_identity(redis_url: str, queue: str, user: str = "") -> str:
    """Return a text that two queues have in common only if they are the same one.

    Args:
        redis_url: where the queue is, in any form that ``connect`` takes.
        queue: its name.
        user: of Redis, where the address does not name one.
    """
    try:
        where = _where(redis_url, user)
    except ValueError:  # no client can be made of it either
        where = [mask(redis_url), user]
    return "\n".join([*where, queue])


def _where(redis_url: str, user: str) -> list[str]:
    parts = urlsplit(redis_url)
    account, _, places = parts.netloc.rpartition("@")
    asked = dict(parse_qsl(parts.query))
    named = unquote(account.partition(":")[0]) or asked.get("username", "") or user
    kind = parts.scheme.replace("rediss", "redis", 1)
    who = named or _DEFAULT_USER
    database = asked.get("db", "")
    if kind == "unix":
        return [kind, unquote(parts.path), str(int(database or 0)), who]
    port = _SENTINEL_PORT if kind == "redis+sentinel" else _SERVER_PORT
    hosts = ",".join(sorted(_place(place, port) for place in places.split(",")))
    path = unquote(parts.path).strip("/")
    if kind == "redis+sentinel":
        service, _, number = path.partition("/")
        return [kind, hosts, service, str(int(number or 0)), who]
    return [kind, hosts, str(int(database or path or 0)), who]


def _place(text: str, port: int) -> str:
    parts = urlsplit(f"//{text}")
    return f"{parts.hostname or 'localhost'}:{parts.port or port}"
