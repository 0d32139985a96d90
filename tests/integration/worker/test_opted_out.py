"""What is about people who opted out is never sent, from wherever it comes, and it is counted."""

import json
from typing import Any

import pytest

from mixrelay.shared.queue import Batch, Lane, Limits, Queue
from mixrelay.shared.queue.opt_outs import GROUP, PERSON, OptOuts, subjects_of
from mixrelay.worker.deliver.classification import sort
from mixrelay.worker.deliver.prepare import Preparation
from mixrelay.worker.opted_out import OptedOutList
from tests.support.works import Works

TOKEN = "00112233445566778899aabbccddeeff"


def event(who: object, name: str = "E", **more: Any) -> bytes:
    properties = {"token": TOKEN, "distinct_id": who, "time": 1_790_000_000, **more}
    return tuple_of("event", {"event": name, "properties": properties})


def update(who: str) -> bytes:
    record = {"$token": TOKEN, "$distinct_id": who, "$set": {"a": 1}}
    return tuple_of("profile_update", record)


def tuple_of(kind: str, record: dict[str, Any]) -> bytes:
    return json.dumps([kind, json.dumps({"data": record})], separators=(",", ":")).encode()


@pytest.mark.parametrize("many", [1, 150])
def test_their_records_are_set_aside_and_all_others_are_as_they_were(
    queue: Queue, many: int
) -> None:
    opt_outs = OptOuts(queue.redis, queue.name)
    opt_outs.add((PERSON, "eve"))
    opt_outs.add((PERSON, "42"))
    listed = OptedOutList()
    listed.read(opt_outs)
    queue.push(
        [event("ann")] * many + [event("eve"), event(42), event("bob", **{"$user_id": "eve"})]
    )
    queue.route()
    batch = queue.reserve(
        Lane.EVENT, owner="o", claim="c", lease_seconds=60, limits=Limits(linger_seconds=0)
    )
    assert isinstance(batch, Batch)
    made = {"queue_id": "q", "base": "http://x", "token": TOKEN}
    found = sort(batch, Preparation(**made, opted_out=listed), 1_796_000_000_000)
    assert found.opted_out == [f"0-{many + n}" for n in (1, 2, 3)]
    assert len(found.records) == many
    assert not sort(batch, Preparation(**made), 1_796_000_000_000).opted_out


def test_a_list_that_has_not_changed_is_not_read_again(queue: Queue) -> None:
    opt_outs = OptOuts(queue.redis, queue.name)
    first = opt_outs.read()
    assert not first
    opt_outs.add((GROUP, "company", "acme"))
    known = opt_outs.read(first)
    assert known.has({"$group_key": "company", "$group_id": "acme"})
    assert not known.has({"$group_key": "company", "$group_id": "other"})
    assert opt_outs.read(known) is known
    assert b"acme" not in b"".join(queue.redis.smembers("{mixpanel_queue}:opted_out"))
    assert opt_outs.remove((GROUP, "company", "acme"))
    assert not opt_outs.read(known)
    assert not opt_outs.remove((GROUP, "company", "acme"))


def test_every_id_of_a_merge_counts() -> None:
    merge = {"event": "$merge", "properties": {"$distinct_ids": ["a", 7], "token": TOKEN}}
    assert list(subjects_of(merge)) == [(PERSON, "a"), (PERSON, "7")]
    assert list(subjects_of("no record")) == []


def test_a_worker_discards_them_and_sends_the_others(works: Works) -> None:
    queue = works.queue
    OptOuts(queue.redis, queue.name).add((PERSON, "eve"))
    works.push(event("eve"), event("ann"), update("eve"), update("ann"))
    works.drain()
    books = queue.books()
    assert (books.totals["discarded:opted_out"], books.totals["delivered"]) == (2, 2)
    assert books.difference == 0
