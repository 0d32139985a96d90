"""`mixrelay erase`: nothing of one person or group is left or sent; others are as they were."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from mixrelay.console.backlog import erasing
from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import (
    JobKind,
    KeepCopy,
    Lane,
    LetterFilter,
    Queue,
    Settlement,
    Shard,
    new_job_id,
)
from mixrelay.shared.queue.messages.erasing import Erased, Erasing
from mixrelay.shared.queue.opt_outs import OptOuts
from tests.support.bench import Bench, outage
from tests.support.console import called
from tests.support.letters import bury, event, profile
from tests.support.works import Works, group, message
from tests.support.works import event as tried
from tests.support.works import update as updated

WHY = ("--why", "request 1042")
LATER = 4_102_444_800


@pytest.fixture(autouse=True)
def _no_worker_need_hear_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "_KNOWN_SECONDS", 0.0)


def erase(url: str, *command: str, **more: Any) -> dict[str, Any]:
    written, _ = called("erase", *command, *WHY, "--json", MIXRELAY_REDIS_URL=url, **more)
    found: dict[str, Any] = json.loads(written)
    return found


def values(redis: Redis) -> Iterator[bytes]:
    """Every key and value in Redis, but answers that it keeps for ten minutes."""
    for key in redis.scan_iter():
        if b":done:" in key:
            continue
        yield key
        yield redis.dump(key) or b""  # type: ignore[misc, unused-ignore]
        kind = redis.type(key)
        if kind == b"list":
            yield from redis.lrange(key, 0, -1)  # type: ignore[misc, unused-ignore]
        elif kind == b"hash":
            for name, value in redis.hgetall(key).items():  # type: ignore[union-attr, unused-ignore]
                yield from (name, value)
        elif kind == b"zset":
            yield from redis.zrange(key, 0, -1)  # type: ignore[misc, unused-ignore]


def holds(redis: Redis, name: bytes) -> list[bytes]:
    return [value for value in values(redis) if name in value]


def test_a_person_is_erased_from_every_place_and_others_are_untouched(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    bench = Bench(queue)
    copies = [profile("user-42", n=1), profile("others", n=1)]
    bench.route(*copies)
    batch = bench.take_read(Lane.PROFILE_UPDATE)
    kept = Settlement(
        delivered="all",
        sent=True,
        accepted=True,
        destination=batch.destination,
        keep=KeepCopy("token", LATER, 100),
    )
    queue.settle(batch, kept)
    bury(queue, [event("A", "user-42"), event("A", "others"), b'["event", user-42'])
    unreadable = [one.id for one in queue.letters.find(LetterFilter()) if one.type == "event"][-1]
    bench.route(event("B", "user-42"), event("B", "others"))
    bench.park(bench.take(), outage())
    several = [{"event": "L", "properties": {"distinct_id": one}} for one in ("user-42", "x", "y")]
    bench.route(event("C", "user-42"), message("event", several), profile("user-42", n=2))
    bench.route(profile("others", n=2), event("C", "user-421"))
    queue.push([event("D", "user-42"), event("D", "others"), message("event", [several[0]] * 3)])
    queue.hot.add({Shard(20_000, "distinct_id", "f", "", "user-42"): 150_000})
    queue.pause(Lane.IMPORT, who="bob", why="mine")
    before = {name: queue.books().totals[name] for name in ("delivered", "discarded")}

    would = erase(redis_url, "user-42", "--dry-run")["would_erase"]
    assert would.pop("trash") == 0
    assert would == {"letters": 1, "copies": 1, "scheduled": 1, "lanes": 3, "incoming": 4}
    found = erase(redis_url, "user-42", expect=ExitCode.FINDING)
    assert found["erased"].pop("trash") == 0
    assert found["erased"] == {"letters": 1, "copies": 1, "scheduled": 1, "lanes": 7}
    assert found["unreadable"] == [unreadable], "a person decides about what nobody can read"
    called("dlq", "discard", "--for-good", "--id", unreadable, MIXRELAY_REDIS_URL=redis_url)
    left = [one for one in holds(redis, b"user-42") if b"user-421" not in one]
    assert left == []

    books = queue.books()
    assert (books.difference, books.dead) == (0, 1)
    assert books.totals["delivered"] == before["delivered"]
    assert books.totals["discarded:erased"] == 9
    assert books.parked[Lane.EVENT] == 1
    assert (books.lanes[Lane.EVENT], books.lanes[Lane.PROFILE_UPDATE]) == (3, 1)
    assert json.loads(json.loads(bench.lane(Lane.EVENT)[0])[1])["data"] == several[1:]
    assert len(holds(redis, b"others")) >= 5
    assert [(hold.lane, hold.who) for hold in books.held] == [(Lane.IMPORT, "bob")]
    entries = [one for one in queue.audit.newest(50) if one.what == "erase"]
    assert sum(one.count for one in entries) == 10
    assert "request 1042 (id sha256" in entries[0].why

    assert erase(redis_url, "user-42")["erased"]["lanes"] == 0, "asked again, nothing is found"


@pytest.mark.parametrize("wrong", [[], ["x", "--group", "company", "acme"], [""]])
def test_one_person_or_one_group_must_be_named(redis_url: str, wrong: list[str]) -> None:
    called("erase", *wrong, *WHY, expect=ExitCode.USAGE, MIXRELAY_REDIS_URL=redis_url)


def test_merges_and_aliases_are_about_both_ids(queue: Queue, redis: Redis, redis_url: str) -> None:
    events = [
        {"event": "$identify", "properties": {"$identified_id": "b", "$anon_id": "user-42"}},
        {"event": "$merge", "properties": {"$distinct_ids": ["a", "user-42"]}},
        {"event": "E", "properties": {"$device_id": "user-42"}},
        {"event": "E", "properties": {"distinct_id": "a", "friend": "b"}},
    ]
    queue.push([message("import", one) for one in events])
    assert erase(redis_url, "user-42")["erased"]["lanes"] == 3
    assert queue.books().waiting == 1
    assert holds(redis, b"user-42") == []


def test_what_a_worker_holds_is_waited_for(
    queue: Queue, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, in_hand = threading.Event(), Erasing.in_hand

    def look(erasing: Erasing) -> set[str]:
        found = in_hand(erasing)
        looked.set()
        return found

    monkeypatch.setattr(Erasing, "in_hand", look)
    bench = Bench(queue)
    bench.route(event("Sent", "user-42"))
    sent = bench.take()
    bench.route(event("Back", "user-42"), event("Back", "others"))
    back = bench.take()

    def end() -> None:
        assert looked.wait(60)
        bench.deliver(sent)
        queue.settle(back, Settlement(rest="back"))

    worker = threading.Thread(target=end)
    worker.start()
    found = erase(redis_url, "user-42")
    worker.join(30)
    assert (found["in_workers_hands"], found["came_back_and_erased"]) == (2, 1)
    assert holds(redis, b"user-42") == []
    books = queue.books()
    assert (books.totals["delivered"], books.totals["discarded"], books.waiting) == (1, 1, 1)
    assert (books.difference, books.held) == (0, ())


def test_what_is_not_over_in_time_is_said_and_erased_by_the_next_run(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    bench = Bench(queue)
    bench.route(event("E", "user-42"))
    batch = bench.take()
    found = erase(redis_url, "user-42", "--wait", "0", expect=ExitCode.FINDING)
    assert found["still_in_workers_hands"] == 1
    assert queue.books().held == (), "the lanes go on"
    queue.settle(batch, Settlement(rest="back"))
    assert erase(redis_url, "user-42")["erased"]["lanes"] == 1
    assert holds(redis, b"user-42") == []


def test_a_lane_that_is_resumed_meanwhile_is_said(
    queue: Queue, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.push([event("E", "user-42")])
    as_it_was = Erasing.erase

    def erase_while_resumed(self: Erasing) -> dict[str, int]:
        queue.resume(Lane.EVENT, who="bob")
        return as_it_was(self)

    monkeypatch.setattr(Erasing, "erase", erase_while_resumed)
    found = erase(redis_url, "user-42", expect=ExitCode.FINDING)
    assert found["resumed_meanwhile"] == ["event"]


def test_all_partitions_with_real_workers_and_a_job_that_runs(works: Works, redis: Redis) -> None:
    queue = Queue(redis, partitions=3)
    people = [f"user-{i}" for i in range(10, 30)]
    gone = "user-22"
    bury(queue, [updated(one, **{"$set": {"n": 1}}) for one in people])
    queue.push([tried(one) for one in people * 3])
    queue.push([updated(one, **{"$set": {"n": 2}}) for one in people])
    queue.announce()
    job = queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=new_job_id(), who="ann")
    queue.jobs.step(job)

    found = erase(works.url, gone)
    assert sum(found["erased"].values()) == 5
    assert holds(redis, gone.encode()) == []
    works.start("--burst", MIXRELAY_PARTITIONS="3").process.wait(60)
    assert {one["properties"]["distinct_id"] for one in works.box.events} == {*people} - {gone}
    assert set(works.box.profiles) == {*people} - {gone}
    books = queue.books()
    assert (books.waiting, books.difference) == (0, 0)
    assert books.totals["discarded"] == 5


def test_a_group_is_erased_and_no_other(works: Works) -> None:
    works.push(group("acme", **{"$set": {"n": 1}}), group("other", **{"$set": {"n": 1}}))
    works.push(tried("acme"))
    found = erase(works.url, "--group", "team", "acme")
    assert found["erased"]["lanes"] == 1
    works.drain()
    assert len(works.box.events) == 1
    assert (works.books.totals["delivered"], works.books.difference) == (2, 0)


def test_what_comes_later_is_barred_until_the_id_is_let_in_again(
    queue: Queue, redis_url: str
) -> None:
    subject = Erased("user-42").subject
    opt_outs = OptOuts(queue.redis, queue.name)
    erase(redis_url, "user-42")
    assert opt_outs.has(subject)
    called("erase", "user-42", "--opt-in", "--why", "back", MIXRELAY_REDIS_URL=redis_url)
    assert not opt_outs.has(subject)
    erase(redis_url, "user-42", "--keep-accepting")
    assert not opt_outs.has(subject)
    called(
        *("erase", "user-42", "--opt-in", "--why", "back"),
        expect=ExitCode.FINDING,
        MIXRELAY_REDIS_URL=redis_url,
    )
