"""What a test sees of a message: an event, or an update of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mixrelay.producer.testing.comparing import cut
from mixrelay.shared.mixpanel.rules import OPERATIONS
from mixrelay.shared.tuples import Kind

EVENTS = frozenset({Kind.EVENT, Kind.IMPORT})

# Beside an event's own properties: what every event has, and a failure need not show.
_STAMPS = frozenset({"token", "distinct_id", "time", "$insert_id", "mp_lib", "$lib_version"})


@dataclass(frozen=True, slots=True)
class Event:
    """An event that was tracked or imported, as it would reach Mixpanel.

    Attributes:
        name: what was done.
        distinct_id: who did it.
        properties: all of them, with those that were stamped.
        is_import: whether it came from ``import_event``, or is a ``$merge``.
    """

    name: str
    distinct_id: Any
    properties: dict[str, Any]
    is_import: bool = False

    def __str__(self) -> str:
        """Show it without what every event has."""
        own = {name: value for name, value in self.properties.items() if name not in _STAMPS}
        return f"{self.name!r} of {self.distinct_id!r}: {cut(own)}"


@dataclass(frozen=True, slots=True)
class Update:
    """An update of a user's or a group's profile; a record with two operations is two.

    Attributes:
        target: a user's ``distinct_id``, or a group's ``(group_key, group_id)``.
        operation: in Mixpanel's words, such as ``$set`` or ``$add``.
        properties: the operation's; for ``$unset`` the names, for ``$delete`` the empty text.
        record: all of it, with ``$time`` and ``$ip``.
    """

    target: Any
    operation: str
    properties: Any
    record: dict[str, Any] = field(repr=False)

    def __str__(self) -> str:
        """Show it on one line."""
        return f"{self.operation} on {self.target!r}: {cut(self.properties)}"


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that Mixpanel refused, by the test's ``refuse``.

    Attributes:
        kind: ``event``, ``profile_update`` or ``group_update``.
        record: all of it.
        why: what ``refuse`` returned.
    """

    kind: str
    record: dict[str, Any]
    why: str


def event_of(kind: Kind, record: dict[str, Any]) -> Event:
    """Return what a record of an event shows."""
    properties = record["properties"]
    is_import = kind is Kind.IMPORT
    return Event(record["event"], properties.get("distinct_id"), properties, is_import)


def updates_of(record: dict[str, Any]) -> list[Update]:
    """Return the operations of a record of an update."""
    target = _target(record)
    return [Update(target, one, record[one], record) for one in record if one in OPERATIONS]


def _target(record: dict[str, Any]) -> Any:
    if "$group_key" in record:
        return record["$group_key"], record["$group_id"]
    return record["$distinct_id"]
