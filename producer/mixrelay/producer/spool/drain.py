"""From the spool into the queue: each line once, whatever is killed or lost on the way.

How far a file is in, is noted in the queue by the script that pushes its lines
(``mixrelay.shared.queue.loads.log_file``), so that this, ``mixrelay push`` of the same file, and
a process that goes on after another one's death are one: nobody pushes a line again.
"""

from __future__ import annotations

import os
from enum import Enum, auto
from functools import partial
from io import FileIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mixrelay.producer.dispatch.counters import Counters
    from mixrelay.producer.options import QueueSettings
    from mixrelay.producer.spool.spool import Spool
    from mixrelay.shared.connection import Given
    from mixrelay.shared.queue.loads.log_file import Start
    from mixrelay.shared.queue.merged.loads import MergedLoads

SLICE_BYTES = 128 * 1024
"""Of lines that one call moves: some milliseconds of it."""


class Left(Enum):
    """What a step leaves behind."""

    NOTHING = auto()
    MORE = auto()
    BUSY = auto()
    """Another process or thread moves lines at this moment."""


class Drain:
    """Moves a spool's lines, a slice a call; any number of threads may share one."""

    def __init__(
        self,
        spool: Spool,
        loads: MergedLoads,
        counters: Counters,
        most: int | None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Open nothing.

        Args:
            spool: where lines wait.
            loads: of the queue.
            counters: told how many lines were moved.
            most: messages that may wait in the queue; no line goes where there are more.
            close: closes the connection that ``loads`` uses.
        """
        self.close = close
        self._spool = spool
        self._loads = loads
        self._counters = counters
        self._most = most
        # Where this process stopped last, and in which file: the next step need not look for it.
        self._known: tuple[int, Start] | None = None

    def step(self, wait: float = 0.0) -> Left:
        """Move one slice of the oldest lines.

        Args:
            wait: seconds that another may be moving one at this moment.

        Raises:
            redis.RedisError: the queue did not take it, or nobody knows; the next step finds out.
            OSError: the spool's files cannot be used.
        """
        with self._spool.drain_lock(wait) as mine:
            if not mine:
                return Left.BUSY
            segment = self._spool.oldest()
            if segment is not None:
                self._move_slice(segment)
            return Left.MORE if self._spool.inodes() else Left.NOTHING

    def _move_slice(self, segment: Path) -> None:
        from mixrelay.shared.queue.loads.log_file import (  # noqa: PLC0415 - only an outage needs it
            LINES_AT_MOST,
            find_start,
            slices,
        )

        # Where the queue has a limit, a slice must fit in as soon as there is some room.
        fitting = LINES_AT_MOST if self._most is None else self._most // 10
        lines = min(max(fitting, 1), LINES_AT_MOST)

        with FileIO(self._spool.open_segment(segment)) as file:
            whole = os.fstat(file.fileno())
            remembered = self._remembered(whole.st_ino)
            start = remembered or find_start(self._loads, file)
            file.seek(start.offset)
            self._known = None  # until Redis has answered
            part = next(slices(file, start, chunk_bytes=SLICE_BYTES, lines_at_most=lines), None)
        if part is not None:
            place = self._loads.load(
                start.name,
                part.tuples,
                before=start.place,
                after=part.place,
                ends=start.ends,
                most=self._most,
            )
            if place != part.place:
                # Someone with ``mixrelay push`` was faster; the next step sees how far.
                return
            self._counters.add("drained", len(part.tuples))
            if part.offset < whole.st_size:
                self._known = whole.st_ino, start.behind(part)
                return
        elif remembered:
            # The number of a file that another process ended may be a new file's by now: only
            # what was read from the beginning says that all of this one is in.
            return
        # Nothing is remembered of it by now: a new file may have its number, and this may be
        # interrupted.
        self._spool.remove(segment)

    def _remembered(self, inode: int) -> Start | None:
        known = self._known
        return known[1] if known is not None and known[0] == inode else None


def open_drain(
    spool: Spool,
    settings: QueueSettings,
    where: Given | str,
    queue: str,
    counters: Counters,
) -> Drain:
    """Return a drain with a connection of its own; only an outage needs what it loads."""
    from mixrelay.shared.connection import connect  # noqa: PLC0415
    from mixrelay.shared.queue import Queue  # noqa: PLC0415

    make = partial(connect, where) if isinstance(where, str) else where.client
    client = make(timeout=settings.timeout, connect_timeout=settings.connect_timeout)
    loads = Queue(client, queue, partitions=settings.partitions).loads
    return Drain(spool, loads, counters, settings.max_queue or None, client.close)
