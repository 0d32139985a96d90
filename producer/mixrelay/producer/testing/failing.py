"""Failures that a test asks for: Redis is away, or Mixpanel refuses a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from mixrelay.producer.dispatch.reporting import ErrorHandler, Handler, tell
from mixrelay.producer.errors import DeliveryError, QueueUnavailableError
from mixrelay.producer.testing.asserting import Asserting
from mixrelay.producer.testing.seen import EVENTS, Refused
from mixrelay.shared.tuples import MalformedTupleError, Message, read, write

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.batch import Messages

Refuse: TypeAlias = Callable[[str, dict[str, Any]], str | None]
"""Called with ``event``, ``profile_update`` or ``group_update`` and a record; returns what Mixpanel
says against it, or None."""


class Failing(Asserting):
    """Takes messages, or fails as a test asks.

    Attributes:
        refuse: assign a function to have Mixpanel refuse records; see ``Refuse``. They are in
            ``dead`` then, and no longer among ``events`` and ``updates``.
        dead: the records that were refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refuse: Refuse | None = None
        self.dead: list[Refused] = []
        self._failure: DeliveryError | None = None
        self._told_of: DeliveryError | None = None

    def clear(self) -> None:
        """Forget everything that was kept, and what was refused."""
        super().clear()
        self.dead.clear()

    def redis_away(self, *, spooled: bool = False) -> AbstractContextManager[None]:
        """Let Redis be away until the block ends: ``with mixrelay_events.redis_away():``.

        Calls return False, ``error_handler`` is given a ``QueueUnavailableError``, and nothing is
        kept here.

        Args:
            spooled: the spool takes the messages, as it does unless it is switched off or full.
                Calls return True, ``error_handler`` is given one error, and the messages are kept
                here: they will arrive.
        """
        error = QueueUnavailableError("Redis is away, as this test asks.", spooled=spooled)
        return self.failing(error)

    @contextmanager
    def failing(self, error: DeliveryError) -> Iterator[None]:
        """Let every call fail with an error until the block ends: ``QueueFullError("…")``, say."""
        before, self._failure = self._failure, error
        self._told_of = None
        try:
            yield
        finally:
            self._failure = before

    def _is_spooling(self) -> bool:
        """Whether what comes now is kept in the spool, as a test asks."""
        return self._failure is not None and self._failure.spooled

    def _tell_of_spool(self, handler: Handler | None) -> None:
        """Tell of an outage whose messages are safe, once."""
        if self._is_spooling() and self._failure is not self._told_of:
            self._told_of = self._failure
            tell(handler or ErrorHandler(), cast("DeliveryError", self._failure))

    def _take(self, messages: Messages) -> list[Refused]:
        """Keep messages but for those records that are refused; return these.

        Raises:
            DeliveryError: the test asks for it.
        """
        if self._failure is not None and not self._is_spooling():
            raise type(self._failure)(*self._failure.args, **_kept(self._failure, len(messages)))
        if self.refuse is None:
            self._messages += messages
            return []
        refused = [dead for kind, text in messages for dead in self._sift(kind, text)]
        self.dead += refused
        return refused

    def _sift(self, kind: str, text: str) -> Iterator[Refused]:
        try:
            message = read(write(kind, text))
        except MalformedTupleError:
            self._messages.append((kind, text))
            return
        records = message.records()
        refused = [*self._refused(message, [record for record, _ in records])]
        if not refused:
            self._messages.append((kind, text))
            return
        gone = [id(one.record) for one in refused]
        kept = [written for record, written in records if id(record) not in gone]
        if kept:
            self._messages.append((kind, f'{{"data":[{",".join(kept)}]}}'))
        yield from refused

    def _refused(self, message: Message, records: list[dict[str, Any]]) -> Iterator[Refused]:
        kind = "event" if message.kind in EVENTS else message.kind.value
        for record in records:
            why = self.refuse and self.refuse(kind, record)
            if why:
                yield Refused(kind, record, why)


def _kept(error: DeliveryError, count: int) -> dict[str, Any]:
    """Return what an error says beside its text, of so many messages."""
    beside = {name: value for name, value in vars(error).items() if name in {"status", "body"}}
    return beside or {
        "maybe_delivered": error.maybe_delivered,
        "spooled": error.spooled,
        "count": count,
    }
