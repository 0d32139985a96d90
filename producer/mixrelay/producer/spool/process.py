"""The spool of a queue, and what empties it, of each process anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mixrelay.producer.spool.drain import Drain, open_drain
from mixrelay.producer.spool.errors import lies_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixrelay.producer.dispatch.counters import Counters
    from mixrelay.producer.options import QueueSettings
    from mixrelay.producer.spool.spool import Spool
    from mixrelay.shared.connection import Given


class ProcessSpool:
    """Opens it when it is first asked for in a process: its user may be another."""

    def __init__(
        self,
        settings: QueueSettings,
        redis_url: str,
        queue: str,
        *,
        given: Given | None,
        counters: Counters,
        tell: Callable[[Exception], None],
    ) -> None:
        """Open nothing.

        Args:
            settings: of the sink.
            redis_url: where the queue is.
            queue: its name.
            given: the application's own client, in place of the address.
            counters: told how many lines were moved.
            tell: given an error where the spool does not lie where it should.
        """
        from mixrelay.producer.spool.location import open_spool  # noqa: PLC0415 - not by the import

        self._open = open_spool
        self._settings = settings
        self._url = redis_url
        self._queue = queue
        self._given = given
        self._counters = counters
        self._tell = tell
        self._opened_in = 0
        self._spool: Spool | None = None
        self._drain: Drain | None = None

    def spool(self) -> Spool | None:
        """Return this process's; None where there is to be none."""
        if self._opened_in != os.getpid():
            self._drain = None
            user = self._given.user if self._given is not None else ""
            spool = self._spool = self._open(self._settings, self._url, self._queue, user)
            self._opened_in = os.getpid()  # last, since an ending may come in between
            if spool is not None and spool.refused:
                self._tell(lies_elsewhere(spool.refused, spool.folder))
        return self._spool

    def drain(self, spool: Spool) -> Drain:
        """Return what empties it, with a connection of its own."""
        if self._drain is None:
            where = self._given or self._url
            self._drain = open_drain(spool, self._settings, where, self._queue, self._counters)
        return self._drain

    def close(self) -> None:
        """Close the connection that emptied the spool, if this process opened one."""
        if self._drain is not None and self._opened_in == os.getpid():
            self._drain.close()
        self._drain = None
