"""A step in a thread that is carried out although its task is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


async def in_thread(act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call returns that would hold up the event loop.

    A task is cancelled while it waits for this where its event loop ends. Then the call is over
    before the cancellation goes on, though it holds up the loop: nobody else would see to it.
    """
    step = _Step(partial(act, *args, **kwargs))
    try:
        return await asyncio.to_thread(step)
    except asyncio.CancelledError:
        step.finish()
        raise


class _Step(Generic[T]):
    """A call that happens once: in the thread, or where that is not going to begin, here."""

    def __init__(self, act: Callable[[], T]) -> None:
        self._act = act
        self._turn = threading.Lock()
        self._is_over = threading.Event()

    def __call__(self) -> T:
        if not self._turn.acquire(blocking=False):
            raise asyncio.CancelledError  # nobody waits for it any more
        try:
            return self._act()
        finally:
            self._is_over.set()

    def finish(self) -> None:
        if self._turn.acquire(blocking=False):
            self._act()
        else:
            self._is_over.wait()
