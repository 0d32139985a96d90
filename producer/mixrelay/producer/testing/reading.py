"""What was kept, read: messages, the events and the updates in them, also of an open batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mixrelay.producer.dispatch.batch import open_messages
from mixrelay.producer.testing.seen import EVENTS, Event, Update, event_of, updates_of
from mixrelay.shared.tuples import Kind, Message, read, write

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.batch import Sender


class Reading:
    """The messages of a test, in the order of the calls."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, str]] = []
        own: Any = self
        self._is_ours: Callable[[Sender[Any]], bool] = lambda outlet: outlet.sink is own
        """Whether an outlet's messages end here."""

    @property
    def messages(self) -> list[tuple[str, str]]:
        """All messages as they would lie in the queue: a type and a JSON text.

        Those of a batch are there once its block has ended.
        """
        return list(self._messages)

    @property
    def events(self) -> list[Event]:
        """All events, in order; those of the block in which one asks come last."""
        return [event_of(kind, record) for kind, record in self._records() if kind in EVENTS]

    @property
    def updates(self) -> list[Update]:
        """All updates of users and groups, in order; as ``events``."""
        records = [record for kind, record in self._records() if kind not in EVENTS]
        return [update for record in records for update in updates_of(record)]

    def clear(self) -> None:
        """Forget everything that was kept; what an open batch holds will still come."""
        self._messages.clear()

    def _read(self) -> Iterator[Message]:
        for kind, text in self._all():
            yield read(write(kind, text))

    def _records(self) -> Iterator[tuple[Kind, dict[str, Any]]]:
        for message in self._read():
            for record, _ in message.records():
                yield message.kind, record

    def _all(self) -> list[tuple[str, str]]:
        return [*self._messages, *open_messages(self._is_ours)]
