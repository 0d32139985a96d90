"""The rules that Mixpanel documents for a record; what breaks one is not sent.

They hold on every way: ``/track`` drops what it refuses without a word. ``/engage`` and
``/groups`` name each record that they refuse, so for those only what is certain is checked.

Ids are documented as texts, and "treated as a string" where events are compared (Event
Deduplication): a number is the id that its digits are, and goes as its client wrote it. A boolean,
a list or an object is no id under either reading.

Sources: Mixpanel's reference pages Import Events (Validation), Track Events (Limits), Create
Identity, Create Alias, Merge Identities, Set Property, Update Group Property.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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

EARLIEST_MS = 365 * 86_400_000
"""1971-01-01: a time before it is refused."""

AHEAD_MS = 3_600_000
"""``/import`` refuses a time that is further ahead of Mixpanel's clock."""

IDENTITY_EVENTS = frozenset({"$identify", "$create_alias", "$merge"})
"""They have neither time nor $insert_id, and $merge no distinct_id."""

PLACEHOLDERS = frozenset(
    {
        *("00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null"),
        *("n/a", "na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}"),
    }
)
"""Values that Mixpanel refuses as distinct_id and as $insert_id, as they are spelt there."""

_PLACEHOLDER_NUMBERS = (0, -1)

OPERATIONS = frozenset(
    {"$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset", "$delete"}
)
"""What an update of a profile or a group may do."""

DOUBTFUL_OPERATIONS = frozenset({"$add", "$append"})
"""Operations that count twice where they are sent twice."""

_CONTAINERS: frozenset[type] = frozenset({dict, list})
_MAX_INSERT_ID = 36
_INSERT_ID = re.compile(f"[A-Za-z0-9-]{{1,{_MAX_INSERT_ID}}}")
_INSERT_IDS = re.compile("[A-Za-z0-9-]+")


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


def are_insert_ids(values: Sequence[Any]) -> bool:
    """Whether `is_insert_id` holds for each of some."""
    if set(map(type, values)) != {str}:
        return False
    lengths = set(map(len, values))
    return (
        0 not in lengths
        and max(lengths) <= _MAX_INSERT_ID
        and _INSERT_IDS.fullmatch("".join(values)) is not None
        and PLACEHOLDERS.isdisjoint(values)
    )


def event_breach(record: dict[str, Any], text: str | None = None) -> Breach | None:
    """Check what every event needs, whichever endpoint it goes to.

    Its text, where it is given, spares most events a look at each property.
    """
    name = record.get("event")
    if not isinstance(name, str) or not name:
        return Breach("event", "an event needs a name, a text that is not empty")
    properties = record.get("properties")
    if not isinstance(properties, dict):
        return Breach("properties", "an event needs properties, an object")
    if not isinstance(properties.get("token", ""), str | None):
        return Breach("properties.token", "a project token is a text")
    return nesting_breach(properties) if text is None or may_nest_much(text) else None


def nesting_breach(properties: dict[str, Any]) -> Breach | None:
    """Check the lists and objects that are properties."""
    for key, value in properties.items():
        if type(value) in _CONTAINERS and not is_shallow(value) and (rule := _structure(value)):
            return Breach(f"properties.{printable(key)}", rule)
    return None


def is_shallow(value: Any, levels: int = MAX_DEPTH) -> bool:
    """Whether a list or an object has no part that is too long, and no more levels than that.

    Then neither its objects nor its lists nest too deep. It is quick: most are shallow.
    """
    if not levels or len(value) > MAX_COUNT:
        return False
    parts = value.values() if value.__class__ is dict else value
    if _CONTAINERS.isdisjoint(map(type, parts)):
        return True
    return all(is_shallow(part, levels - 1) for part in parts if part.__class__ in _CONTAINERS)


