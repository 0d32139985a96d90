"""Replaying or discarding many letters in the background, as an RQ job that gives way.

A job works for some seconds and puts the rest back into RQ behind what waits there, so that
live traffic goes on. What a filter means is fixed by its `until`: letters that die meanwhile
are not taken.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from mixrelay.shared.connection import connect
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import LETTERS_AT_MOST, LetterFilter, Number, Queue, new_id
from mixrelay.worker.draining import REDIS_TIMEOUT, Setup
from mixrelay.worker.patience import persist
from mixrelay.worker.rq_job import BULK_DISCARD, BULK_REPLAY
from mixrelay.worker.rq_queue import enqueue_bulk
from mixrelay.worker.shift import PARENT, PROCESS
from mixrelay.worker.stopping import Stop

log = logging.getLogger(__name__)

SLICE_SECONDS = 5.0
_TIMES = ("since", "until")


def start_replay(rq: Redis, list_name: str, wanted: LetterFilter) -> str:
    """Has the letters that match now replayed by a worker; returns the RQ job's id."""
    return _start(rq, BULK_REPLAY, list_name, wanted)


def start_discard(rq: Redis, list_name: str, wanted: LetterFilter) -> str:
    """Has the letters that match now discarded by a worker; returns the RQ job's id."""
    return _start(rq, BULK_DISCARD, list_name, wanted)


def replay(list_name: str, wanted: dict[str, Any], moved: int) -> int:
    """One slice of a replay; what RQ calls. Returns how many were moved so far."""
    return _slice(BULK_REPLAY, list_name, wanted, moved, Queue.replay)


def discard(list_name: str, wanted: dict[str, Any], moved: int) -> int:
    """One slice of a discard; what RQ calls. Returns how many were discarded so far."""
    return _slice(BULK_DISCARD, list_name, wanted, moved, Queue.discard)


def _start(rq: Redis, name: str, list_name: str, wanted: LetterFilter) -> str:
    if wanted.until is None:
        wanted = replace(wanted, until=datetime.now(UTC))
    return enqueue_bulk(rq, name, list_name, args=(list_name, to_json(wanted), 0))


def _slice(
    name: str, list_name: str, wanted: dict[str, Any], moved: int, move: Callable[..., int]
) -> int:
    setup = PROCESS.get() or Setup.from_environment()
    if list_name != setup.settings.queue:
        raise ConfigurationError(
            f"A job for the list {list_name!r} came to a worker of {setup.settings.queue!r}; "
            "nothing was moved."
        )
    stop = Stop(PARENT.get())
    stop.install(grace=setup.worker.grace)
    queue = Queue(connect(setup.settings.redis_url, timeout=REDIS_TIMEOUT), list_name)
    ends = time.monotonic() + SLICE_SECONDS
    for numbers in queue.letters.take(from_json(wanted), page=LETTERS_AT_MOST):
        moved += _moved(queue, numbers, move)
        if stop.requested or time.monotonic() >= ends:
            rq = connect(setup.settings.rq_url, timeout=REDIS_TIMEOUT)
            enqueue_bulk(rq, name, list_name, args=(list_name, wanted, moved))
            break
    log.info("bulk: %s: %d letters so far", name, moved)
    return moved


def _moved(queue: Queue, numbers: Sequence[Number], move: Callable[..., int]) -> int:
    """Moves some; after a lost reply it is asked again as the same move."""
    op = new_id()
    give_up = threading.Event()
    timer = threading.Timer(SLICE_SECONDS, give_up.set)
    timer.daemon = True
    timer.start()
    try:
        return persist(lambda: move(queue, numbers, op=op), what="letters", abandon=give_up)
    finally:
        timer.cancel()


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
