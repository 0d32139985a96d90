"""Which settings of the server may lose messages, as 0 or 1 for an alert."""

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from mixrelay.console.health.limits import FULL
from mixrelay.shared.connection import infos

SAFETY_CHECKS = ("eviction", "memory", "persistence", "replica", "unknown")
"""`unknown`: this user may not ask the server."""


def unsafe(redis: Redis) -> dict[str, bool]:
    """What is unsafe now, of several servers on any; `doctor` says what to do about each."""
    try:
        told = [_unsafe(info) for info in infos(redis)]
    except ResponseError:
        return dict.fromkeys(SAFETY_CHECKS, False) | {"unknown": True}
    return {check: any(one[check] for one in told) for check in SAFETY_CHECKS}


def _unsafe(info: Mapping[str, Any]) -> dict[str, bool]:
    limit = int(info.get("maxmemory", 0))
    return {
        "eviction": info.get("maxmemory_policy", "noeviction") != "noeviction",
        "memory": bool(limit) and int(info.get("used_memory", 0)) > FULL * limit,
        "persistence": not info.get("aof_enabled"),
        "replica": info.get("role") == "slave",
        "unknown": False,
    }
