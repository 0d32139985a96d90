"""Hot shards (Mixpanel: Hot Shard Limits)."""

import time

import pytest

from mixrelay.sandbox import Options
from mixrelay.sandbox.hotshards import DailyCounts
from mixrelay.sandbox.options import DOCUMENTED_HOT_GROUP, DOCUMENTED_HOT_USER

DAY = 86_400
NOON = (int(time.time()) // DAY - 1) * DAY + DAY // 2
"""Of yesterday, so that a test at midnight counts one date."""


@pytest.fixture
def hot(client_of):
    return client_of(Options(hot_shard_limit=3, hot_group_limit=2, group_keys=["company"]))


def send(client, event, count, *, start=0, **properties):
    sent = [
        event(**{"time": NOON, "$insert_id": f"n-{n}", **properties})
        for n in range(start, start + count)
    ]
    client.strict(*sent)
    return sent


def test_the_documented_limits_are_the_defaults() -> None:
    assert (DOCUMENTED_HOT_USER, DOCUMENTED_HOT_GROUP) == (200_000, 1_000_000)
    assert Options().hot_shard_limit == DOCUMENTED_HOT_USER
    assert Options().hot_group_limit == DOCUMENTED_HOT_GROUP


def test_events_above_the_limit_lose_their_name_and_their_user(hot, event) -> None:
    sent = send(hot, event, 5)

    events = hot.sandbox.events
    assert events[:3] == sent[:3]
    assert [one["event"] for one in events[3:]] == ["$hotshard_events"] * 2
    properties = events[3]["properties"]
    assert properties["distinct_id"] == ""
    assert properties["mp_original_event_name"] == "Signed Up"
    assert properties["mp_original_distinct_id"] == "user-1"
    assert properties["$insert_id"] == "n-3"
    assert hot.sandbox.users["user-1"].events == sent[:3]
    assert hot.sandbox.state["notes"] == {"hot_shard": 2}


def test_each_user_date_and_project_has_a_count_of_its_own(hot, event) -> None:
    send(hot, event, 3)
    send(hot, event, 3, time=NOON - DAY)
    send(hot, event, 3, distinct_id="user-2")
    send(hot, event, 3, time=NOON * 1000 - 1, **{"$user_id": "user-3"})
    other = [event(token="other", time=NOON, **{"$insert_id": f"o-{n}"}) for n in range(3)]
    hot.post("/import?strict=1", other, auth=("other", ""))

    assert {one["event"] for one in hot.sandbox.events} == {"Signed Up"}
    assert len(hot.sandbox.events) == 15
    send(hot, event, 1, start=3, time=NOON * 1000)
    assert hot.sandbox.events[-1]["event"] == "$hotshard_events"


def test_duplicates_count_too(hot, event) -> None:
    for _ in range(3):
        send(hot, event, 1)
    send(hot, event, 1, start=1)

    assert [one["event"] for one in hot.sandbox.events] == ["Signed Up", "$hotshard_events"]


def test_events_of_nobody_make_no_hot_shard(hot, event) -> None:
    send(hot, event, 9, distinct_id="")

    assert {one["event"] for one in hot.sandbox.events} == {"Signed Up"}


def test_a_synthetic_user_becomes_a_hot_shard(hot, event) -> None:
    ids = [f"n-{n}" for n in range(5)]
    hot.post("/track", [event(distinct_id=..., time=NOON, **{"$insert_id": one}) for one in ids])

    assert [one["event"] for one in hot.sandbox.events].count("$hotshard_events") == 2


def test_a_group_becomes_a_hot_shard(hot, event) -> None:
    for n in range(4):
        send(hot, event, 1, start=n, distinct_id=f"u-{n}", company=["acme", f"c-{n}"])

    events = hot.sandbox.events
    assert [one["event"] for one in events] == ["Signed Up"] * 2 + ["$hotshard_events"] * 2
    assert events[2]["properties"]["mp_original_distinct_id"] == "acme"
    assert events[2]["properties"]["company"] == ""
    assert events[2]["properties"]["distinct_id"] == "u-2"


def test_a_group_key_is_known_from_its_profiles(client_of, event) -> None:
    client = client_of(Options(hot_group_limit=1))
    group = {"$token": "t", "$group_key": "team", "$group_id": "a", "$set": {"x": 1}}
    client.post("/groups", group)
    for n in range(2):
        send(client, event, 1, start=n, distinct_id=f"u-{n}", team="a")

    assert client.sandbox.events[1]["event"] == "$hotshard_events"


def test_the_counts_are_bounded_and_the_hot_ones_stay() -> None:
    counts = DailyCounts(keep=100)

    for n in range(100_000):
        counts.add(("cold", n))
        last = counts.add(("hot", 0))

    assert last == 100_000
    assert len(counts) <= 200
