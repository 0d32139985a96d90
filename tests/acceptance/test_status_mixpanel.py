"""`mixrelay status` says what Mixpanel refuses, and what it changes without an error."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq import SimpleWorker

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import Batch, Example, Lane, Limits, Noticed, Queue, Settlement, Shard
from mixrelay.shared.queue.base.ids import new_id
from tests.support.console import called
from tests.support.letters import event
from tests.support.tokens import OURS, THEIRS, US, leave_unproven, prove, refuse

TODAY = datetime.now(UTC).date()
DAY = (TODAY - datetime.fromtimestamp(0, UTC).date()).days


@pytest.fixture(autouse=True)
def a_worker(redis: Redis) -> None:
    SimpleWorker([RqQueue("mixrelay", connection=redis)], connection=redis).register_birth()


def lines(redis_url: str, expect: int = 0) -> list[str]:
    written, _ = called("status", expect=expect, MIXRELAY_REDIS_URL=redis_url, COLUMNS="400")
    return written.splitlines()


def found(redis_url: str, expect: int = 0) -> tuple[dict[str, object], str]:
    written, said = called("status", "--json", expect=expect, MIXRELAY_REDIS_URL=redis_url)
    return json.loads(written), said


def settle(queue: Queue, **verdict: object) -> None:
    queue.push([event("E")])
    queue.route()
    batch = queue.reserve(
        Lane.EVENT, owner="o", claim=new_id(), lease_seconds=60, limits=Limits(linger_seconds=0)
    )
    assert isinstance(batch, Batch)
    queue.settle(batch, Settlement(delivered="all", sent=True, **verdict))  # type: ignore[arg-type]


def test_a_token_of_another_region_is_named_first_with_the_region_to_set(
    queue: Queue, redis_url: str
) -> None:
    queue.push([event("E")] * 4_812)
    refuse(queue, OURS, likelier="region", elsewhere="eu")
    verdict, first, *_ = lines(redis_url, ExitCode.FINDING)
    assert verdict == "mixpanel_queue  degraded, 1 problem"
    assert first == (
        "! Mixpanel refuses token 3f2a…b7 in region us (401). Region eu knows it. 4,812 messages "
        "are kept. Set MIXPANEL_REGION=eu and restart the workers."
    )


def test_a_token_may_be_likelier_wrong_than_the_region(queue: Queue, redis_url: str) -> None:
    refuse(queue, OURS, likelier="token")
    _, first, *_ = lines(redis_url, ExitCode.FINDING)
    assert "The token is likelier wrong than the region." in first
    assert "Compare MIXPANEL_TOKEN, and the token that the application gives" in first
    assert "MIXPANEL_REGION" not in first


def test_where_nobody_can_say_both_settings_are_named(queue: Queue, redis_url: str) -> None:
    refuse(queue, replace(OURS, base="http://proxy:8080"))
    _, first, *_ = lines(redis_url, ExitCode.FINDING)
    assert first.startswith("! Mixpanel refuses token 3f2a…b7 at http://proxy:8080 (401).")
    for setting in ("MIXPANEL_TOKEN", "MIXPANEL_REGION", "MIXPANEL_API_HOST"):
        assert setting in first


def test_a_token_inside_messages_is_said_to_come_from_them(queue: Queue, redis_url: str) -> None:
    prove(queue, OURS)
    refuse(queue, THEIRS, likelier="token")
    _, first, *rest = lines(redis_url, ExitCode.FINDING)
    assert "token 9c1d…4e, which comes from messages, in region us (401)" in first
    assert "Its messages become dead letters (unauthorized)." in first
    assert "the token that the application gives to its tracker" in first
    assert "MIXPANEL_TOKEN" not in first
    table = [line.split() for line in rest]
    assert ["9c1d…4e", "us", "refused", "401", "3", "min", "no"] in table
    assert ["3f2a…b7", "us", "proven", "-"] in [row[:4] for row in table]


def test_an_unproven_token_is_a_note_since_nothing_is_held_back(
    queue: Queue, redis_url: str
) -> None:
    leave_unproven(queue, OURS)
    verdict, first, *_ = lines(redis_url)
    assert verdict == "mixpanel_queue  no problem, 1 note"
    assert first.startswith("- Token 3f2a…b7 has been unproven in region us for 3 min: /import")
    assert "neither accepts nor refuses it (Mixpanel answered 503). Updates are sent" in first


def test_a_proven_token_is_well(queue: Queue, redis_url: str) -> None:
    prove(queue, OURS)
    assert lines(redis_url)[0] == "mixpanel_queue  all is well"


def test_programs_read_tokens_notices_and_hot_shards(queue: Queue, redis_url: str) -> None:
    refuse(queue, THEIRS, likelier="token")
    example = Example("Checked Out", "properties.Cart", "812 characters, 255 kept", "0-1")
    settle(queue, noticed={"cut_text": Noticed(3, example)}, unconfirmed=2)
    queue.hot.add({Shard(DAY, "distinct_id", OURS.fingerprint, "", "bot"): 150_001})
    object_, said = found(redis_url, ExitCode.FINDING)
    [token] = object_["tokens"]  # type: ignore[misc]
    assert token | {"since": 0, "at": 0} == {
        "token": "9c1d…4e",
        "fingerprint": THEIRS.fingerprint,
        "state": "refused",
        "own": False,
        "region": "us",
        "base": US,
        "status": 401,
        "error": "Invalid credentials",
        "likelier": "token",
        "elsewhere": None,
        "since": 0,
        "at": 0,
    }
    assert token["since"].endswith("Z")
    cut, unconfirmed = object_["notices"]  # type: ignore[misc]
    assert cut["example"].pop("at").endswith("Z")
    assert cut == {
        "kind": "cut_text",
        "count": 3,
        "example": {
            "lane": "event",
            "name": "Checked Out",
            "field": "properties.Cart",
            "detail": "812 characters, 255 kept",
            "message": "0-1",
        },
    }
    assert unconfirmed == {"kind": "unconfirmed", "count": 2, "example": None}
    assert object_["hot"] == [
        {
            "kind": "distinct_id",
            "group_key": "",
            "id": "bot",
            "token": OURS.fingerprint,
            "count": 150_001,
            "limit": 200_000,
            "percent": 75,
            "day": TODAY.isoformat(),
        }
    ]
    assert object_["totals"]["unconfirmed"] == 2  # type: ignore[index]
    assert "Mixpanel refuses token 9c1d…4e" in said


def test_what_mixpanel_changes_is_counted_with_an_example_and_is_no_problem(
    queue: Queue, redis_url: str
) -> None:
    example = Example("\x1b[31mOut", "properties.Cart", "812 characters, 255 kept", "0-1")
    settle(queue, noticed={"cut_text": Noticed(1_203, example)})
    shown = lines(redis_url)
    assert shown[0].endswith("all is well")
    at = shown.index("Mixpanel changes or drops without an error")
    assert shown[at + 1 : at + 3] == [
        "1,203 texts over 255 characters, which Mixpanel cuts",
        "  for example \\x1b[31mOut, properties.Cart, 812 characters, 255 kept (message 0-1)",
    ]


def test_records_that_mixpanel_does_not_confirm_are_a_note_for_two_minutes(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    settle(queue, unconfirmed=3)
    verdict, first, *_ = lines(redis_url)
    assert verdict.endswith("no problem, 1 note")
    assert "did not confirm 3 records within two minutes (3 in all)" in first
    for minute in redis.keys("{mixpanel_queue}:minute:*"):
        redis.delete(minute)  # as minutes go by
    shown = lines(redis_url)
    assert shown[0].endswith("all is well")
    assert "3 records that Mixpanel accepted but did not count as imported" in shown


def test_a_hot_shard_is_a_problem_before_mixpanel_takes_its_events(
    queue: Queue, redis_url: str
) -> None:
    queue.hot.add({Shard(DAY, "distinct_id", OURS.fingerprint, "", "bot"): 99_999})
    assert lines(redis_url)[0].endswith("all is well")
    queue.hot.add(
        {
            Shard(DAY, "distinct_id", OURS.fingerprint, "", "bot"): 1,
            Shard(DAY, "group", OURS.fingerprint, "company", "Acme"): 900_000,
        }
    )
    shown = lines(redis_url, ExitCode.FINDING)
    assert shown[0].endswith("degraded, 2 problems")
    assert f"A distinct_id has about 100,000 events of {TODAY} (UTC), 50% of" in shown[1]
    assert "bot" not in shown[1], "an id is personal data, and this line goes into alerts"
    table = [line.split() for line in shown]
    assert ["Acme", "group", "company", f"{TODAY}", "900,000", "1,000,000", "90%"] in table
    assert ["bot", "distinct_id", f"{TODAY}", "100,000", "200,000", "50%"] in table