def may_nest_much(text: str) -> bool:
    """Whether an event's text leaves it open that `nesting_breach` finds something in it.

    It does not where it has too few brackets to nest so deep (two braces are the record's and the
    properties'), and too few commas for so many parts. (Those within strings only make it look
    worse.)
    """
    return (
        text.count("{") > MAX_DEPTH + 2
        or text.count("[") > MAX_DEPTH
        or text.count(",") >= MAX_COUNT
    )


def too_many_properties(own: int, stamped: int) -> Breach:
    """Return the breach of an event with so many properties of its own and stamped ones."""
    added = f", and {stamped} that workers add" if own <= MAX_COUNT else ""
    return Breach("properties", f"an event has fewer than 255 properties; this has {own}{added}")


def distinct_id_breach(value: Any, field: str = "properties.distinct_id") -> Breach | None:
    """Check whom an event or an update of a profile is about; null and "" are judged elsewhere."""
    if value is None:
        return None
    if not is_id(value):
        return Breach(field, f"a distinct_id is a text, not {_named(value)}")
    if value in PLACEHOLDERS or value in _PLACEHOLDER_NUMBERS:
        return Breach(
            field,
            f"Mixpanel refuses {value} as a distinct_id, it is on its list of placeholders; "
            "an event without a user has an empty distinct_id",
        )
    return None


def is_id(value: Any) -> bool:
    """Whether it is of a type that an id may have."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def has_user(properties: dict[str, Any]) -> bool:
    """Whether Mixpanel finds the user of an event without a distinct_id (Simplified ID Merge)."""
    found = (properties.get(key) for key in ("$device_id", "$user_id"))
    return any(value != "" and is_id(value) for value in found)


_IDENTITY_IDS = {
    "$identify": ("$identified_id", "$anon_id"),
    "$create_alias": ("distinct_id", "alias"),
}


def identity_breach(name: str, properties: dict[str, Any]) -> Breach | None:
    """Check an identity event: it joins two users for good, and ``/track`` refuses nothing."""
    if name == "$merge":
        return _merge_breach(properties.get("$distinct_ids"))
    for key in _IDENTITY_IDS[name]:
        value = properties.get(key)
        if not isinstance(value, str) or not value:
            rule = f"{name} needs it, a text that is not empty; this is {_named(value)}"
            return Breach(f"properties.{key}", rule)
    return None


def _merge_breach(ids: Any) -> Breach | None:
    field = "properties.$distinct_ids"
    are_two = isinstance(ids, list) and len(ids) == 2  # noqa: PLR2004 - a merge is of two
    if not are_two or not all(isinstance(one, str) and one for one in ids):
        return Breach(field, "$merge needs a list of two ids, texts that are not empty")
    if ids[0] == ids[1]:
        return Breach(field, "$merge needs two ids that differ")
    return None


def time_breach(time_ms: float) -> Breach | None:
    """Check an event's time; one that is ahead becomes the time of its receipt."""
    if time_ms >= EARLIEST_MS:
        return None
    return Breach("properties.time", "Mixpanel refuses times before 1971-01-01")


def profile_breach(record: dict[str, Any]) -> Breach | None:
    """Check an update of a profile."""
    breach = _update_breach(record, ("$distinct_id",))
    return breach or distinct_id_breach(record["$distinct_id"], "$distinct_id")


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
        if value == "" or not is_id(value):
            return Breach(name, f"an update needs it, a text or a number, not {_named(value)}")
    if OPERATIONS.isdisjoint(record):
        return Breach("", f"an update needs an operation: one of {', '.join(sorted(OPERATIONS))}")
    time = record.get("$time")
    if time is not None and milliseconds(time) is None:
        return UNREADABLE_TIME._replace(field="$time")
    return None


def _named(value: Any) -> str:
    if value == "":
        return "an empty text"
    return _NAMES.get(type(value), "a number")


_NAMES = {bool: "a boolean", dict: "an object", list: "a list", str: "a text", type(None): "null"}


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
