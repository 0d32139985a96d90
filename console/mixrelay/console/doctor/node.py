"""One server: is it new enough, and will it keep what it was given?"""

import statistics
import time
from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from mixrelay.console.doctor.findings import Area, Finding
from mixrelay.console.text import duration
from mixrelay.worker.process.preflight import OLDEST_VERSION, is_of_cluster, version_of

REDIS = Area("redis")

_CLOCK_SECONDS = 5.0
_FULL = 0.8
_SLOW_SECONDS = 0.05
_PINGS = 5


def look_at(redis: Redis, *, in_cluster: bool = False) -> Iterator[Finding]:
    """What this server says of itself, as one of a cluster's masters or as the only one.

    Raises:
        redis.RedisError: it is away.
    """
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
        yield _role(info, in_cluster=in_cluster)
        yield from _persistence(redis, info)
        yield _eviction(info)
        yield _memory(info)
        yield from _replicas(redis, info, in_cluster=in_cluster)
    yield _clock(redis)


def round_trip(redis: Redis, who: str) -> Finding:
    """How long an answer takes. Raises redis.RedisError where none comes."""
    redis.ping()
    times = []
    for _ in range(_PINGS):
        began = time.perf_counter()
        redis.ping()
        times.append(time.perf_counter() - began)
    usual = statistics.median(times)
    found = f"{who} answers in {usual * 1000:.1f} ms."
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


def _role(info: dict[str, Any], *, in_cluster: bool) -> Finding:
    if is_of_cluster(info) and not in_cluster:
        return REDIS.error(
            "role",
            "This server is a node of a cluster, and has some of its keys only.",
            "Name the cluster: MIXRELAY_REDIS_URL=redis+cluster://host1,host2.",
        )
    if info.get("role") == "slave":
        return REDIS.error(
            "role",
            "This server is a replica and takes no writes.",
            "Point MIXRELAY_REDIS_URL at the primary, or at its sentinels.",
        )
    return REDIS.ok("role", "It is a primary.")


def _persistence(redis: Redis, info: dict[str, Any]) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        saves = setting(redis, "save")
        kept = "Only snapshots are kept" if saves else "Nothing is kept on disk"
        yield REDIS.error(
            "persistence",
            f"{kept} (appendonly no): a crash of Redis loses messages.",
            "CONFIG SET appendonly yes, and write it into the server's configuration.",
        )
    else:
        yield _synced(redis)
    for field in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"):
        if info.get(field, "ok") != "ok":
            yield REDIS.error(
                "disk",
                f"The last write to disk failed ({field}: {info[field]}).",
                "Look at the server's log and at the room on its disk.",
            )


def _synced(redis: Redis) -> Finding:
    fsync = setting(redis, "appendfsync") or "unknown"
    if fsync == "no":
        return REDIS.warning(
            "persistence",
            "The append-only file is synced when the system likes (appendfsync no).",
            "CONFIG SET appendfsync everysec.",
        )
    loses = {"everysec": "a crash of the machine may lose a second", "always": "no loss"}
    return REDIS.ok("persistence", f"Append-only file, fsync {fsync}: {loses.get(fsync, '?')}.")


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
            "Set maxmemory below what the machine has: then producers get an error, and spool.",
        )
    return REDIS.ok("memory", f"{of}.")


def _replicas(redis: Redis, info: dict[str, Any], *, in_cluster: bool) -> Iterator[Finding]:
    replicas = int(info.get("connected_slaves", 0))
    if in_cluster and not replicas:
        yield REDIS.warning(
            "replicas",
            "None: while it is away its partitions stand still, and its loss is theirs.",
            "Give it one: valkey-cli --cluster add-node <new> <any> --cluster-replica.",
        )
        return
    needed = setting(redis, "min-replicas-to-write")
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


def setting(redis: Redis, name: str) -> str | None:
    """A setting of the server; None where this user may not read it, or no such one is there."""
    try:
        return redis.config_get(name).get(name)
    except RedisError:
        return None


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:,.0f} MiB"
