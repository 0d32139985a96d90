"""What Mixpanel does without an error: seen by a worker, counted, and in no one's way."""

import logging
import random

import orjson
import pytest

from mixrelay.shared.queue import Queue, Shard
from mixrelay.shared.queue.stats.hot_shards import LIMITS, SHARDS_AT_MOST
from mixrelay.worker.counting.hot_shards import ID_BYTES, PLACES, ShardCounts
from mixrelay.worker.counting.shards import SAMPLE, Family, Seen, ShardReader
from tests.support.works import TOKEN, Works, event, group, imported, message, update

DAY = 20_787
FOUR_MB = 4_000_000


def example(works: Works, kind: str) -> tuple[str, str, str, str]:
    [one] = [notice for notice in works.books.notices if notice.kind == kind]
    return one.lane, one.name, one.field, one.detail


def test_ignored_events_are_not_sent_and_the_figures_add_up(works: Works, caplog) -> None:
    caplog.set_level(logging.INFO)
    works.push(
        *[event(f"u{n}") for n in range(10)],
        *[event(f"bot{n}", **{"$ignore": True}) for n in range(5)],
        *[imported(f"bot{n}", **{"$ignore": "yes"}) for n in range(3)],
        *[event(f"v{n}", **{"$ignore": False}) for n in range(2)],
    )
    works.drain()
    assert sorted(works.users()) == sorted([f"u{n}" for n in range(10)] + ["v0", "v1"])
    books = works.books
    totals = [books.totals[name] for name in ("received", "delivered", "discarded", "ignored")]
    assert totals == [20, 12, 8, 8]
    assert (books.dead, books.difference) == (0, 0)
    told = [one.message for one in caplog.records if one.message.startswith("ignored: ")]
    assert sum(int(text.split()[1]) for text in told) == 8


def test_a_batch_of_ignored_events_alone_makes_no_request(works: Works) -> None:
    works.push(*[event(f"bot{n}", **{"$ignore": True}) for n in range(300)])
    works.drain()
    assert works.box.events == []
    assert (works.books.totals["ignored"], works.books.difference) == (300, 0)


def test_an_ignored_event_does_not_hide_the_death_of_its_neighbour(works: Works) -> None:
    works.push(event("bot", **{"$ignore": True}), event("u", time="noon"), event("v"))
    works.drain()
    books = works.books
    assert works.users() == ["v"]
    assert (books.dead, books.totals["ignored"], books.difference) == (1, 1, 0)


def test_an_event_of_another_type_word_is_ignored_too(works: Works) -> None:
    works.push(message("events", {"event": "x", "properties": {"token": TOKEN, "$ignore": True}}))
    works.drain()
    assert works.books.totals["ignored"] == 1


def test_what_mixpanel_cuts_or_hides_is_sent_counted_and_has_an_example(works: Works) -> None:
    works.push(
        *[event(f"u{n}") for n in range(150)],
        *[event(f"cut{n}", Cart="x" * 412) for n in range(3)],
        event("list", Items=["x" * 100] * 90),
        event("hidden", bucket=7),
        update("many", **{"$set": {f"p{n}": n for n in range(1_900)}}),
        update("long", **{"$set_once": {"Note": "y" * 300}}),
        group("g", **{"$set": {"$bucket": 1}}),
    )
    works.drain()
    assert len(works.box.events) == 155
    totals = works.books.totals
    kinds = ("cut_text", "cut_list", "hidden_name", "many_properties", "unconfirmed")
    assert [totals.get(f"noticed:{kind}", 0) for kind in kinds] == [4, 1, 2, 1, 0]
    cut = ("event", "tried", "properties.Items", "9271 bytes, Mixpanel takes 8 KB")
    assert example(works, "cut_list") == cut
    assert example(works, "many_properties")[:3] == ("profile_update", "$set", "$set")
    assert example(works, "cut_text")[3] in {"412 characters, 255 kept", "300 characters, 255 kept"}
    assert example(works, "hidden_name")[2] in {"properties.bucket", "$set.$bucket"}
    stored = works.queue.redis.hgetall(f"{{{works.queue.name}}}:notices")
    assert not any(b"xxx" in text or b"yyy" in text for text in stored.values())


def test_what_is_sent_by_a_project_secret_is_counted_and_said_to_end(works: Works) -> None:
    works.push(
        *[imported(f"u{n}", api_key="a-secret-of-a-project") for n in range(3)],
        *[imported(f"v{n}", api_key=TOKEN) for n in range(2)],
        event("w"),
    )
    works.drain()
    assert len(works.box.events) == 6
    assert works.books.totals["noticed:project_secret"] == 3
    assert example(works, "project_secret")[2:] == (
        "api_key",
        "a Project Secret, which Mixpanel retires on 2027-03-03",
    )


def test_what_is_sent_again_is_noticed_once(works: Works) -> None:
    works.push(event("cut", Cart="x" * 412))
    works.box.fault("status", status=503, count=3)
    works.drain()
    assert works.books.totals["noticed:cut_text"] == 1


