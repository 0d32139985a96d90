"""A cluster: are all slots served, and is every master as one that holds messages should be?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from redis import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import RedisError

from mixrelay.console.doctor.findings import Finding
from mixrelay.console.doctor.node import REDIS, look_at, round_trip, setting
from mixrelay.shared.connection import masters


def check_masters(redis: Redis) -> Iterator[Finding]:
    """What holds for the cluster, then what holds for its masters: what is alike, in one line.

    Raises:
        redis.RedisError: no node tells which masters there are.
    """
    nodes = masters(redis)
    yield _slots(nodes.values())
    yield from _together({place: _of_master(node) for place, node in nodes.items()})


def _slots(nodes: Iterable[Redis]) -> Finding:
    told = next(filter(None, map(_told, nodes)), None)
    if told is None:
        return REDIS.warning(
            "slots",
            "No master tells CLUSTER INFO: whether all slots are served is unknown.",
            "If this user may not ask: ACL SETUSER <user> +cluster|info.",
        )
    served = int(told["cluster_slots_ok"])
    if served == REDIS_CLUSTER_HASH_SLOTS:
        return REDIS.ok("slots", f"All {served:,} are served.")
    return REDIS.error(
        "slots",
        f"{served:,} of {REDIS_CLUSTER_HASH_SLOTS:,} are served: partitions in the others stand "
        "still.",
        "Bring the lost masters back, or see valkey-cli --cluster check <any> and fix.",
    )


def _told(node: Redis) -> dict[str, str] | None:
    """What a node says of the cluster; None where it is away or this user may not ask."""
    try:
        return cast("dict[str, str]", node.cluster("INFO"))
    except RedisError:
        return None


def _of_master(node: Redis) -> list[Finding]:
    try:
        return [round_trip(node, "It"), *look_at(node, in_cluster=True), *_coverage(node)]
    except RedisError as error:
        away = REDIS.error(
            "master",
            f"Away: {str(error).rstrip('.')}.",
            "Its partitions stand still until it is back or a replica takes its place.",
        )
        return [away]


def _coverage(node: Redis) -> Iterator[Finding]:
    if setting(node, "cluster-require-full-coverage") == "yes":
        yield REDIS.warning(
            "coverage",
            "It serves nothing while any slot is lost (cluster-require-full-coverage yes): one "
            "lost master stops every partition.",
            "CONFIG SET cluster-require-full-coverage no.",
        )


def _together(found: Mapping[str, Sequence[Finding]]) -> Iterator[Finding]:
    """Each finding once, with the masters that it is about."""
    places: dict[Finding, list[str]] = {}
    for place, findings in found.items():
        for finding in findings:
            places.setdefault(finding, []).append(place)
    checks = list(dict.fromkeys(finding.check for finding in places))
    for finding in sorted(places, key=lambda one: checks.index(one.check)):
        where = places[finding]
        who = f"All {len(where)} masters" if len(where) == len(found) else ", ".join(where)
        yield replace(finding, found=f"{who}: {finding.found}")
