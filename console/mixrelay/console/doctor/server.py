"""Redis or Valkey: is it there, new enough, and will it keep what it was given?"""

import statistics
import time
from collections.abc import Iterator
from typing import Any, cast

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from mixrelay.console.doctor.findings import Area, Finding
from mixrelay.console.failures import explain_redis
from mixrelay.console.text import count, duration
from mixrelay.shared.connection import connect, mask
from mixrelay.shared.errors import MixrelayError
from mixrelay.shared.queue import Queue
from mixrelay.worker.start import OLDEST_VERSION, version_of

REDIS = Area("redis")

_SLOW_SECONDS = 0.05
_CLOCK_SECONDS = 5.0
_FULL = 0.8
_PINGS = 5


def check_server(url: str, queue: str) -> Iterator[Finding]:
    """Everything about the server of a queue; one finding where it cannot be asked."""
    try:
        redis = connect(url)
    except MixrelayError as error:
        yield REDIS.error("address", str(error), "Correct MIXRELAY_REDIS_URL.")
        return
    try:
        yield from _looks(redis, url, queue)
    except RedisError as error:
        failure = explain_redis(error, url).failure
        yield REDIS.error("connection", failure.what, failure.todo)
    finally:
        redis.close()


def _looks(redis: Redis, url: str, queue: str) -> Iterator[Finding]:
    yield _round_trip(redis, url)
    try:
        info = redis.info()
    except NoPermissionError:
        yield REDIS.warning(
            "rights",
            "This user may not ask for INFO: version, persistence and memory are unknown.",
            "Allow it: ACL SETUSER <user> +info.",
        )
    else:
        yield _version(info)
        yield _role(info)
        yield from _persistence(redis, info)
        yield _eviction(info)
        yield _memory(info)
        yield from _replicas(redis, info)
    yield _clock(redis)
    yield from _keys(redis, queue)


def _round_trip(redis: Redis, url: str) -> Finding:
    redis.ping()
    times = []
    for _ in range(_PINGS):
        began = time.perf_counter()
        redis.ping()
        times.append(time.perf_counter() - began)
    usual = statistics.median(times)
    found = f"{mask(url)} answers in {usual * 1000:.1f} ms."
    if usual < _SLOW_SECONDS:
        return REDIS.ok("connection", found)
    return REDIS.warning(
        "connection", found, "Each tracking call waits that long: bring Redis nearer."
    )


def _version(info: dict[str, Any]) -> Finding:
    valkey = info.get("valkey_version")
    name = f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version')}"
    if version_of(info) < OLDEST_VERSION:
        return REDIS.error(
            "version", f"{name} is too old.", "Use Redis 7.0 or Valkey 7.2, or newer."
        )
    return REDIS.ok("version", f"{name}.")


def _role(info: dict[str, Any]) -> Finding:
    if info.get("role") == "slave":
        return REDIS.error(
            "role",
            "This server is a replica and takes no writes.",
            "Point MIXRELAY_REDIS_URL at the primary, or at its sentinels.",
        )
    return REDIS.ok("role", "It is a primary.")


def _persistence(redis: Redis, info: dict[str, Any]) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        saves = _setting(redis, "save")
        kept = "Only snapshots are kept" if saves else "Nothing is kept on disk"
        yield REDIS.error(
            "persistence",
            f"{kept} (appendonly no): a crash of Redis loses messages.",
            "CONFIG SET appendonly yes, and write it into the server's configuration.",
        )
        return
    fsync = _setting(redis, "appendfsync") or "unknown"
    if fsync == "no":
        yield REDIS.warning(
            "persistence",
            "The append-only file is synced when the system likes (appendfsync no).",
            "CONFIG SET appendfsync everysec.",
        )
    else:
        loses = {"everysec": "a crash of the machine may lose a second", "always": "no loss"}
        yield REDIS.ok("persistence", f"Append-only file, fsync {fsync}: {loses.get(fsync, '?')}.")
    for field in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"):
        if info.get(field, "ok") != "ok":
            yield REDIS.error(
                "disk",
                f"The last write to disk failed ({field}: {info[field]}).",
                "Look at the server's log and at the room on its disk.",
            )


def _eviction(info: dict[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy == "noeviction":
        return REDIS.ok("eviction", "Nothing is evicted (maxmemory-policy noeviction).")
    return REDIS.error(
        "eviction",
        f"A full Redis deletes messages (maxmemory-policy {policy}).",
        "CONFIG SET maxmemory-policy noeviction, and keep caches on another server.",
    )


def _memory(info: dict[str, Any]) -> Finding:
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    room = limit or int(info.get("total_system_memory", 0))
    of = f"{_mib(used)} of {_mib(room)}" + ("" if limit else " of the machine, no maxmemory set")
    if room and used > _FULL * room:
        return REDIS.error(
            "memory",
            f"{of}: producers will be refused when it is full.",
            "Start more workers if the queue is long, or raise maxmemory.",
        )
    if not limit:
        return REDIS.warning(
            "memory",
            f"{of}: a long outage of Mixpanel ends with the kernel killing Redis.",
            "Set maxmemory below what the machine has: then producers are told, and spool.",
        )
    return REDIS.ok("memory", f"{of}.")


def _replicas(redis: Redis, info: dict[str, Any]) -> Iterator[Finding]:
    replicas = int(info.get("connected_slaves", 0))
    needed = _setting(redis, "min-replicas-to-write")
    if needed is None:
        return
    if replicas and needed == "0":
        yield REDIS.warning(
            "replicas",
            f"{replicas} connected, none is waited for (min-replicas-to-write 0): a failover may "
            "lose what was not copied yet.",
            "CONFIG SET min-replicas-to-write 1 narrows that, at the price of refused writes "
            "while no replica is connected.",
        )
    elif replicas:
        yield REDIS.ok("replicas", f"{replicas} connected, {needed} needed to write.")
    else:
        yield REDIS.ok("replicas", "None: the machine's loss is the queue's.")


def _clock(redis: Redis) -> Finding:
    seconds, micros = redis.time()
    apart = abs(time.time() - seconds - micros / 1_000_000)
    if apart < _CLOCK_SECONDS:
        return REDIS.ok("clock", "This machine and Redis agree on the time.")
    return REDIS.warning(
        "clock",
        f"This machine and Redis are {duration(apart)} apart: events would carry a wrong time.",
        "Let NTP set both clocks. (Leases go by Redis's clock alone.)",
    )


def _keys(redis: Redis, queue: str) -> Iterator[Finding]:
    kind = cast("bytes", redis.type(queue)).decode()
    if kind not in {"list", "none"}:
        yield REDIS.error(
            "queue",
            f"The key {queue!r} holds a {kind}, not a list.",
            "Another program uses this name: set another MIXRELAY_QUEUE, or move that key.",
        )
        return
    books = Queue(redis, queue).books()
    if books.difference:
        yield REDIS.error(
            "queue",
            f"The books of {queue!r} differ by {books.difference}.",
            "Was a key of the queue changed by hand, or restored from an older copy?",
        )
    else:
        holds = f"{books.waiting:,} waiting, {count(books.dead, 'dead letter')}"
        yield REDIS.ok("queue", f"{queue!r}: {holds}.")


def _setting(redis: Redis, name: str) -> str | None:
    """A setting of the server; None where this user may not read it, or no such one is there."""
    try:
        return redis.config_get(name).get(name)
    except RedisError:
        return None


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:,.0f} MiB"
