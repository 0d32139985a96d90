"""Mending a record in its text, so that the rest stays as its client wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from mixrelay.shared.jsontext import last_member, members, sole_scalar
from mixrelay.shared.mixpanel.rules import PLACEHOLDERS, has_user, is_insert_id
from mixrelay.shared.mixpanel.times import milliseconds, number_in

# 32 hexadecimal digits: within the 36 bytes of a $insert_id, and no two alike.
_DIGEST_BYTES = 16


@dataclass(slots=True)
class Stamps:
    """What an object of a record gets; values are JSON texts.

    Attributes:
        added: members that it lacks.
        replaced: values in place of those it has, wherever a key is doubled.
        removed: members that are left out.
    """

    added: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def put(self, fields: dict[str, Any], key: str, value: str) -> None:
        """Add a member, or replace it where the object has one."""
        (self.replaced if key in fields else self.added)[key] = value

    def leave_out(self, fields: dict[str, Any], key: str) -> None:
        """Remove a member where the object has it."""
        if key in fields:
            self.removed.add(key)

    @property
    def growth(self) -> int:
        """Members that an object has more than before."""
        return len(self.added) - len(self.removed)


def stamp_event(
    properties: dict[str, Any], text: str, identity: str, present_ms: int, latest_ms: int
) -> Stamps:
    """Return what an event needs beyond what its client wrote.

    Args:
        properties: the event's properties; a time among them can be read.
        text: the event's JSON.
        identity: what makes the message this one, and stays so at every redelivery.
        present_ms: stands in for a time that is missing or ahead, milliseconds since the epoch.
        latest_ms: a later time is ahead.
    """
    stamps = Stamps()
    _stamp_time(stamps, properties, text, present_ms, latest_ms)
    _stamp_insert_id(stamps, properties, text, identity)
    _stamp_user(stamps, properties, text)
    if properties.get("ip") in _EMPTY:
        # Else Mixpanel would place the event where this worker is.
        stamps.put(properties, "ip", "0")
    return stamps


_EMPTY = (None, "")


def _stamp_time(
    stamps: Stamps, properties: dict[str, Any], text: str, present_ms: int, latest_ms: int
) -> None:
    """Give an event one time, a number, the same at each redelivery or its copies do not fold.

    Mixpanel puts the present in place of a time ahead at each ingestion (Import Events).
    """
    key = "time" if properties.get("time") is not None else "$time"
    time = properties.get(key)
    moment = milliseconds(time)
    if key == "$time":
        # Both names say when an event was (Mixpanel: Reserved Properties).
        stamps.leave_out(properties, key)
    if moment is None or moment > latest_ms:
        stamps.put(properties, "time", str(present_ms))
    elif isinstance(time, str):
        stamps.put(properties, "time", number_in(time) or "null")
    elif key == "$time":
        stamps.put(properties, "time", _written(key, text))


def _stamp_insert_id(stamps: Stamps, properties: dict[str, Any], text: str, identity: str) -> None:
    insert_id = properties.get("$insert_id")
    if not is_insert_id(insert_id):
        source = _identity_in(insert_id, text) or identity
        stamps.put(properties, "$insert_id", f'"{insert_id_of(source)}"')


def _identity_in(insert_id: Any, text: str) -> str | None:
    """Return what a $insert_id of another form tells apart; None where that is nothing.

    It is a text however it is escaped, anything else as it stands. As parsed, a number over 64
    bits is a float: two ids that follow each other would be one, and Mixpanel would fold their
    events. A placeholder is shared by many events.
    """
    if insert_id in _EMPTY:
        return None
    if isinstance(insert_id, str):
        return None if insert_id in PLACEHOLDERS else orjson.dumps(insert_id).decode()
    written = _written("$insert_id", text)
    return None if written in PLACEHOLDERS else written


def _stamp_user(stamps: Stamps, properties: dict[str, Any], text: str) -> None:
    """Say whose an event is, or that it is nobody's.

    Of an event without a distinct_id Mixpanel makes one up from the request's address: a user
    for all events of this worker's (Mixpanel: Server-side events with no logged-in user).
    """
    if properties.get("distinct_id") is not None:
        return
    # Both names say who the user is (Mixpanel: Reserved Properties).
    stamps.leave_out(properties, "$distinct_id")
    if properties.get("$distinct_id") is not None:
        stamps.put(properties, "distinct_id", _written("$distinct_id", text))
    elif has_user(properties):
        stamps.leave_out(properties, "distinct_id")
    else:
        stamps.put(properties, "distinct_id", '""')


def _written(key: str, text: str) -> str:
    """Return a property's value as its client wrote it."""
    _, start, end = last_member(text, key, last_member(text, "properties").start)
    return text[start:end]


def insert_id_of(source: str) -> str:
    """Return the $insert_id that stands for a text: always the same, and no other text's."""
    return blake2b(source.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def stamped_event(text: str, record: dict[str, Any], stamps: Stamps) -> str:
    """Return an event's text with its properties stamped."""
    if not stamps.removed and (done := _stamped_quickly(text, record, stamps)) is not None:
        return done
    _, start, end = last_member(text, "properties")
    return text[:start] + stamped(text[start:end], stamps) + text[end:]


def _stamped_quickly(text: str, record: dict[str, Any], stamps: Stamps) -> str | None:
    """Do the same without looking at each member; None where the text leaves something open.

    What is replaced is in the properties: where its key stands once, it stands there.
    """
    for key, value in stamps.replaced.items():
        place = sole_scalar(text, key)
        if place is None:
            return None
        text = text[: place[0]] + value + text[place[1] :]
    if not stamps.added:
        return text
    # Of two members, "event" being a text, the one that ends in a brace is properties.
    if len(record) == 2 and text.endswith("}}"):  # noqa: PLR2004 - event and properties
        return f"{text[:-2]}{_additions(stamps, empty=not record['properties'])}}}}}"
    return None


def stamped(text: str, stamps: Stamps) -> str:
    """Return an object's text with values replaced, members left out, and missing ones added."""
    done = text.index("{") + 1
    parts, empty = [text[:done]], True
    for key, start, end in members(text):
        if key not in stamps.removed:
            before = text[done:start]
            # What was in front of it may be gone, and the comma between them with it.
            parts.append(before.replace(",", "", 1) if empty and _begins(before) else before)
            parts.append(stamps.replaced.get(key, text[start:end]))
            empty = False
        done = end
    closing = text.rindex("}")
    parts += [text[done:closing], _additions(stamps, empty=empty), text[closing:]]
    return "".join(parts)


def _begins(before: str) -> bool:
    return before.lstrip().startswith(",")


def _additions(stamps: Stamps, *, empty: bool) -> str:
    added = ",".join([f'"{key}":{value}' for key, value in stamps.added.items()])
    return added if empty or not added else f",{added}"
