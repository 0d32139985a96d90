"""A worker undoes what others do to the queue's keys, and says so."""

import pytest
from redis import Redis

from mixrelay.shared.queue.harm.guard import Guard, Guarded
from mixrelay.worker.drain import maintenance as upkeep
from tests.support.works import Works, event


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "GUARD_SECONDS", 0.1)


def test_what_a_cleaner_lets_expire_is_kept_and_said(
    works: Works, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """It gives every key two minutes, while Mixpanel is away."""
    works.box.fault("status", status=503)
    works.push(*[event(f"e{number}") for number in range(5)])
    done: list[bool] = []

    def goes_on() -> bool:
        if not done and works.books.in_flight:
            for name in redis.keys("*"):
                redis.expire(name, 120)
            done.append(True)
        return works.books.harm.persisted_at_ms is None or bool(works.books.harm.expiring)

    works.drain_while(goes_on)
    assert "keys_expire: someone set a time to live on" in caplog.text
    assert (works.books.waiting, works.books.difference) == (5, 0)


def test_a_queue_that_was_emptied_is_said_once(
    works: Works,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[Guarded] = []
    look = Guard.look
    monkeypatch.setattr(Guard, "look", lambda guard: looks.append(look(guard)) or looks[-1])
    works.push(event("before"))
    done: list[bool] = []

    def goes_on() -> bool:
        # A first look has nothing to compare with.
        if not done and works.users() == ["before"] and any(one.now for one in looks):
            redis.flushall()
            works.push(event("after"))
            done.append(True)
        return works.books.harm.emptied_at_ms is None or len(works.users()) < 2

    works.drain_while(goes_on)
    works.drain()
    assert caplog.text.count("queue_emptied: the queue had numbered 1 messages, and now") == 1
