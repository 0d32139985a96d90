"""Whom and what a queued message is about, record by record."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from mixrelay.shared.tuples import MalformedTupleError, read


@dataclass(frozen=True, slots=True)
class Subject:
    """What one record says of itself; None for what it does not say."""

    kind: str
    """`event`, `import`, `profile_update`, `group_update`."""
    name: str | None
    """The event's name, or the operation of an update, such as `$set`."""
    token: str | None
    """The project token within the record: mask it before it is shown."""
    distinct_id: str | None
    group: tuple[str, str] | None = None
    """Of a group update: the group key and the group's id."""
    record: Any = None
    """The record as parsed."""

    @property
    def who(self) -> str | None:
        return self.distinct_id if self.group is None else "=".join(self.group)


def subjects_of(payload: bytes) -> list[Subject]:
    """One for each record of a tuple; none where it cannot be read."""
    try:
        message = read(payload)
        return [_subject(message.kind, record) for record, _text in message.records()]
    except MalformedTupleError:
        return []


def _subject(kind: str, record: Any) -> Subject:
    told = record if isinstance(record, dict) else {}
    inner = told.get("properties")
    if not isinstance(inner, dict):
        inner = {}
    group = None
    if "$group_id" in told:
        group = (as_text(told.get("$group_key")) or "", as_text(told["$group_id"]) or "")
    return Subject(
        kind=str(kind),
        name=as_text(told.get("event")) or next(_operations(told), None),
        token=as_text(inner.get("token", told.get("$token"))),
        distinct_id=as_text(inner.get("distinct_id", told.get("$distinct_id"))),
        group=group,
        record=record,
    )


_NO_OPERATION = frozenset(
    {"$token", "$distinct_id", "$group_key", "$group_id", "$ip", "$time", "$ignore_time"}
)


def _operations(record: dict[str, Any]) -> Iterator[str]:
    return (name for name in record if name.startswith("$") and name not in _NO_OPERATION)


def as_text(value: object) -> str | None:
    """A name or an id as text, as Mixpanel compares it; None for what names nobody."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return None
    return orjson.dumps(value).decode()
