"""One exchange with Mixpanel: how far it has come, and how long it may last."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Room for an answer's status line, headers and chunk marks beside its body.
_HEAD_BYTES = 65_536


class AnswerTooLargeError(OSError):
    """The answer passed the cap on its bytes; it is not read on."""


class Stage(IntEnum):
    """How far an exchange has come; from SENDING on Mixpanel may have the records."""

    BEGUN = 0
    RESOLVING = 1
    CONNECTING = 2
    HANDSHAKE = 3
    CONNECTED = 4
    SENDING = 5


@dataclass(slots=True)
class Exchange:
    """The deadline that every socket call of one exchange keeps, and what it has seen.

    A read timeout bounds one ``recv``, so a server that trickles a byte at a time outlives it;
    hence each call gets what is left of the whole. Times are of ``time.monotonic``, in seconds.
    """

    began: float
    ends: float
    connect_timeout: float
    read_timeout: float
    max_answer_bytes: int
    stage: Stage = Stage.BEGUN
    received: int = 0
    connect_by: float | None = None

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: it has passed.
        """
        return self._until(self.ends)

    def left_to_connect(self) -> float:
        """Seconds that resolving, connecting and the TLS handshake together may still take.

        Raises:
            TimeoutError: they are over.
        """
        if self.connect_by is None:
            self.connect_by = min(time.monotonic() + self.connect_timeout, self.ends)
        return self._until(self.connect_by)

    def socket_timeout(self) -> float:
        """Seconds that the next send or receive may take."""
        return min(self.read_timeout, self.left())

    def sending(self) -> None:
        """Note that bytes of the request go out, unless a proxy's tunnel is still being dug."""
        if self.stage in {Stage.BEGUN, Stage.CONNECTED}:
            self.stage = Stage.SENDING

    def took(self, count: int) -> None:
        """Count bytes of the answer as they arrive, headers too.

        Raises:
            AnswerTooLargeError: they are more than an answer of Mixpanel's can be.
        """
        self.received += count
        if self.received > self.max_answer_bytes + _HEAD_BYTES:
            raise AnswerTooLargeError(f"the answer is over {self.max_answer_bytes} bytes")

    @staticmethod
    def _until(moment: float) -> float:
        left = moment - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class _Current(threading.local):
    exchange: Exchange | None = None


_current = _Current()


def current() -> Exchange | None:
    """Return the exchange that this thread is in the middle of."""
    return _current.exchange


@contextmanager
def running(exchange: Exchange) -> Iterator[Exchange]:
    """Make it this thread's exchange, so that the sockets beneath keep its deadline."""
    _current.exchange = exchange
    try:
        yield exchange
    finally:
        _current.exchange = None
