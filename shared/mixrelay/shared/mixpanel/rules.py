"""The rules that Mixpanel documents for a record; what breaks one is not sent.

They are checked here since ``/track`` drops what it refuses without a word. ``/engage`` and
``/groups`` name each record that they refuse, so for those only what is certain is checked.

Sources: Mixpanel's reference pages Import Events (Validation), Track Events (Limits), Create
Identity, Merge Identities, Set Property, Update Group Property.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mixrelay.shared.mixpanel.answers import printable
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.mixpanel.times import milliseconds

MAX_RECORD_BYTES = 1_000_000
"""One record is under 1 MB of uncompressed JSON."""

MAX_COUNT = 254
"""Fewer than 255: properties of an event, elements of a list, keys of an object."""

MAX_DEPTH = 3
"""Objects nest at most 3 deep within a property; lists within lists are held to the same."""

TRACK_SECONDS = 5 * 86_400
"""``/track`` takes the last 5 days only."""

_EARLIEST_MS = 365 * 86_400_000  # 1971-01-01
_AHEAD_MS = 3_600_000

IDENTITY_EVENTS = frozenset({"$identify", "$create_alias", "$merge"})
"""They have neither time nor $insert_id, and $merge no distinct_id."""

PLACEHOLDERS = frozenset(
    {
        *("00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null"),
        *("n/a", "na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}"),
    }
)
"""Values that ``/import`` refuses as distinct_id and as $insert_id."""

OPERATIONS = frozenset(
    {"$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset", "$delete"}
)
"""What an update of a profile or a group may do."""

DOUBTFUL_OPERATIONS = frozenset({"$add", "$append"})
"""Operations that count twice where they are sent twice."""

_CONTAINERS: frozenset[type] = frozenset({dict, list})
_INSERT_ID = re.compile(r"[A-Za-z0-9-]{1,36}")


class Breach(NamedTuple):
    """A broken rule: the field in Mixpanel's spelling, and the rule in words."""

    field: str
    rule: str
    reason: Reason = Reason.INVALID


UNREADABLE_TIME = Breach(
    "properties.time", "a time is a number of seconds or milliseconds since the epoch"
)


def is_insert_id(value: Any) -> bool:
    """Whether Mixpanel takes it as $insert_id: 36 letters, digits and ``-``, no placeholder."""
    return (
        isinstance(value, str)
        and _INSERT_ID.fullmatch(value) is not None
        and value not in PLACEHOLDERS
    )


def event_breach(record: dict[str, Any]) -> Breach | None:
    """Check what every event needs, whichever endpoint it goes to."""
    name = record.get("event")
    if not isinstance(name, str) or not name:
        return Breach("event", "an event needs a name, a text that is not empty")
    properties = record.get("properties")
    if not isinstance(properties, dict):
        return Breach("properties", "an event needs properties, an object")
    if not isinstance(properties.get("token", ""), str | None):
        return Breach("properties.token", "a project token is a text")
    for key, value in properties.items():
        if value.__class__ in _CONTAINERS:
            rule = _structure(value)
            if rule:
                return Breach(f"properties.{printable(key)}", rule)
    return None


def too_many_properties(count: int) -> Breach:
    """Return the breach of an event with that many properties, what was stamped included."""
    return Breach("properties", f"an event has fewer than 255 properties; this has {count}")


def import_breach(properties: dict[str, Any], time_ms: float, now_ms: int) -> Breach | None:
    """Check what ``/import`` needs beyond that; distinct_id may be absent as yet.

    A time ahead is no breach for ``/track``, which puts the present in its place.
    """
    distinct_id = properties.get("distinct_id", "")
    if isinstance(distinct_id, bool | dict | list) or str(distinct_id) in PLACEHOLDERS:
        return Breach(
            "properties.distinct_id",
            "a placeholder or no text; an event without a user has an empty distinct_id",
        )
    if not _EARLIEST_MS <= time_ms <= now_ms + _AHEAD_MS:
        return Breach("properties.time", "a time lies after 1971 and at most one hour ahead")
    return None


def profile_breach(record: dict[str, Any]) -> Breach | None:
    """Check an update of a profile."""
    return _update_breach(record, ("$distinct_id",))


def group_breach(record: dict[str, Any]) -> Breach | None:
    """Check an update of a group, or of a row of a lookup table."""
    return _update_breach(record, ("$group_key", "$group_id"))


def too_large(size: int) -> Breach:
    """Return the breach of a record of that many bytes, as it would be sent."""
    return Breach("", f"a record is under 1 MB; this has {size} bytes", Reason.TOO_LARGE)


def _update_breach(record: dict[str, Any], identifiers: tuple[str, ...]) -> Breach | None:
    token = record.get("$token")
    if not isinstance(token, str) or not token:
        return Breach("$token", "the project token is missing, or no text")
    for name in identifiers:
        value = record.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            return Breach(name, "an update needs it, a text or a number")
    if OPERATIONS.isdisjoint(record):
        return Breach("", f"an update needs an operation: one of {', '.join(sorted(OPERATIONS))}")
    time = record.get("$time")
    if time is not None and milliseconds(time) is None:
        return UNREADABLE_TIME._replace(field="$time")
    return None


def _structure(value: Any) -> str | None:
    """Check counts and nesting, without recursion: a bomb is 1,000 levels deep."""
    waiting = [(value, 0, 0)]
    while waiting:
        item, objects, lists = waiting.pop()
        is_object = item.__class__ is dict
        objects, lists = objects + is_object, lists + (not is_object)
        if len(item) > MAX_COUNT:
            what, parts = ("an object", "keys") if is_object else ("a list", "elements")
            return f"{what} has fewer than 255 {parts}; this has {len(item)}"
        if max(objects, lists) > MAX_DEPTH:
            return f"{'objects' if is_object else 'lists'} nest at most {MAX_DEPTH} deep"
        inner = item.values() if is_object else item
        waiting += [(part, objects, lists) for part in inner if part.__class__ in _CONTAINERS]
    return None
