"""Adding to a record what it lacks, in its text, so that the rest stays as its client wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from mixrelay.shared.jsontext import last_member, members
from mixrelay.shared.mixpanel.rules import MAX_COUNT, is_insert_id
from mixrelay.shared.mixpanel.times import number_in

# 32 hexadecimal digits: within the 36 bytes of a $insert_id, and no two alike.
_DIGEST_BYTES = 16


@dataclass(slots=True)
class Stamps:
    """What an object of a record gets; values are JSON texts.

    Attributes:
        added: members that it lacks.
        replaced: values in place of those it has, wherever a key is doubled.
    """

    added: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)

    def put(self, fields: dict[str, Any], key: str, value: str) -> None:
        """Add a member, or replace it where the object has one."""
        (self.replaced if key in fields else self.added)[key] = value


def stamp_event(
    properties: dict[str, Any], text: str, identity: str, received_ms: int, *, to_import: bool
) -> Stamps:
    """Return what an event needs beyond what its client wrote.

    Args:
        properties: the event's properties; a time among them can be read.
        text: the event's JSON.
        identity: what makes the message this one, and stays so at every redelivery.
        received_ms: stands in for the time, milliseconds since the epoch.
        to_import: whether it goes to ``/import``, which wants a distinct_id.
    """
    stamps = Stamps()
    time = properties.get("time")
    if time is None:
        stamps.put(properties, "time", str(received_ms))
    elif isinstance(time, str):
        stamps.replaced["time"] = number_in(time) or "null"
    insert_id = properties.get("$insert_id")
    if not is_insert_id(insert_id):
        source = identity if insert_id in _NO_INSERT_ID else _as_written(insert_id, text)
        stamps.put(properties, "$insert_id", f'"{insert_id_of(source)}"')
    if to_import and all(properties.get(key) is None for key in _USER_KEYS):
        # Without it Mixpanel makes up one user for all events of this worker's address.
        stamps.put(properties, "distinct_id", '""')
    if "ip" not in properties and len(properties) + len(stamps.added) < MAX_COUNT:
        stamps.added["ip"] = "0"
    return stamps


_NO_INSERT_ID = (None, "")
_USER_KEYS = ("distinct_id", "$device_id", "$user_id")


def _as_written(insert_id: Any, text: str) -> str:
    """Return what a $insert_id is: a text however it is escaped, anything else as it stands.

    As parsed, a number over 64 bits is a float: two ids that follow each other would be one, and
    Mixpanel would fold their events.
    """
    if isinstance(insert_id, str):
        return orjson.dumps(insert_id).decode()
    _, start, end = last_member(text, "$insert_id", last_member(text, "properties").start)
    return text[start:end]


def insert_id_of(source: str) -> str:
    """Return the $insert_id that stands for a text: always the same, and no other text's."""
    return blake2b(source.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def stamped_event(text: str, record: dict[str, Any], stamps: Stamps) -> str:
    """Return an event's text with its properties stamped."""
    if not stamps.replaced:
        if not stamps.added:
            return text
        # Of two members, "event" being a text, the one that ends in a brace is properties.
        if len(record) == 2 and text.endswith("}}"):  # noqa: PLR2004 - event and properties
            return f"{text[:-2]}{_additions(stamps, empty=not record['properties'])}}}}}"
    _, start, end = last_member(text, "properties")
    return text[:start] + stamped(text[start:end], stamps) + text[end:]


def stamped(text: str, stamps: Stamps) -> str:
    """Return an object's text with its values replaced and the missing ones added."""
    parts, done, empty = [], 0, True
    for key, start, end in members(text):
        empty = False
        if key in stamps.replaced:
            parts += [text[done:start], stamps.replaced[key]]
            done = end
    closing = text.rindex("}")
    parts += [text[done:closing], _additions(stamps, empty=empty), text[closing:]]
    return "".join(parts)


def _additions(stamps: Stamps, *, empty: bool) -> str:
    added = ",".join([f'"{key}":{value}' for key, value in stamps.added.items()])
    return added if empty or not added else f",{added}"
