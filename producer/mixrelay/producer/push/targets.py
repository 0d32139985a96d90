"""The lists of a queue, one a partition, and what a producer knows of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mixrelay.producer.errors import DeliveryError
from mixrelay.producer.push.breaker import Breaker
from mixrelay.producer.push.error_texts import Words
from mixrelay.shared.partitioning import partition_of_message, partition_of_tuple
from mixrelay.shared.tuples import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mixrelay.producer.dispatch.batch import Messages
    from mixrelay.producer.options import QueueSettings
    from mixrelay.shared.queue.loads.loads import BoundedPush

Groups = list[tuple["QueueList", list[bytes]]]
"""Tuples by their list, in order."""


@dataclass(slots=True, eq=False)
class QueueList:
    """One of the lists."""

    name: str
    words: Words
    breaker: Breaker
    """Of the node that it lies on."""
    bounded: BoundedPush | None
    """Pushes where it may not grow beyond a length."""
    own: set[tuple[int, int]] = field(default_factory=set)
    """Files of the spool in which something of this process may wait for it: new calls come
    after that. By inode and number of the last append, since a file system gives the inode of a
    deleted file to the next one at once."""
    is_full: bool = False


class Lists:
    """All of them; a message goes to that of its profile."""

    def __init__(self, queue: str, settings: QueueSettings, address: str) -> None:
        """Make their names.

        Args:
            queue: the first one's name.
            settings: of the sink.
            address: of Redis, for errors, without its password.

        Raises:
            ConfigurationError: the queue cannot have that name, or so many partitions.
        """
        breaker = Breaker()
        # Of all partitions together, as near as one can tell without asking each.
        most = -(-settings.max_queue // settings.partitions)
        self.all = [
            QueueList(name, Words(address, name), breaker, _bounded_push(name, most))
            for name in _names(queue, settings.partitions)
        ]
        self.first = self.all[0]
        self.only = self.first if settings.partitions == 1 else None

    def of(self, kind: str, message: str) -> QueueList:
        """Return a message's list."""
        return self.only or self.all[partition_of_message(kind, message, len(self.all))]

    def of_messages(self, messages: Messages) -> Groups:
        """Return messages as tuples, by their lists."""
        if self.only is not None:
            return [(self.only, [write(*message) for message in messages])]
        return self._grouped((self.of(*message), write(*message)) for message in messages)

    def of_tuples(self, tuples: Sequence[bytes]) -> Groups:
        """Return tuples by their lists."""
        count = len(self.all)
        return self._grouped((self.all[partition_of_tuple(one, count)], one) for one in tuples)

    def _grouped(self, pairs: Iterable[tuple[QueueList, bytes]]) -> Groups:
        groups: dict[QueueList, list[bytes]] = {}
        for one, payload in pairs:
            groups.setdefault(one, []).append(payload)
        return [*groups.items()]


def together(errors: Sequence[DeliveryError]) -> DeliveryError:
    """Return the first of several lists' errors, about the messages of all."""
    first = errors[0]
    first.count = sum(error.count for error in errors)
    first.maybe_delivered = any(error.maybe_delivered for error in errors)
    return first


def _names(queue: str, partitions: int) -> list[str]:
    if partitions == 1 and queue and "}" not in queue:
        return [queue]
    # The rules are the queue's; its package is a worker's weight, so only who must ask, asks.
    from mixrelay.shared.queue.base.keys import Keys, partition_name  # noqa: PLC0415

    first = Keys.of(queue).queue
    return [partition_name(first, index) for index in range(partitions)]


def _bounded_push(name: str, most: int) -> BoundedPush | None:
    if not most:
        return None
    from mixrelay.shared.queue.loads.loads import BoundedPush  # noqa: PLC0415 - as above

    return BoundedPush(name, most)
