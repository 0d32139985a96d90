"""What must be so before a worker starts: a Redis that is new enough and evicts nothing."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from mixrelay.shared import rights
from mixrelay.shared.connection import (
    REFUSALS,
    NotACluster,
    certificate_trouble,
    connect,
    is_cluster,
    mask,
    masters,
)
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.settings import Settings
from mixrelay.worker.base.retry import Backoff
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.process import egress as outward
from mixrelay.worker.process.burst import AwayTooLong, tell_away

log = logging.getLogger(__name__)

OLDEST_VERSION = (7, 0)
"""Older servers know no script flags, without which a full one could not be drained."""

_EVICTING = ("allkeys-", "volatile-")
_PASSING = (ReadOnlyError, OutOfMemoryError, *REFUSALS)
_PASSING_ANSWERS = ("BUSY", "MISCONF", "NOREPLICAS")
"""Those that redis-py gives no class."""
_TELL_EVERY_SECONDS = 30.0
_LOOK_SECONDS = 0.1


def check(
    settings: Settings,
    worker: WorkerSettings,
    *,
    is_stopped: Callable[[], bool],
    burst: bool = False,
) -> bool:
    """Waits for Redis as long as it takes, and looks at it; False where a burst gives that up.

    Raises:
        ConfigurationError: it refuses the password, shows a certificate that is not trusted, is
            too old, may evict messages, or does not let this user work; it is a cluster, and RQ
            has no node; or what leads to Mixpanel cannot be used.
    """
    settings.check_for_worker()
    outward.check(worker)
    is_rqs = settings.rq_url == settings.redis_url
    redis = connect(settings.redis_url)
    try:
        is_there = _wait_for(redis, settings, worker, is_stopped, burst=burst)
    finally:
        redis.close()
    if is_there and not is_rqs and not is_stopped():
        _check_rq(settings)
    return is_there


def _look(redis: Redis, settings: Settings, worker: WorkerSettings) -> None:
    """Looks at every node: one of several that is away stops none but its partitions."""
    away: dict[str, RedisError] = {}
    nodes = masters(redis)
    for place, node in nodes.items():
        try:
            _look_at(node, settings, worker)
        except RedisError as error:
            if len(nodes) == 1 or _never_passes(error):
                raise
            away[place] = error
    if len(away) == len(nodes):
        raise next(iter(away.values()))
    for place, trouble in away.items():
        log.warning("redis_away: the cluster's node %s: %s", place, trouble)


def _look_at(node: Redis, settings: Settings, worker: WorkerSettings) -> None:
    info = node.info()
    if is_of_cluster(info) and not is_cluster(settings.redis_url):
        raise ConfigurationError(
            f"Redis at {mask(settings.redis_url)} is a node of a cluster, which has some of the "
            "keys only: write redis+cluster://host1,host2 in MIXRELAY_REDIS_URL."
        )
    _check_version(info)
    _check_eviction(info, allowed=worker.allow_evicting_redis)
    rights.check(node, rights.WORKER, settings.queue, partitions=settings.partitions)
    if settings.rq_url == settings.redis_url:
        rights.check(node, rights.WORKER, settings.queue, on_rq=True)


def _check_rq(settings: Settings) -> None:
    """Looks once: messages flow also while RQ's own node is away."""
    redis = connect(settings.rq_url)
    try:
        rights.check(redis, rights.WORKER, settings.queue, on_rq=True)
    except RedisError as error:
        log.warning("rq_away: RQ's node at %s: %s", mask(settings.rq_url), error)
    finally:
        redis.close()


def _wait_for(
    redis: Redis,
    settings: Settings,
    worker: WorkerSettings,
    is_stopped: Callable[[], bool],
    *,
    burst: bool,
) -> bool:
    backoff, tell_at, away = Backoff(base=0.2, cap=5.0), 0.0, AwayTooLong()
    while not is_stopped():
        try:
            _look(redis, settings, worker)
        except RedisError as error:
            where = mask(settings.redis_url)
            if trouble := _never_passes(error):
                raise ConfigurationError(f"Redis at {where} {trouble}") from error
            if time.monotonic() >= tell_at:
                tell_at = time.monotonic() + _TELL_EVERY_SECONDS
                log.warning("redis_away: %s cannot be used now, trying again: %s", where, error)
            if away.after_failure() and burst:
                tell_away(error)
                return False
            _wait(backoff.next(), is_stopped)
        else:
            break
    return True


def _never_passes(error: RedisError) -> str | None:
    """What is wrong where waiting does not help."""
    if isinstance(error, AuthenticationError):
        return f"refuses the user name or password ({error}); set them in MIXRELAY_REDIS_URL."
    if refused := certificate_trouble(error):
        return (
            f"shows a certificate that is not trusted ({refused}); name its authority: "
            "rediss://host:6379/0?ssl_ca_certs=/path/to/ca.pem."
        )
    if isinstance(error, NotACluster):
        return f"cannot be used: {error}."
    if isinstance(error, _PASSING) or str(error).startswith(_PASSING_ANSWERS):
        return None
    if isinstance(error, ResponseError):
        return f"does not let this user work ({error})."
    return None


def _wait(seconds: float, is_stopped: Callable[[], bool]) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not is_stopped():
        time.sleep(_LOOK_SECONDS)


def version_of(info: dict[str, Any]) -> tuple[int, ...]:
    """The version of Redis that a server says it is compatible with, major and minor."""
    return tuple(int(part) for part in re.findall(r"\d+", str(info.get("redis_version", "0")))[:2])


def is_of_cluster(info: dict[str, Any]) -> bool:
    """Whether a server is a node of a cluster; Redis and Valkey name the field differently."""
    return "cluster" in (info.get("redis_mode"), info.get("server_mode"))


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
    log.error(
        "evicting: maxmemory-policy is %s; Redis may delete messages. Set it to noeviction", policy
    )
