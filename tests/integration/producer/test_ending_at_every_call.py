"""An ending of the application's at the entry of every function that a tracking call runs.

Python runs signal handlers where a function begins, so each such place is met once, in order.
"""

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import orjson
import pytest
from redis import Redis

from mixrelay.producer import RedisSink, Tracker
from mixrelay.producer.dispatch.attempt import Attempt
from tests.support.patience import slowness

REACHED = "_push_or_keep"
"""From here on a message is kept, whatever comes."""
CALLS_AT_MOST = 3_000


class Ending(BaseException):
    """As gevent's Timeout."""


class Late(TimeoutError):
    """An application's own, after ``signal.alarm``; an OSError too."""


class Alarm:
    """Raises an ending once, where the function begins that is the so-manieth to begin."""

    def __init__(self, number: int, kind: type[BaseException]) -> None:
        self.where = ""
        self._left = number
        self._kind = kind

    def __enter__(self) -> Self:
        # What comes from a signal handler of the application is none of our failures.
        self._former = sys.gettrace(), signal.signal(signal.SIGUSR1, self._ring)
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        trace, handler = self._former
        sys.settrace(trace)
        signal.signal(signal.SIGUSR1, handler)

    def _trace(self, frame: FrameType, _event: str, _argument: Any) -> None:
        code = frame.f_code
        # tests/support/interrupting.py meets what can be met of redis-py; an import takes any
        # OSError for a file that is not there.
        if "/site-packages/redis/" in code.co_filename or is_importing(frame):
            return
        self._left -= 1
        if self._left == 0:
            sys.settrace(None)
            self.where = f"{Path(code.co_filename).name}:{code.co_name}"
            self._ring()

    def _ring(self, *_: object) -> None:
        raise self._kind


def is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def functions(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_name
        trace = trace.tb_next


def events(tuples: list[bytes]) -> list[str]:
    return [orjson.loads(orjson.loads(one)[1])["data"]["event"] for one in tuples]


def in_spool(folder: Path) -> list[str]:
    lines = [line for file in folder.rglob("*.jsonl") for line in file.read_bytes().splitlines()]
    return events([line for line in lines if line.strip()])


@pytest.mark.parametrize(
    ("manner", "redis", "kind"),
    [
        *product(["alone", "batch"], ["well", "away"], [Ending, Late]),
        ("alone", "back", Late),
    ],
)
def test_its_message_is_kept_and_the_next_call_is_as_ever(
    store: Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    manner: str,
    redis: str,
    kind: type[BaseException],
) -> None:
    url = url_of(store)
    # What is raised in a finalizer, or in a generator that is dropped, goes nowhere, in Python.
    dropped: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", dropped.append)
    where = "redis://127.0.0.1:1/0" if redis == "away" else url
    told: list[Exception] = []
    sink = RedisSink(where, "q", told.append, spool_dir=tmp_path)
    tracker = Tracker("token", sink)
    assert tracker.track("user", "first") is True
    due, wrong = {"first": "nowhere"}, []
    for number in range(1, CALLS_AT_MOST):
        names = [f"E{number}.{part}" for part in range(2 if manner == "batch" else 1)]
        if redis == "back":
            due[f"held {number}"] = "held"
            sink.guard.hold(sink.lists.first, [held(f"held {number}")], Attempt())
        taken: list[str] = []
        try:
            with Alarm(number, kind) as alarm:
                call(tracker, names, taken)
        except kind as error:
            is_reached = REACHED in set(functions(error.__traceback__))
            due |= dict.fromkeys(names if is_reached else taken, alarm.where)
        else:
            due |= dict.fromkeys(names, alarm.where)
            if not alarm.where:
                break
            if not dropped:
                wrong.append(f"swallowed at {alarm.where}")
            dropped.clear()
        began = time.monotonic()
        if tracker.track("user", f"after {number}") is not True:
            wrong.append(f"the call after {alarm.where}: {told[-1]}")
        due[f"after {number}"] = f"after {alarm.where}"
        if time.monotonic() - began > 0.5 * slowness():
            wrong.append(f"the call after {alarm.where} was slow")
    places = Counter(events(store.lrange("q", 0, -1)) + in_spool(tmp_path))
    wrong += [f"lost: {name} ({due[name]})" for name in due.keys() - places.keys()]
    wrong += [f"twice: {name}" for name in due if name.startswith("held") and places[name] > 1]
    assert wrong == []
    assert 20 < number < CALLS_AT_MOST - 1


def call(tracker: Tracker, names: list[str], taken: list[str]) -> None:
    if len(names) == 1:
        tracker.track("user", *names)
        return
    with tracker.batch():
        for name in names:
            assert tracker.track("user", name) is True
            taken.append(name)


def url_of(store: Redis) -> str:
    where = store.get_connection_kwargs()
    return f"redis://{where['host']}:{where['port']}/{where['db']}"


def held(name: str) -> bytes:
    return orjson.dumps(["event", orjson.dumps({"data": {"event": name}}).decode()])
