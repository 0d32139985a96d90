"""Replaying or discarding many letters in the background, as an RQ job that gives way.

A job works for some seconds and asks RQ to run it again, behind what waits there, so that live
traffic goes on. It stays one job under one id, with RQ's retries: a work-horse that dies loses
nothing of it. What a filter means is fixed by its `until`: letters that die meanwhile are not
taken.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from redis import Redis
from rq import Retry, get_current_job

from mixrelay.shared.connection import connect
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import LETTERS_AT_MOST, LetterFilter, Queue, new_id
from mixrelay.worker.draining import REDIS_TIMEOUT, Setup
from mixrelay.worker.patience import PASSING, Backoff, is_bug
from mixrelay.worker.rq_job import BULK_DISCARD, BULK_REPLAY
from mixrelay.worker.rq_queue import enqueue_bulk
from mixrelay.worker.shift import PARENT, PROCESS
from mixrelay.worker.stopping import Stop

log = logging.getLogger(__name__)

SLICE_SECONDS = 5.0
_PATIENCE_SECONDS = 60.0
"""How long a slice waits for a Redis that is away. What is not done then, RQ runs again once its
registry of started jobs is cleaned."""
_ONCE_MORE = Retry(max=1_000_000_000)
_TIMES = ("since", "until")

AnswerT = TypeVar("AnswerT")


def start_replay(rq: Redis, list_name: str, wanted: LetterFilter) -> str:
    """Has the letters that match now replayed by a worker; returns the RQ job's id."""
    return _start(rq, BULK_REPLAY, list_name, wanted)


def start_discard(rq: Redis, list_name: str, wanted: LetterFilter) -> str:
    """Has the letters that match now discarded by a worker; returns the RQ job's id."""
    return _start(rq, BULK_DISCARD, list_name, wanted)


def replay(list_name: str, wanted: dict[str, Any]) -> int | Retry:
    """One slice of a replay; what RQ calls. Returns how many were moved once all are."""
    return _slice(list_name, wanted, Queue.replay)


def discard(list_name: str, wanted: dict[str, Any]) -> int | Retry:
    """One slice of a discard; what RQ calls. Returns how many were discarded once all are."""
    return _slice(list_name, wanted, Queue.discard)


def _start(rq: Redis, name: str, list_name: str, wanted: LetterFilter) -> str:
    if wanted.until is None:
        wanted = replace(wanted, until=datetime.now(UTC))
    return enqueue_bulk(rq, name, list_name, args=(list_name, to_json(wanted)))


def _slice(list_name: str, wanted: dict[str, Any], move: Callable[..., int]) -> int | Retry:
    setup = PROCESS.get() or Setup.from_environment()
    if list_name != setup.settings.queue:
        raise ConfigurationError(
            f"A job for the list {list_name!r} came to a worker of {setup.settings.queue!r}; "
            "nothing was moved."
        )
    job = get_current_job()
    if job is None:
        raise ConfigurationError("Bulk work runs as a job of RQ.")
    stop = Stop(PARENT.get())
    stop.install(grace=setup.worker.grace)
    queue = Queue(connect(setup.settings.redis_url, timeout=REDIS_TIMEOUT), list_name)
    # RQ keeps what a job notes there whenever it puts it back.
    slice_ = _Slice(queue, move, from_json(wanted | job.meta.get("place", {})), stop)
    is_done = slice_.run()
    job.meta = {"moved": job.meta.get("moved", 0) + slice_.moved, "place": slice_.place}
    _await(connect(setup.settings.rq_url, timeout=REDIS_TIMEOUT).ping, stop, what="RQ's node")
    log.info("bulk: %s: %d letters so far", move.__name__, job.meta["moved"])
    return int(job.meta["moved"]) if is_done else _ONCE_MORE


class _Slice:
    """Some seconds of the work."""

    def __init__(
        self, queue: Queue, move: Callable[..., int], wanted: LetterFilter, stop: Stop
    ) -> None:
        self._queue = queue
        self._move = move
        self._wanted = wanted
        self._stop = stop
        self.moved = 0
        self.place: dict[str, str] = {}
        """From where the next slice goes on: what died before was looked at."""

    def run(self) -> bool:
        """Whether all is done."""
        ends = time.monotonic() + SLICE_SECONDS
        return _await(lambda: self._pass(ends), self._stop, what="letters")

    def _pass(self, ends: float) -> bool:
        for numbers in self._queue.letters.take(self._wanted, page=LETTERS_AT_MOST):
            if numbers:
                self._take(numbers)
            # A slice that only looked would be looked through again.
            if self._stop.requested or (self.moved and time.monotonic() >= ends):
                return False
        return True

    def _take(self, numbers: list[Any]) -> None:
        first = self._queue.letters.get(numbers[0])
        # After a lost reply it is asked again as the same move.
        op = new_id()
        self.moved += _await(
            lambda: self._move(self._queue, numbers, op=op), self._stop, what="letters"
        )
        if first is not None:
            self.place = {"since": first.dead_since.isoformat()}


def _await(action: Callable[[], AnswerT], stop: Stop, *, what: str) -> AnswerT:
    """Repeats it until Redis answers, its patience is over or the worker has to end."""
    backoff = Backoff()
    ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return action()
        except PASSING as error:
            if is_bug(error) or stop.requested or time.monotonic() >= ends:
                raise
            if backoff.is_to_be_told():
                log.warning("redis_away: %s wait: %s", what, error)
            time.sleep(backoff.next())


def to_json(wanted: LetterFilter) -> dict[str, Any]:
    """A filter as a job carries it."""
    plain = {name: value for name, value in asdict(wanted).items() if value is not None}
    return plain | {name: plain[name].isoformat() for name in _TIMES if name in plain}


def from_json(told: dict[str, Any]) -> LetterFilter:
    """A filter as a job carried it; what no filter has is refused.

    Raises:
        ConfigurationError: it is none.
    """
    known = {one.name for one in fields(LetterFilter)}
    if not isinstance(told, dict) or set(told) - known:
        raise ConfigurationError("A bulk job carries a filter that is none; nothing was moved.")
    times = {name: datetime.fromisoformat(told[name]) for name in _TIMES if name in told}
    return LetterFilter(**told | times)
