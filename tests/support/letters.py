"""Dead letters made through the queue's own moves, as a worker makes them."""

import json
from collections.abc import Callable, Sequence

from mixrelay.shared.queue import (
    Batch,
    Dead,
    Lane,
    Limits,
    Member,
    Number,
    Queue,
    Settlement,
    new_id,
)

AT_ONCE = Limits(linger_seconds=0)


def event(name: str, distinct_id: str = "ann", **properties: object) -> bytes:
    record = {"event": name, "properties": {"distinct_id": distinct_id, **properties}}
    return json.dumps(["event", json.dumps({"data": record})]).encode()


def imported(name: str, api_key: str) -> bytes:
    record = {"event": name, "properties": {"distinct_id": "ann", "time": 1}}
    return json.dumps(["import", json.dumps({"data": record, "api_key": api_key})]).encode()


def profile(distinct_id: str, **properties: object) -> bytes:
    record = {"$distinct_id": distinct_id, "$set": properties}
    return json.dumps(["profile_update", json.dumps({"data": record})]).encode()


def bury(
    queue: Queue,
    payloads: Sequence[bytes],
    reason: str = "invalid",
    *,
    status: int = 400,
    error: str = "'properties.time' is invalid",
    field: str = "",
) -> list[Number]:
    """Pushes the tuples and buries all that waits; returns the numbers in order."""

    def dead(member: Member) -> Dead:
        return Dead(member.number, reason, error, field, status)

    if payloads:
        queue.push(payloads)
    return _settle_all(
        queue, lambda batch: Settlement(dead=list(map(dead, batch.members)), sent=True)
    )


def deliver_all(queue: Queue) -> list[Number]:
    """Routes and delivers all that waits; returns the numbers in order."""
    return _settle_all(queue, lambda _: Settlement(delivered="all", sent=True, accepted=True))


def _settle_all(queue: Queue, verdict: Callable[[Batch], Settlement]) -> list[Number]:
    while any(queue.route()):
        pass
    numbers: list[Number] = []
    for lane in Lane:
        while batch := _reserve(queue, lane):
            numbers += [member.number for member in batch.members]
            queue.settle(batch, verdict(batch))
    return sorted(numbers, key=lambda number: int(number.partition("-")[2]))


def _reserve(queue: Queue, lane: Lane) -> Batch | None:
    found = queue.reserve(lane, owner="test", claim=new_id(), lease_seconds=60, limits=AT_ONCE)
    return found if isinstance(found, Batch) else None
