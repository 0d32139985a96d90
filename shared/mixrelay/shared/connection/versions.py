"""What differs between the versions of redis-py that mixrelay runs with, 5.2 and newer."""

from importlib import import_module
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
