"""Measures the calls of one version, for `benchmarks.copies`; imports nothing else of mixrelay."""

import json
import os
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import orjson
from redis import Redis

from benchmarks import events
from benchmarks.way import Way
from mixrelay.producer import Tracker

MESSAGES = 4_000
"""A round."""
BATCH = 10
DATED = {
    **events.PROPERTIES,
    "Since": datetime(2026, 11, 2, 12, 30, tzinfo=UTC),
    "Until": datetime(2027, 11, 2, 12, 30, tzinfo=UTC),
    "Price": Decimal("99.50"),
}


def build() -> bytes:
    """The least that a producer does: an event, encoded into its message and that into a tuple."""
    properties = {
        "distinct_id": "user",
        "token": events.TOKEN,
        "time": time.time_ns() // 1_000_000,
        "$insert_id": os.urandom(16).hex(),
        "mp_lib": "baseline",
        "$lib_version": "0.0.0",
        **events.PROPERTIES,
    }
    message = orjson.dumps({"data": {"event": events.NAME, "properties": properties}})
    return orjson.dumps(["event", message.decode()])


def ways(url: str) -> list[Way]:
    client = Redis.from_url(url)
    tracker = Tracker(events.TOKEN, redis_url=url, queue="ours", spool_dir="off")

    def call(properties: dict[str, object]) -> None:
        tracker.track("user", events.NAME, properties)

    def batch(properties: dict[str, object]) -> None:
        with tracker.batch():
            for _ in range(BATCH):
                tracker.track("user", events.NAME, properties)

    found = [
        Way("floor, a call", lambda: client.rpush("floor", build())),
        Way(
            "floor, in tens",
            lambda: client.rpush("floor", *[build() for _ in range(BATCH)]),
            BATCH,
        ),
    ]
    for what, properties in (("flat", events.PROPERTIES), ("with dates", DATED)):
        found += [
            Way(f"{what}, a call", partial(call, properties)),
            Way(f"{what}, in tens", partial(batch, properties), BATCH),
        ]
    return found


if __name__ == "__main__":
    print(json.dumps({way.name: way.round(MESSAGES)[1] for way in ways(sys.argv[1])}))
