"""The keys of what commands print as JSON, and the metrics, of a queue that has some of all."""

import json
import time
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import Metric
from redis import Redis
from rq import Queue as RqQueue
from rq import SimpleWorker

from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.metrics.safety import unsafe
from mixrelay.console.status.look import look
from mixrelay.shared.queue import (
    Batch,
    Example,
    Lane,
    Limits,
    Noticed,
    Park,
    Pause,
    PauseKind,
    Queue,
    Settlement,
    Shard,
    new_id,
)
from tests.support.console import called
from tests.support.letters import bury, deliver_all, event, profile
from tests.support.tokens import OURS, THEIRS, refuse

COMMANDS = (
    "status --json",
    "dlq list --json",
    "dlq stats --json",
    "dlq fix --all --set properties.time=1 --dry-run --json",
    "dlq export",
    "queue peek --json",
    "queue top --json",
    "erase nobody --json",
    "config worker --json",
    "config producer --json",
    "config page --json",
    "doctor --redis-only --json",
)


def lines(redis: Redis, url: str) -> Iterator[str]:
    """Each command that prints JSON, with the paths of its keys and what kind each value is."""
    fill(Queue(redis), redis)
    for command in COMMANDS:
        yield f"mixrelay {command}"
        written, _ = called(*command.split(), expect=None, MIXRELAY_REDIS_URL=url)
        paths: dict[str, set[str]] = {}
        for text in _objects(written):
            _walk("", text, paths)
        yield from (
            f"    {path}: {' | '.join(sorted(kinds))}" for path, kinds in sorted(paths.items())
        )


def metrics(redis: Redis, url: str) -> Iterator[str]:
    """Each metric with its type and its labels."""
    collector = QueueCollector(lambda: look(Queue(redis), url), lambda: unsafe(redis))
    yield from sorted(map(_metric, collector.collect()))


def _metric(metric: Metric) -> str:
    ending = "_total" if metric.type == "counter" else ""
    labels = ", ".join(getattr(metric, "_labelnames", ()))
    return f"{metric.name}{ending} {metric.type}{f' {{{labels}}}' if labels else ''}"


def fill(queue: Queue, redis: Redis) -> None:
    """Dead letters, deliveries, a circuit that is open, a lane on hold, a worker, a backlog."""
    bury(queue, [event("Signed Up"), profile("ann")])
    queue.push([event("Delivered")])
    deliver_all(queue)
    refuse(queue, THEIRS, likelier="region", elsewhere="eu")
    today = int(time.time()) // 86_400
    queue.hot.add({Shard(today, "distinct_id", OURS.fingerprint, "", "bot"): 150_001})
    example = Example("Checked Out", "properties.Cart", "812 characters, 255 kept", "0-1")
    noticed = {"cut_text": Noticed(3, example)}
    batch = _reserved(queue, event("Cut"))
    queue.settle(batch, Settlement(delivered="all", sent=True, noticed=noticed))
    batch = _reserved(queue, event("Waiting for Mixpanel"))
    pause = Pause(PauseKind.OUTAGE, base_ms=600_000)
    parked = Park("service unavailable", 503, pause=pause)
    queue.settle(batch, Settlement(rest=parked, sent=True, destination="track:0badc0de"))
    queue.push([profile("ann", plan="pro"), event("Queued")])
    queue.route()
    queue.push([event("Incoming")])
    SimpleWorker([RqQueue("mixrelay", connection=redis)], connection=redis).register_birth()


def _reserved(queue: Queue, payload: bytes) -> Batch:
    queue.push([payload])
    queue.route()
    limits = Limits(linger_seconds=0)
    batch = queue.reserve(Lane.EVENT, owner="o", claim=new_id(), lease_seconds=600, limits=limits)
    assert isinstance(batch, Batch)
    return batch


def _objects(written: str) -> list[Any]:
    try:
        return [json.loads(written)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in written.splitlines() if line]


def _walk(path: str, value: Any, paths: dict[str, set[str]]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _walk(f"{path}.{key}".lstrip("."), inner, paths)
    elif isinstance(value, list):
        for inner in value or [None]:
            _walk(f"{path}[]", inner, paths)
    else:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        kind = "number" if number else {str: "text", bool: "boolean"}.get(type(value), "null")
        paths.setdefault(path, set()).add(kind)
