"""Routing: bytes, numbers, lanes and limits (rules 5 and 7)."""

import re
import time

import pytest

from mixrelay.shared.queue import Lane, Partition
from tests.support.bench import Bench, event, numbers, payloads

WORDS = {
    Lane.EVENT: ["event", "events", "/track"],
    Lane.IMPORT: ["import", "imports", "/import"],
    Lane.PROFILE_UPDATE: ["profile_update", "people", "/engage"],
    Lane.GROUP_UPDATE: ["group_update", "groups", "/groups"],
}
NOWHERE = [
    b"",
    b"\x00\xff\xfe",
    b"null",
    b"[]",
    b'["clicks",{}]',
    b'["Event",{}]',
    b'["event ",{}]',
    b'[ "ev\\u0045nt",{}]',
    b'{"event":1}',
    b"[" * 100_000,
    b'["event',
    '["évent",{}]'.encode(),
    b'["lane",1]',
    b'["__index",1]',
]


@pytest.mark.parametrize(
    ("lane", "word"), [(lane, word) for lane, words in WORDS.items() for word in words]
)
def test_each_type_word_leads_to_its_lane(bench: Bench, lane: Lane, word: str) -> None:
    written = f' [\n\t"{word}" , "x"]'.encode()
    bench.route(written)
    assert bench.lane(lane) == [written]


def test_what_cannot_be_placed_goes_to_the_odd_lane_verbatim(bench: Bench) -> None:
    bench.route(*NOWHERE)
    assert bench.lane(Lane.ODD) == NOWHERE


def test_bytes_reach_the_worker_verbatim(bench: Bench) -> None:
    written = [
        b'["event","' + bytes(range(256)) + b'"]',
        b'["event",1]\r\n 5 6 7 ',
        b'["event","' + b"x" * 3_000_000 + b'"]',
    ]
    bench.route(*written)
    assert payloads(bench.take()) + payloads(bench.take()) == written


def test_numbers_count_on_and_carry_the_partition(bench: Bench) -> None:
    bench.route(event("a"), b"odd")
    bench.route(event("b"))
    other = Partition(bench.redis, "mixpanel_queue.7", partition=7)
    other.push([event("c")])
    other.route()
    assert numbers(bench.take()) == ["0-1", "0-3"]
    assert numbers(Bench(other).take()) == ["7-1"]


def test_the_receipt_is_the_servers_clock(bench: Bench) -> None:
    before = bench.redis.time()
    bench.route(event("a"))
    [member] = bench.take().members
    assert 0 <= member.received_ms - before[0] * 1000 - before[1] // 1000 < 5_000


def test_equal_tuples_stay_two_messages(bench: Bench) -> None:
    bench.route(event("same"), event("same"))
    assert len(set(numbers(bench.take()))) == 2


def test_the_queues_own_id_is_made_once(bench: Bench) -> None:
    bench.route(event("a"))
    first = bench.take().queue_id
    bench.route(event("b"))
    assert bench.take().queue_id == first
    assert re.fullmatch("[0-9a-f]{24}", first)


def test_a_call_moves_no_more_than_it_was_asked_to(bench: Bench) -> None:
    bench.queue.push([event("a")] * 50)
    assert bench.queue.route(20) == (20, 30)
    assert bench.queue.route(40) == (30, 0)
    assert bench.queue.route() == (0, 0)
    assert bench.totals("received") == [50]


def test_a_call_stops_at_about_two_mebibytes(bench: Bench) -> None:
    bench.queue.push([b'["event","' + b"x" * 100_000 + b'"]'] * 100)
    moved, left = bench.queue.route()
    assert moved + left == 100
    assert 21 <= moved <= 21 + 16


def test_routing_nothing_writes_no_number(bench: Bench) -> None:
    assert bench.queue.route() == (0, 0)
    assert bench.redis.exists(bench.key("number")) == 0


def test_the_time_at_which_the_list_was_last_empty_is_kept(bench: Bench) -> None:
    assert bench.queue.books().empty_at_ms is None
    bench.route(event("a"))
    emptied = bench.queue.books().empty_at_ms
    assert emptied is not None
    bench.queue.push([event("b")] * 3)
    time.sleep(0.002)
    bench.queue.route(1)
    assert bench.queue.books().empty_at_ms == emptied
