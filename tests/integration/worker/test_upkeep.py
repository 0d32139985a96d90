"""What a worker sees to beside the messages: limits for dead letters, letters of older versions."""

import time
from datetime import timedelta

import pytest

from mixrelay.shared.queue import LetterFilter
from tests.support.works import Works, event, wait_until


def buried(works: Works, count: int) -> None:
    works.push(*[event(f"u{n}") for n in range(count)])
    works.box.fault("status", status=413)
    works.drain()
    works.box.clear_faults()
    assert works.books.dead == count


def test_letters_over_the_most_are_dropped_by_the_workers_and_counted(works: Works) -> None:
    buried(works, 30)
    running = [works.start(MIXRELAY_DLQ_MAX_LETTERS="10") for _ in range(2)]
    wait_until(lambda: works.books.dead == 10, "ten letters")
    wait_until(lambda: any("dlq_expired: 20" in one.log for one in running), "the log")
    books = works.books
    assert (books.totals["discarded:expired"], books.difference) == (20, 0)
    outlook = works.queue.retention.outlook()
    assert outlook is not None
    assert outlook.max_letters == 10
    assert [entry.count for entry in works.queue.audit.newest()] == [20]


def test_letters_over_the_age_are_dropped(works: Works) -> None:
    buried(works, 3)
    works.start(MIXRELAY_DLQ_MAX_AGE="0.5")
    wait_until(lambda: works.books.dead == 0, "no letters")
    assert works.books.totals["discarded:expired"] == 3


@pytest.mark.parametrize("wrong", [-3_900, 3_900])
def test_no_letter_is_dropped_for_its_age_while_clocks_disagree(
    works: Works, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wrong: int
) -> None:
    """What is dropped for a clock that is wrong is lost."""
    buried(works, 3)
    with monkeypatch.context() as set_wrong:
        set_wrong.setattr("mixrelay.worker.drain.maintenance.time", WrongClock(wrong))
        works.drain_while(lambda: "MIXRELAY_DLQ_MAX_AGE" not in caplog.text, dlq_max_age=0.5)
    assert "clock_skew" in caplog.text
    assert works.books.dead == 3
    works.drain_while(lambda: works.books.dead > 0, dlq_max_age=0.5)


class WrongClock:
    """The module `time` of a host whose clock is wrong."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead
        self.monotonic = time.monotonic

    def time(self) -> float:
        return time.time() + self._ahead


@pytest.mark.parametrize("former", [True, False])
def test_without_limits_everything_is_kept_and_former_limits_are_forgotten(
    works: Works, *, former: bool
) -> None:
    buried(works, 3)
    if former:
        works.queue.retention.expire(timedelta(days=1), None)
    works.drain_while(lambda: works.queue.retention.outlook() is not None)
    assert works.books.dead == 3


def test_a_worker_indexes_letters_of_an_older_version(works: Works) -> None:
    buried(works, 30)
    redis, root = works.queue.redis, f"{{{works.queue.name}}}"
    redis.delete(f"{root}:dead:group:too_large|413|event", f"{root}:schema")
    assert not works.queue.letters.groups()[0].is_indexed
    works.start()
    wait_until(lambda: works.queue.letters.groups()[0].is_indexed, "the index")
    assert works.queue.letters.count(LetterFilter(reason="too_large", type="event")) == 30


def test_messages_are_delivered_though_upkeep_meets_a_foreign_key(works: Works) -> None:
    works.queue.redis.set(f"{{{works.queue.name}}}:jobs:live", "foreign")
    works.push(event("a"))
    running = works.start()
    works.box.wait_for(lambda box: len(box.events) == 1)
    wait_until(lambda: "upkeep_failed" in running.log, "the log")
