"""The age of the oldest message, told from what is known of it."""

import json
from dataclasses import replace

import pytest

from mixrelay.console.status.age import oldest_seconds
from mixrelay.shared.queue import TOTALS, Books, Lane

NOW_MS = 1_800_000_000_000
NONE = dict.fromkeys(Lane, 0)
EMPTY = Books(
    now_ms=NOW_MS,
    queued=0,
    lanes=NONE,
    leased=NONE,
    parked=NONE,
    batches=0,
    dead=0,
    dead_by={},
    oldest_letter_ms=None,
    totals=dict.fromkeys(TOTALS, 0),
    minutes={},
    paused=(),
    oldest_ms=None,
    empty_at_ms=None,
)


def queued(payload: bytes, *, empty_ago: int | None = None, oldest_ago: int | None = None) -> Books:
    return replace(
        EMPTY,
        queued=1,
        head=payload,
        empty_at_ms=None if empty_ago is None else NOW_MS - 1000 * empty_ago,
        oldest_ms=None if oldest_ago is None else NOW_MS - 1000 * oldest_ago,
    )


def event(time: object, kind: str = "event") -> bytes:
    record = {"event": "E", "properties": {"time": time}}
    return json.dumps([kind, json.dumps({"data": record})]).encode()


def profile(time: object) -> bytes:
    record = {"$distinct_id": "ann", "$time": time, "$set": {}}
    return json.dumps(["profile_update", json.dumps({"data": record})]).encode()


def test_where_nothing_waits_nothing_is_old() -> None:
    assert oldest_seconds(EMPTY) is None
    assert oldest_seconds(replace(EMPTY, empty_at_ms=5)) is None


@pytest.mark.parametrize(
    "payload",
    [
        event(NOW_MS - 60_000),
        event(NOW_MS / 1000 - 60),
        profile(NOW_MS - 60_000),
        profile(NOW_MS // 1000 - 60),
    ],
)
def test_a_queued_message_is_as_old_as_the_time_it_carries(payload: bytes) -> None:
    assert oldest_seconds(queued(payload)) == 60


def test_a_queued_message_is_not_older_than_the_moment_the_list_was_empty() -> None:
    assert oldest_seconds(queued(event(NOW_MS - 60_000), empty_ago=7)) == 7
    assert oldest_seconds(queued(event(NOW_MS - 60_000), empty_ago=90)) == 60


@pytest.mark.parametrize(
    "payload", [b"no JSON", event(None), event("noon"), event(5, "import"), b"[" * 9, profile([])]
)
def test_a_message_that_does_not_tell_leaves_what_else_is_known(payload: bytes) -> None:
    assert oldest_seconds(queued(payload)) is None
    assert oldest_seconds(queued(payload, empty_ago=7)) == 7


def test_a_routed_message_that_is_older_decides() -> None:
    assert oldest_seconds(queued(event(NOW_MS), empty_ago=7, oldest_ago=300)) == 300
    assert oldest_seconds(replace(EMPTY, oldest_ms=NOW_MS - 3_000)) == 3


def test_a_clock_ahead_of_redis_makes_no_negative_age() -> None:
    assert oldest_seconds(queued(event(NOW_MS + 60_000))) == 0