def test_records_that_an_answer_does_not_confirm_are_counted_logged_and_shown(
    works: Works, caplog
) -> None:
    body = orjson.dumps({"code": 200, "num_records_imported": 3, "status": "OK"}).decode()
    works.push(*[event(f"u{n}") for n in range(5)])
    works.box.fault("status", endpoint="/import", status=200, body=body, count=1)
    works.drain()
    totals = works.books.totals
    assert (totals["delivered"], totals["unconfirmed"]) == (5, 2)
    assert totals["noticed:unconfirmed"] == 2
    told = ("/import", "num_records_imported", "3 of 5 records confirmed")
    assert example(works, "unconfirmed")[1:] == told
    assert "unconfirmed: Mixpanel confirms 3 of 5 records" in caplog.text


def test_of_a_400_that_names_one_the_others_must_be_confirmed_too(works: Works) -> None:
    named = [{"index": 1, "field": "properties.x", "message": "is odd"}]
    body = {"code": 400, "failed_records": named, "num_records_imported": 0}
    works.push(*[event(f"u{n}") for n in range(3)])
    works.box.fault("status", endpoint="/import", status=400, body=orjson.dumps(body).decode())
    works.drain()
    totals = works.books.totals
    assert (totals["delivered"], totals["dead"], totals["unconfirmed"]) == (2, 1, 2)


def test_a_hot_id_and_a_hot_group_are_found_over_several_drain_jobs(
    works: Works, monkeypatch, caplog
) -> None:
    monkeypatch.setitem(LIMITS, "distinct_id", 4_000)
    monkeypatch.setitem(LIMITS, "group", 12_000)
    works.push(group("red", **{"$set": {"a": 1}}))
    works.drain()
    for job in range(3):
        hot = [event("hot", team="red") for _ in range(1_000)]
        works.push(*hot, *[event(f"u{job}-{n}", team=["red"]) for n in range(2_000)])
        works.drain()
    found = {(one.kind, one.group_key, one.id): one for one in works.books.hot}
    assert set(found) == {("distinct_id", "", "hot"), ("group", "team", "red")}
    assert found["distinct_id", "", "hot"].count == pytest.approx(3_000, rel=0.2)
    assert found["group", "team", "red"].count == pytest.approx(9_000, rel=0.2)
    lines = [one.message for one in caplog.records if one.message.startswith("hot_shard: ")]
    assert len([line for line in lines if "a distinct_id has about" in line]) == 1
    assert len([line for line in lines if "a group by team has about" in line]) == 1


def test_a_hot_id_is_found_among_a_million_by_several_processes(queue: Queue) -> None:
    """Two million events of a million ids, six workers, many flushes; listed at 100,000."""
    chance, true, total, listed_at = random.Random(3), 0, 0, 0
    family = Family(DAY, "distinct_id", "0123456789ab", "")
    processes = [
        ShardCounts(queue, ShardReader(base="https://example.com", token=TOKEN)) for _ in range(6)
    ]
    for at in range(400):
        counts = processes[at % 6]
        some = [f"{chance.randrange(1_000_000):07}" for _ in range(5_000)]
        of_hot = 600 if at % 2 else 100
        for place in chance.sample(range(5_000), of_hot):
            some[place] = "hot"
        counts.count([Seen(family, some[chance.randrange(SAMPLE) :: SAMPLE])])
        true, total = true + of_hot, total + len(some)
        if at % 5 == 0:
            counts.flush()
            if not listed_at and queue.books().hot:
                listed_at = true
    for counts in processes:
        counts.end()
    [hot] = queue.books().hot
    keys = queue.redis.scan_iter(f"{{{queue.name}}}:hot*")
    used = sum(queue.redis.memory_usage(key, samples=0) for key in keys)
    print(f"{hot.count} of {true}, listed at {listed_at}; {used} bytes for {total} events")
    assert hot.id == "hot"
    assert true - total / PLACES - 5_000 < hot.count < true + 5_000
    assert 94_000 < listed_at < 106_000
    assert used < FOUR_MB


def test_even_the_longest_names_fit_into_four_megabytes(queue: Queue) -> None:
    for first in range(0, 5_000, SHARDS_AT_MOST):
        names = [f"{n:0{ID_BYTES}}…{'f' * 16}" for n in range(first, first + SHARDS_AT_MOST)]
        queue.hot.add({Shard(DAY, "group", "0123456789ab", "k" * 60, name): 64 for name in names})
    [key] = queue.redis.scan_iter(f"{{{queue.name}}}:hot:*")
    assert queue.redis.zcard(key) == 4_000
    # Today's and yesterday's.
    used = 2 * queue.redis.memory_usage(key, samples=0)
    print(f"{used} bytes at most")
    assert used < FOUR_MB


def test_a_worker_goes_on_where_hot_shards_cannot_be_counted(works: Works) -> None:
    works.queue.redis.set(f"{{{works.queue.name}}}:hot:groups", "foreign")
    works.push(*[event("u") for _ in range(200)])
    works.drain()
    assert len(works.box.events) == 200
