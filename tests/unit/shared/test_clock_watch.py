"""Who watches a queue's clock by its own, which nobody sets."""

import pytest

from mixrelay.shared.queue.base.clock import STEP_SECONDS, WATCHED_SECONDS, Watch

START_MS = 1_700_000_000_000


class Own:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def asked(watch: Watch, own: Own, *, step_ms: int = 0, slow: float = 0.0) -> tuple[int, int]:
    """One look, whose answer takes so long: the latest that was possible, and the step found."""
    latest, began = watch.begin()
    shows = START_MS + round(own.now * 1000) + step_ms
    own.now += slow
    ahead = watch.end(began, shows)
    return latest, ahead.by_ms if ahead else 0


def test_nothing_is_over_before_it_was_watched_for_two_seconds() -> None:
    own = Own()
    watch = Watch(own)
    first = [asked(watch, own)]
    while own.now < 5 + WATCHED_SECONDS:
        first.append(asked(watch, own))
        own.now += 0.5
    assert set(first) == {(0, 0)}
    latest, _ = asked(watch, own)
    assert latest == pytest.approx(START_MS + own.now * 1000 + STEP_SECONDS * 1000, abs=600)


@pytest.mark.parametrize("slow", [0.0, 0.3, 5.0])
def test_a_slow_answer_is_no_step(slow: float) -> None:
    own = Own()
    watch = Watch(own)
    for _ in range(10):
        _, ahead = asked(watch, own, slow=slow)
        assert ahead == 0
        own.now += 1


def test_a_step_is_found_once_and_by_how_much() -> None:
    own = Own()
    watch = Watch(own)
    for _ in range(4):
        asked(watch, own, slow=0.1)
        own.now += 1
    latest, ahead = asked(watch, own, step_ms=600_000, slow=0.1)
    assert latest < START_MS + own.now * 1000 + 2_000, "what is over by the new clock is left"
    assert 598_000 < ahead <= 600_000
    own.now += 1
    assert asked(watch, own)[1] == 0, "it was made up for"


def test_what_was_not_made_up_for_is_found_again() -> None:
    own = Own()
    watch = Watch(own)
    for _ in range(4):
        asked(watch, own)
        own.now += 1
    for _ in range(3):
        assert asked(watch, own, step_ms=600_000)[1] > 598_000
        own.now += 1


def test_a_clock_that_goes_back_is_no_step() -> None:
    """Another process made up for a step before this one saw it twice."""
    own = Own()
    watch = Watch(own)
    asked(watch, own, step_ms=600_000)
    own.now += 3
    assert asked(watch, own)[1] == 0
    own.now += 1
    assert asked(watch, own)[1] == 0
