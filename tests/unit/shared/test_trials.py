"""Partitions that are left alone are tried again, whatever becomes of one trial."""

import threading
from collections.abc import Callable

import pytest

from mixrelay.shared.connection import connect
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.partitions.partitions import Partitions
from tests.support.fleet import wait_until


@pytest.fixture
def partitions() -> Partitions:
    """Two of no server, of which the second is away."""
    made = Partitions(connect("redis://127.0.0.1:1"), "q")
    made.grow(2)
    made.failed(1, ConnectionError("gone"))
    return made


def bug(_: Partition) -> None:
    raise KeyError("a bug")


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    "broken", [(Partition, "check", bug), (threading.Thread, "start", no_thread)]
)
def test_a_trial_that_breaks_is_said_and_repeated(
    partitions: Partitions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: tuple[type, str, Callable[..., None]],
) -> None:
    def is_well() -> bool:
        for _ in partitions.each("route", lambda one: one.name):
            pass
        return not partitions.is_left_alone(1)

    def is_told() -> bool:
        return is_well() or "q.1 is tried again in 2 s" in caplog.text

    with monkeypatch.context() as patched:
        patched.setattr(*broken)
        wait_until(is_told, 5, "a trial that broke")
    assert partitions.is_left_alone(1)
    monkeypatch.setattr(Partition, "check", lambda _: None)
    wait_until(is_well, 10, "a trial that did not")
