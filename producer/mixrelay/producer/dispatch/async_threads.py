"""A step in a thread that is carried out although its task is cancelled."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.attempt import Attempt

T = TypeVar("T")
P = ParamSpec("P")

MOST_THREADS = 4
"""A step is some milliseconds of files, or a round trip that has a bound."""


async def in_thread(attempt: Attempt, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call returns that would hold up the event loop; the attempt knows of it.

    A task is cancelled while it waits for this where its event loop ends. Then the call is over
    before the cancellation goes on, though it holds up the loop: nobody else would see to it. What
    the call raised then comes in the cancellation's place, since nobody else would hear of it.
    Where no thread may begin any more, as in ``atexit``, the call happens here and now.
    """
    step = attempt.step = _Step(partial(act, *args, **kwargs))
    context = copy_context()
    try:
        running = _threads(os.getpid()).submit(context.run, step)
    except RuntimeError:
        return step()
    try:
        return await asyncio.wrap_future(running)
    except asyncio.CancelledError:
        step.finish()
        raise


@cache
def _threads(_process: int) -> ThreadPoolExecutor:
    """Return the threads of a process: not the event loop's, which an application may fill."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="mixrelay")


class _Step(Generic[T]):
    """A call that happens once: in the thread, or where that is not going to begin, here."""

    def __init__(self, act: Callable[[], T]) -> None:
        self._act = act
        self._turn = threading.Lock()
        self._is_over = threading.Event()
        self._failure: Exception | None = None

    def __call__(self) -> T:
        if not self._turn.acquire(blocking=False):
            raise asyncio.CancelledError  # nobody waits for it any more
        return self._run()

    def _run(self) -> T:
        try:
            return self._act()
        except Exception as failure:
            self._failure = failure
            raise
        finally:
            self._is_over.set()

    def finish(self) -> None:
        """Have the call be over; raise what it raised."""
        if self._turn.acquire(blocking=False):
            self._run()
            return
        self._is_over.wait()
        if self._failure is not None:
            raise self._failure
