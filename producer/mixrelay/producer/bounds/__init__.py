"""How much one record may hold: what has no end, or is far too large, must not fill the memory.

Mixpanel takes less than 1 MB of a record. A value takes two bytes of it at least, with its comma,
and a character of a text one: what is over that is refused before it is copied whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from mixrelay.producer.records.unwritable import NotJSONError
from mixrelay.shared.mixpanel.rules import MAX_RECORD_BYTES

__all__ = [
    "BUILT_IN",
    "FEW",
    "MOST_VALUES",
    "Room",
    "bounded",
    "check_count",
    "counted",
    "too_much",
]

T = TypeVar("T")

MOST_VALUES = MAX_RECORD_BYTES // 2
BUILT_IN = frozenset({list, tuple, set, frozenset})
"""Containers that have as many members as their length says."""

FEW = 64
"""Members of a container whose texts are not counted: they are as large as the caller made them."""


def too_much() -> NotJSONError:
    """Return the error of a value, or of a record with it, that is too large for Mixpanel."""
    return NotJSONError(
        f"holds more than a record may: Mixpanel takes less than {MAX_RECORD_BYTES:,} bytes of "
        "one; send a part of it, or a count"
    )


def check_count(count: int) -> None:
    """Refuse a container by the number of its members.

    Raises:
        NotJSONError: a record cannot hold so many.
    """
    if count > MOST_VALUES:
        raise too_much()


def bounded(members: Iterable[T]) -> Iterator[T]:
    """Yield the members of what may have no end.

    Raises:
        NotJSONError: there are more than a record can hold.
    """
    every = iter(members)
    yield from islice(every, MOST_VALUES)
    for _ in every:
        raise too_much()


class Room:
    """What is left of a record while it is copied: lists within lists may share their members."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        """Begin with an empty record."""
        self._left = MAX_RECORD_BYTES

    def take(self, container: list[Any] | dict[Any, Any]) -> None:
        """Count the members of one more container.

        Raises:
            NotJSONError: the record is too large.
        """
        count = len(container)
        self._left -= 2 * count
        if count > FEW and self._left >= 0:
            items = container.values() if isinstance(container, Mapping) else container
            self._left -= sum([len(item) for item in items if type(item) is str])
        if self._left < 0:
            raise too_much()


def counted(container: list[Any] | dict[Any, Any], room: Room | None) -> Room:
    """Count a container in a record's room, or in a new one.

    Raises:
        NotJSONError: the record is too large.
    """
    room = room or Room()
    room.take(container)
    return room
