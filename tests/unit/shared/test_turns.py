"""Whose turn it is among partitions."""

import time

import pytest

from mixrelay.shared.queue.partitions import turns as module
from mixrelay.shared.queue.partitions.turns import Turns


@pytest.fixture
def turns() -> Turns:
    made = Turns()
    made.count = 3
    return made


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    later = time.monotonic() + seconds
    monkeypatch.setattr(module.time, "monotonic", lambda: later)


def test_whoever_was_served_comes_last_of_that_kind(turns: Turns) -> None:
    turns.served("event", 0)
    assert turns.round("event") == [1, 2, 0]
    assert turns.round("route") == [0, 1, 2]


def test_one_that_is_away_is_left_alone_unless_all_are(turns: Turns) -> None:
    turns.failed(1)
    assert turns.round("event") == [0, 2]
    turns.failed(0)
    turns.failed(2)
    assert turns.round("event") == [0, 1, 2]
    assert turns.to_be_tried() == []


def test_it_is_tried_ever_more_seldom_and_by_one(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    for _ in range(6):
        waits.append(turns.failed(1))
        assert turns.to_be_tried() == []
        pass_time(monkeypatch, waits[-1])
        assert turns.to_be_tried() == [1]
        assert turns.to_be_tried() == []
    assert waits == [1, 2, 4, 8, 16, 16]
    turns.answered(1)
    assert turns.failed(1) == 1


def test_failures_under_way_together_are_one(turns: Turns) -> None:
    assert [turns.failed(1) for _ in range(4)] == [1, 0, 0, 0]


def test_an_empty_one_rests_until_it_wakes_or_time_is_over(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns.rest("event", 1, 1.0, time.monotonic())
    assert (turns.round("event"), turns.round("import")) == ([0, 2], [0, 1, 2])
    turns.wake(1)
    assert turns.round("event") == [0, 1, 2]
    turns.rest("event", 0, 1.0, time.monotonic())
    pass_time(monkeypatch, 1.0)
    assert turns.round("event") == [0, 1, 2]


def test_one_that_woke_while_it_was_asked_does_not_rest(turns: Turns) -> None:
    asked_at = time.monotonic()
    turns.wake(1)
    turns.rest("event", 1, 1.0, asked_at)
    assert turns.round("event") == [0, 1, 2]
