from mixrelay.producer.push import breaker
from mixrelay.producer.push.breaker import FIRST_WINDOW, LONGEST_WINDOW, Breaker


class Clock:
    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(breaker, "monotonic", lambda: self.now)


def test_after_a_failure_nobody_tries_until_the_window_is_over(monkeypatch):
    clock, tested = Clock(monkeypatch), Breaker()
    assert tested.allows()
    assert tested.failed() is True
    assert not tested.allows()
    clock.now += FIRST_WINDOW
    assert tested.allows()


def test_one_call_tries_and_the_others_wait(monkeypatch):
    clock, tested = Clock(monkeypatch), Breaker()
    tested.failed()
    clock.now += FIRST_WINDOW
    assert [tested.allows() for _ in range(3)] == [True, False, False]


def test_a_try_that_never_ends_is_followed_by_another(monkeypatch):
    clock, tested = Clock(monkeypatch), Breaker()
    tested.failed()
    clock.now += FIRST_WINDOW
    assert tested.allows()
    clock.now += FIRST_WINDOW
    assert tested.allows()


def test_windows_double_up_to_some_seconds(monkeypatch):
    clock, tested = Clock(monkeypatch), Breaker()
    windows = []
    for _ in range(7):
        tested.failed()
        windows.append(tested.seconds_left)
        clock.now += tested.seconds_left
        assert tested.allows()
    assert windows[:3] == [FIRST_WINDOW, 2 * FIRST_WINDOW, 4 * FIRST_WINDOW]
    assert windows[-1] == LONGEST_WINDOW


def test_calls_that_fail_together_count_as_one(monkeypatch):
    Clock(monkeypatch)
    tested = Breaker()
    assert [tested.failed() for _ in range(50)] == [True, *[False] * 49]
    assert tested.seconds_left == FIRST_WINDOW


def test_a_success_closes_it_and_says_so_once(monkeypatch):
    Clock(monkeypatch)
    tested = Breaker()
    tested.failed()
    assert tested.succeeded() is True
    assert tested.succeeded() is False
    assert tested.allows()
    assert tested.failed() is True
