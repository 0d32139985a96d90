"""What differs between the versions of redis-py that mixrelay runs with, 5.2 and newer."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from threading import RLock
from typing import Any

from redis import __version__

VERSION = tuple(int(part) for part in __version__.split(".")[:2])

FOR_COMMAND: tuple[Any, ...] = () if VERSION >= (5, 3) else ("RPUSH",)
"""What `get_connection` wants to be given: up to redis-py 5.2 a command, of which it makes nothing;
from 5.3 on that is deprecated."""


def for_cluster(*, is_async: bool) -> dict[str, Any]:
    """What a connection to a cluster's node needs, so that MOVED and ASK are errors of their own.

    Up to redis-py 5 only its own cluster client's parser knows them.
    """
    if VERSION >= (6, 0):
        return {}
    module = import_module("redis.asyncio.cluster" if is_async else "redis.cluster")
    return {"parser_class": module.ClusterParser}


def verified(url: str) -> dict[str, Any]:
    """What a connection with TLS needs, so that the certificate must name the host.

    redis-py up to 5 takes any certificate that it trusts, whoever's it is.
    """
    return {"ssl_check_hostname": True} if url.startswith("rediss") and VERSION < (6, 0) else {}


@cache
def unannounced(*, is_async: bool) -> dict[str, Any]:
    """What a pool needs that asks no server to announce its maintenance.

    redis-py 8 asks at each connection (CLIENT MAINT_NOTIFICATIONS; redis-py 7 with RESP 3). While a
    server that announces it is maintained, as Redis Cloud does, each reply could take ten seconds
    in place of the timeout.
    """
    if not find_spec("redis.maint_notifications"):
        return {}
    pool = import_module("redis.asyncio" if is_async else "redis").ConnectionPool
    if "maint_notifications_config" not in signature(pool.__init__).parameters:
        return {}
    config = import_module("redis.maint_notifications").MaintNotificationsConfig
    return {"maint_notifications_config": config(enabled=False)}


def make_reentrant(pool: Any) -> None:
    """Replace a pool's locks by reentrant ones, as redis-py 6 and 8 have them.

    A signal handler that tracks while its own thread holds one would wait for ever: for that of
    the pool up to redis-py 5, for that of its events in redis-py 7. After a fork a pool makes its
    lock anew, and a producer makes its pools anew.

    Args:
        pool: that nothing uses yet.
    """
    if VERSION < (6, 0):
        pool._lock = RLock()  # noqa: SLF001 - there is no argument for it
    dispatcher: Any = getattr(pool, "_event_dispatcher", None)
    if hasattr(dispatcher, "_lock"):
        dispatcher._lock = RLock()  # noqa: SLF001 - the same
