"""429 and its Retry-After, in all its forms: the lane backs off, and nothing is to blame."""

import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.sandbox.ledger import Request
from mixrelay.shared.queue import Queue
from tests.support.works import Works, event, imported

LATENCY = 0.1
MOST_ASKED = 300.0
"""Seconds of a Retry-After that are honoured at most."""


@pytest.fixture
def works(redis_url: str, queue: Queue, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Works]:
    running = Works(redis_url, queue, mixpanel, tmp_path)
    yield running
    running.end()


class Date(int):
    """A date so many seconds from when it is asked for."""

    def __str__(self) -> str:
        return formatdate(time.time() + self, usegmt=True)


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        pytest.param(None, 0.0, 0.6, id="absent"),
        pytest.param("0", 0.0, 0.6, id="zero"),
        pytest.param("-1", 0.0, 0.6, id="negative"),
        pytest.param("soon, please", 0.0, 0.6, id="garbage"),
        pytest.param("", 0.0, 0.6, id="empty"),
        pytest.param("1e9", 0.0, 0.6, id="no number of HTTP's"),
        pytest.param("NaN", 0.0, 0.6, id="not a number"),
        pytest.param(Date(-3_600), 0.0, 0.6, id="a date that is past"),
        pytest.param("20", 15.0, 20.0, id="seconds"),
        pytest.param(Date(40), 20.0, 41.0, id="a date to come"),
        pytest.param("1000000000", 290.0, MOST_ASKED, id="30 years"),
        pytest.param(Date(10**9), 290.0, MOST_ASKED, id="a date in 30 years"),
        pytest.param("9" * 400, 0.0, MOST_ASKED, id="400 digits"),
    ],
)
def test_what_retry_after_asks_for_is_honoured_within_bounds(
    works: Works, asked: str | Date | None, least: float, most: float
) -> None:
    works.push(event("a"), event("b"))
    works.box.fault("status", status=429, retry_after=asked and str(asked))
    waits: list[float] = []

    def until_paused() -> bool:
        waits[:] = [pause.seconds for pause in works.books.paused]
        return not waits

    # The batch's own limit of attempts is one: a 429 must not use it up.
    works.drain_while(until_paused, attempts=1, part_attempts=1)
    assert least <= waits[0] <= most
    assert (works.books.waiting, works.books.dead) == (2, 0)


def test_an_hour_of_429_uses_up_no_attempt_and_splits_nothing(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(10)])
    works.box.fault("status", status=429, retry_after="0", count=25)
    works.drain(attempts=1, part_attempts=1, backoff_base=0.01, backoff_cap=0.02)
    assert len(works.users()) == 10
    assert {one.records for one in works.box.requests} == {10}
    assert len(works.box.requests) == 26
    assert works.books.totals["dead"] == 0


def under_way(requests: list[Request]) -> list[int]:
    """How many are, with each that arrives."""
    times = sorted(one.at for one in requests)
    return [sum(at - LATENCY < other <= at for other in times) for at in times]


def test_after_a_429_the_lane_is_at_half_its_speed_and_comes_back_slowly(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(150)])
    works.box.fault("latency", seconds=LATENCY)
    works.box.fault("status", status=429, after=40, count=1)
    works.drain(concurrency=16, batch_records=1, backoff_base=0.3, backoff_cap=0.3)
    refused = next(i for i, one in enumerate(works.box.requests) if one.fault == "status")
    before = works.box.requests[:refused]
    after = [one for one in works.box.requests if one.at > works.box.requests[refused].at + 0.3]
    assert max(under_way(before)) > 12
    herd = under_way(after)
    print(herd)
    assert herd[0] == 1, "a probe comes first"
    # 1, 2, 4 and 8 at once are 15; then each round trip brings one more.
    assert max(herd[:30]) <= 9
    assert max(herd) > max(herd[:30])
    assert len(works.users()) == 150
    assert works.books.dead == 0


def test_while_the_rate_is_limited_what_was_under_way_does_not_reopen_the_lane(
    works: Works,
) -> None:
    works.push(*[event(f"u{n}") for n in range(60)])
    works.box.fault("latency", seconds=LATENCY)
    works.box.fault("status", status=429, retry_after="100", after=10, count=1)
    works.drain_while(
        lambda: not works.books.paused or works.books.leased["event"] > 0,
        concurrency=8,
        batch_records=1,
    )
    [pause] = works.books.paused
    assert pause.seconds > 50
    assert pause.status == 429
    assert len(works.users()) < 20
    assert works.books.waiting == 60 - len(works.users())


def test_the_destination_of_messages_own_keys_begins_slowly_too(works: Works) -> None:
    theirs = [imported(f"u{n}", api_key="key-of-theirs") for n in range(60)]
    works.push(*theirs[:20])
    works.box.fault("latency", seconds=LATENCY)
    works.box.fault("status", status=503, after=4, count=8)
    late = theirs[20:]

    def until_all_is_there() -> bool:
        books = works.books
        if late and books.paces and not books.paused:
            works.push(*late)  # into the lane, where nobody knows yet whose they are
            late.clear()
        return len(works.users()) < len(theirs)

    works.drain_while(until_all_is_there, concurrency=8, batch_records=1)
    failed = max(one.at for one in works.box.requests if one.fault == "status")
    herd = under_way([one for one in works.box.requests if one.at > failed])
    print(herd)
    assert all(many <= max(index + 1 - many, 1) for index, many in enumerate(herd))
    assert max(herd) > 4
    assert works.books.dead == 0
