import threading

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.worker.base.retry import Abandoned, Backoff, persist


def test_a_backoff_doubles_up_to_its_cap_with_half_of_it_by_chance() -> None:
    backoff = Backoff(base=1.0, cap=8.0)
    for full in (1, 2, 4, 8, 8, 8):
        assert full / 2 <= backoff.next() <= full
    backoff.reset()
    assert backoff.next() <= 1


def test_a_backoff_never_overflows() -> None:
    backoff = Backoff(base=1.0, cap=8.0)
    assert max(backoff.next() for _ in range(5_000)) <= 8


def test_the_first_failure_of_a_row_is_told_and_the_next_are_not() -> None:
    backoff = Backoff()
    assert backoff.is_to_be_told()
    backoff.next()
    assert not backoff.is_to_be_told()
    backoff.reset()
    assert backoff.is_to_be_told()


def failing(*errors: Exception):
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return action


def test_a_move_is_repeated_until_it_is_answered() -> None:
    action = failing(RedisConnectionError("away"), WrongKeyType("foreign"), ResponseError("OOM"))
    assert persist(action, what="a move", abandon=threading.Event()) == "answer"


def test_a_move_is_abandoned_when_the_worker_has_to_end() -> None:
    abandon = threading.Event()
    abandon.set()
    with pytest.raises(Abandoned):
        persist(failing(RedisConnectionError("away")), what="a move", abandon=abandon)


def test_a_script_that_fails_itself_is_not_repeated() -> None:
    error = ResponseError("bad argument script: 1f2e, on @user_script:7.")
    with pytest.raises(ResponseError):
        persist(failing(error), what="a move", abandon=threading.Event())
