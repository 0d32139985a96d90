"""What must be so before a worker starts: a Redis that is new enough and evicts nothing."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from mixrelay.shared.connection import connect, mask
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.settings import Settings
from mixrelay.worker.patience import Backoff
from mixrelay.worker.settings import WorkerSettings

log = logging.getLogger(__name__)

OLDEST_VERSION = (7, 0)
"""Older servers know no script flags, without which a full one could not be drained."""

_EVICTING = ("allkeys-", "volatile-")
_TELL_EVERY_SECONDS = 30.0
_LOOK_SECONDS = 0.1


def check(settings: Settings, worker: WorkerSettings, *, is_stopped: Callable[[], bool]) -> None:
    """Waits for Redis as long as it takes, and looks at it.

    Raises:
        ConfigurationError: it refuses the password, is too old, or may evict messages.
    """
    redis = connect(settings.redis_url)
    try:
        info = _info(redis, settings, is_stopped)
        if info:
            _check_version(info)
            _check_eviction(info, allowed=worker.allow_evicting_redis)
    finally:
        redis.close()


def _info(redis: Redis, settings: Settings, is_stopped: Callable[[], bool]) -> dict[str, Any]:
    backoff, tell_at = Backoff(base=0.2, cap=5.0), 0.0
    while not is_stopped():
        try:
            return redis.info()
        except AuthenticationError as error:
            raise ConfigurationError(
                f"Redis at {mask(settings.redis_url)} refuses the user name or password "
                f"({error}); set them in MIXRELAY_REDIS_URL."
            ) from error
        except ResponseError as error:
            raise ConfigurationError(
                f"Redis at {mask(settings.redis_url)} does not let this user work ({error})."
            ) from error
        except RedisError as error:
            if time.monotonic() >= tell_at:
                tell_at = time.monotonic() + _TELL_EVERY_SECONDS
                log.warning(
                    "redis_away: %s cannot be reached, trying on: %s",
                    mask(settings.redis_url),
                    error,
                )
            _wait(backoff.next(), is_stopped)
    return {}


def _wait(seconds: float, is_stopped: Callable[[], bool]) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not is_stopped():
        time.sleep(_LOOK_SECONDS)


def version_of(info: dict[str, Any]) -> tuple[int, ...]:
    """The version of Redis that a server says it is compatible with, major and minor."""
    return tuple(int(part) for part in re.findall(r"\d+", str(info.get("redis_version", "0")))[:2])


def _check_version(info: dict[str, Any]) -> None:
    if version_of(info) < OLDEST_VERSION:
        raise ConfigurationError(
            f"Redis {info.get('redis_version')} is too old; "
            "use Redis 7.0 or newer, or Valkey 7.2 or newer."
        )


def _check_eviction(info: dict[str, Any], *, allowed: bool) -> None:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if not policy.startswith(_EVICTING):
        return
    if not allowed:
        raise ConfigurationError(
            f"Redis may evict keys (maxmemory-policy is {policy}), and messages with them. "
            "Set it to noeviction: CONFIG SET maxmemory-policy noeviction. "
            "MIXRELAY_ALLOW_EVICTING_REDIS=on starts all the same."
        )
    log.error("evicting: maxmemory-policy is %s; Redis may delete messages unseen", policy)
