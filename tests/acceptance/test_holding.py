"""`mixrelay pause` and `mixrelay resume`, and what the other commands tell of it."""

import json
import time

from redis import Redis

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import Lane, Limits, Park, Pause, PauseKind, Queue, Settlement, new_id
from tests.support.console import called
from tests.support.letters import bury, event

AT_ONCE = Limits(linger_seconds=0)


def on(redis_url: str, *command: str, expect: int = ExitCode.OK) -> tuple[str, str]:
    written, said = called(*command, expect=expect, MIXRELAY_REDIS_URL=redis_url)
    return " ".join(written.split()), " ".join(said.split())


def test_a_lane_is_paused_shown_with_its_reason_and_resumed(queue: Queue, redis_url: str) -> None:
    queue.push([event("E")])
    queue.route()
    written, _ = on(redis_url, "pause", "event", "--why", "the project moves")
    assert "event is paused until: mixrelay resume event" in written
    [hold] = queue.books().held
    assert (hold.lane, hold.why) == (Lane.EVENT, "the project moves")
    assert "@" in hold.who

    written, _ = on(redis_url, "status", expect=ExitCode.FINDING)
    assert f"event has been paused by {hold.who} for" in written
    assert "the project moves" in written
    assert "mixrelay resume event" in written
    assert "when resumed" in written

    written, _ = on(redis_url, "resume", "event", "--why", "it has moved")
    assert "event is resumed: 1 message queued." in written
    assert queue.books().held == ()
    audit, _ = on(redis_url, "dlq", "audit")
    assert "resume - - lane event it has moved" in audit
    assert f"{hold.who} pause - - lane event the project moves" in audit


def test_the_object_of_status_has_a_held_lane_among_the_paused(
    queue: Queue, redis_url: str
) -> None:
    queue.pause(Lane.IMPORT, who="ann@ops", why="deploy")
    written, said = called(
        "status", "--json", expect=ExitCode.FINDING, MIXRELAY_REDIS_URL=redis_url
    )
    assert json.loads(written)["paused"] == [
        {
            "destination": "import",
            "lane": "import",
            "reason": "held by ann@ops: deploy",
            "seconds": 0.0,
        }
    ]
    assert "import has been paused by ann@ops for" in said


def test_pausing_twice_changes_nothing_and_says_whose_pause_it_is(
    queue: Queue, redis_url: str
) -> None:
    queue.pause(Lane.EVENT, who="ann@ops", why="deploy")
    _, said = on(redis_url, "pause", "event", "--why", "incident")
    assert "Nothing was changed: event has been paused by ann@ops for" in said
    _, said = on(redis_url, "resume", "import")
    assert "Nothing was changed: import is not paused by an operator" in said
    assert [hold.why for hold in queue.books().held] == ["deploy"]


def test_a_pause_needs_a_lane_and_a_reason(queue: Queue, redis_url: str) -> None:
    for wrong in (["event"], ["event", "--why", " "], ["odd", "--why", "x"], ["x", "--why", "x"]):
        on(redis_url, "pause", *wrong, expect=ExitCode.USAGE)
    on(redis_url, "resume", "odd", expect=ExitCode.USAGE)
    assert queue.books().held == ()


def test_what_workers_hold_is_told(queue: Queue, redis_url: str) -> None:
    queue.push([event("E"), event("F")])
    queue.route()
    queue.reserve(Lane.EVENT, owner="o", claim=new_id(), lease_seconds=60, limits=AT_ONCE)
    _, said = on(redis_url, "pause", "event", "--why", "deploy")
    assert "2 messages in flight will still be sent" in said


def test_status_shows_paces_and_the_limits_of_letters(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    bury(queue, [event("E")])
    queue.retention.expire(None, 1)
    redis.hset(
        "{mixpanel_queue}:paces",
        "track:0badc0de",
        json.dumps({"limit": 2, "goal": 32, "passed": 0, "at": time.time() * 1000}),
    )
    written, _ = on(redis_url, "status", expect=ExitCode.FINDING)
    assert "dead letters 1 (kept 1 at most)" in written
    assert "1 dead letters are 100% of MIXRELAY_DLQ_MAX_LETTERS" in written
    assert "recovering concurrency limit" in written
    assert "track:0badc0de 2" in written


def test_a_pause_that_began_by_itself_is_not_resumed_by_hand(queue: Queue, redis_url: str) -> None:
    queue.push([event("E")])
    queue.route()
    batch = queue.reserve(Lane.EVENT, owner="o", claim=new_id(), lease_seconds=60, limits=AT_ONCE)
    park = Park("503", 503, pause=Pause(PauseKind.OUTAGE, base_ms=60_000))
    queue.settle(batch, Settlement(rest=park, sent=True, destination="track:1"))  # type: ignore[arg-type]
    on(redis_url, "resume", "event")
    assert [pause.kind for pause in queue.books().paused] == ["outage"]
