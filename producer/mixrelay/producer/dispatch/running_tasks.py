"""Tasks that deliver: held until they are over, also where their event loop is closed before."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_held: set[UnderWay] = set()


class UnderWay:
    """A task that delivers, and what to do for its tuples where it never ends."""

    def __init__(self, task: asyncio.Task[Any], keep: Callable[[], object]) -> None:
        """Hold the task until it is over, or seen to."""
        self._task = task
        self._keep = keep
        self._process = os.getpid()
        _held.add(self)

    def forget(self) -> None:
        """Note that it is over."""
        _held.discard(self)

    def end(self) -> None:
        """Keep what the task did not come to, and close it: nothing runs it any more."""
        if self not in _held:
            return
        _held.discard(self)
        if self._process != os.getpid():  # a fork's parent sees to it
            return
        self._keep()
        self._task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001
        coroutine = self._task.get_coro()
        if coroutine is not None:
            # Here, with all that it holds in one piece, and not by the garbage collector.
            with suppress(Exception):
                coroutine.close()  # type: ignore[union-attr, unused-ignore]


@atexit.register
def _end_all() -> None:
    for one in [*_held]:
        if not one._task.get_loop().is_running():  # noqa: SLF001
            one.end()
