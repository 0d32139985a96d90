"""A process that lacks memory or threads: no batch dies of it, and no destination is paused."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mixrelay.worker.deliver import delivery
from mixrelay.worker.drain import session as draining
from tests.support.patience import Deadline
from tests.support.works import Works, event, update

NO_THREAD = "can't start new thread"


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(draining, "SHORT_SECONDS", 0.05, raising=False)


@pytest.fixture
def forbid(monkeypatch) -> Callable[[Callable[[str], bool]], list[str]]:
    """Lets no thread start whose name is forbidden; returns the names of those."""
    start = threading.Thread.start

    def forbid(is_forbidden: Callable[[str], bool]) -> list[str]:
        refused: list[str] = []

        def start_or_not(thread: threading.Thread) -> None:
            if is_forbidden(thread.name):
                refused.append(thread.name)
                raise RuntimeError(NO_THREAD)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_or_not)
        return refused

    return forbid


def run(works: Works, **given: Any) -> None:
    """One drain job, as long as it lasts."""
    works._draining(None, burst=True, **given).run(20)


def drain_by_jobs(works: Works, **given: Any) -> int:
    """Drain job after drain job, as RQ would; how many it took."""
    deadline, jobs = Deadline(60), 0
    while works.books.waiting:
        assert not deadline.is_over()
        run(works, **given)
        jobs += 1
        time.sleep(0.01)
    return jobs


def failing(times: int, error: BaseException, action: Callable[..., Any]) -> Callable[..., Any]:
    left = iter(range(times))

    def act(*given: Any, **named: Any) -> Any:
        if next(left, None) is not None:
            raise error
        return action(*given, **named)

    return act


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(NO_THREAD)])
def test_a_batch_is_given_back_and_no_death_is_counted(works: Works, monkeypatch, error) -> None:
    works.push(*[event(f"u{n}", pad="x" * 1_000) for n in range(200)])
    monkeypatch.setattr(delivery, "sort", failing(12, error, delivery.sort))
    drain_by_jobs(works)
    assert sorted(works.users()) == sorted(f"u{n}" for n in range(200))
    assert works.reasons() == []
    assert works.books.difference == 0


def test_a_batch_that_may_be_too_much_is_halved_before_the_next_try(
    works: Works, monkeypatch, caplog
) -> None:
    works.push(*[event(f"u{n}", pad="x" * 1_000) for n in range(200)])
    sort = delivery.sort

    def only_small(batch: Any, *given: Any, **named: Any) -> Any:
        if sum(len(member.payload) for member in batch.members) > 100_000:
            raise MemoryError
        return sort(batch, *given, **named)

    monkeypatch.setattr(delivery, "sort", only_small)
    assert drain_by_jobs(works) <= 8
    assert sorted(works.users()) == sorted(f"u{n}" for n in range(200))
    assert works.reasons() == []
    assert "worker_short: no memory; this drain job gives back" in caplog.text


def test_an_increment_whose_settlement_found_no_memory_is_counted_once(
    works: Works, monkeypatch
) -> None:
    works.push(update("p", **{"$add": {"n": 1}}))
    queue = type(works.queue)
    monkeypatch.setattr(queue, "settle", failing(2, MemoryError(), queue.settle))
    drain_by_jobs(works)
    assert works.box.profiles["p"]["n"] == 1
    assert works.books.totals["ambiguous"] == 0


def test_without_a_thread_to_resolve_with_a_batch_waits_and_nobody_is_paused(
    works: Works, forbid, caplog
) -> None:
    works.push(event("a"), update("p", **{"$set": {"x": 1}}))
    left = iter(range(3))
    refused = forbid(lambda name: name == "mixrelay-resolve" and next(left, None) is not None)
    named = works.box.url.replace("127.0.0.1", "localhost")  # a number is not looked up
    works.drain(to=works.settings(api_host=named), concurrency=1)
    assert len(refused) == 3
    assert works.users() == ["a"]
    assert works.reasons() == []
    assert works.books.totals["ambiguous"] == 0
    assert "this process ran short of threads" in caplog.text
    assert "pause" not in caplog.text


def test_with_fewer_threads_than_asked_for_it_works_with_those(
    works: Works, forbid, caplog
) -> None:
    works.push(*[event(f"u{n}") for n in range(20)])
    forbid(lambda name: name.startswith("mixrelay-sender") and not name.endswith("-1"))
    works.drain(concurrency=8, batch_records=2)
    assert len(works.users()) == 20
    assert "worker_short: 1 of 8 sender threads could be started: no threads" in caplog.text


@pytest.mark.parametrize("which", ["mixrelay-sender", "mixrelay-leases", "mixrelay"])
def test_without_any_thread_the_job_ends_and_holds_nothing(
    works: Works, forbid, which: str, caplog
) -> None:
    works.push(event("a"))
    refused = forbid(lambda name: name.startswith(which))
    run(works)
    assert refused
    assert (works.books.waiting, works.books.in_flight) == (1, 0)
    assert "worker_short: no threads to start" in caplog.text


def test_a_bug_is_still_one(works: Works, monkeypatch) -> None:
    works.push(event("a"))
    monkeypatch.setattr(delivery, "sort", failing(1, RuntimeError("a bug"), delivery.sort))
    with pytest.raises(RuntimeError, match="a bug"):
        run(works)
