"""What Mixpanel takes as an event (Mixpanel: Import Events and Track Events references)."""

from __future__ import annotations

import math
import re
from typing import Any

from mixrelay.sandbox.limits import encoding_violation, nesting_violation
from mixrelay.sandbox.violation import Violation

MAX_PROPERTIES = 255
TRACK_AGE_SECONDS = 5 * 24 * 3600
FUTURE_SECONDS = 3600
YEAR_1971_SECONDS = 31_536_000
FIRST_MILLISECONDS = YEAR_1971_SECONDS * 1000
"""Times from here on are in milliseconds; in seconds this would be the year 2969."""

_INSERT_ID = re.compile(r"[A-Za-z0-9-]{1,36}")
# fmt: off
_PLACEHOLDERS = frozenset((
    "00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null", "n/a",
    "na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}",
))
# fmt: on
_MERGED_IDS = 2
# What an identity event must hold, as texts (Mixpanel: Create Identity, Create Alias).
_IDENTITY_FIELDS = {
    "$identify": ("$identified_id", "$anon_id"),
    "$create_alias": ("distinct_id", "alias"),
}
IDENTITY_EVENTS = frozenset({"$identify", "$create_alias", "$merge"})


def track_violation(record: Any, *, scrutinise: bool, flat: bool = False) -> Violation | None:
    """Return why `/track` would not keep this event, leaving its age and token aside.

    Args:
        record: one record as it was parsed.
        scrutinise: whether its size and encoding are to be looked at.
        flat: whether it is known that no property is a list or an object.
    """
    shape = _shape_violation(record) or (encoding_violation(record) if scrutinise else None)
    if shape:
        return shape
    name, properties = record["event"], record["properties"]
    if not _is_text(properties.get("token")):
        return Violation("properties.token", "must be the project token")
    if name in IDENTITY_EVENTS:
        broken = _identity_violation(name, properties)
    else:
        broken = _distinct_id_violation(properties, required=False)
    if broken:
        return broken
    time = time_of(properties)
    if seconds_of(time) is None and (time is not None or "time" in properties):
        return _BAD_TIME
    return None if flat else nesting_violation(properties)


def _identity_violation(name: str, properties: dict[str, Any]) -> Violation | None:
    if name == "$merge":
        return Violation("event", "$merge is taken by /import only")
    for wanted in _IDENTITY_FIELDS[name]:
        if not _is_text(properties.get(wanted)):
            return Violation(f"properties.{wanted}", "must be a text on an identity event")
    return None


def too_old_for_track(record: Any, now: float) -> bool:
    """Return whether `/track` drops the event by its age ("last 5 days only")."""
    occurred = seconds_of(time_of(record["properties"]))
    return occurred is not None and occurred < now - TRACK_AGE_SECONDS


def is_ignored(properties: dict[str, Any]) -> bool:
    """Return whether Mixpanel drops the event without a word (Mixpanel: Block Unwanted Traffic).

    The pages say "when this property is present"; they use `true` and a text. A `false` or an
    empty text is how code says that an event is not to be ignored.
    """
    value = properties.get("$ignore")
    return value is True or _is_text(value)


def time_of(properties: dict[str, Any]) -> Any:
    """Return `time`, or `$time` in its absence (Mixpanel: Reserved Properties names both)."""
    return properties["time"] if "time" in properties else properties.get("$time")


def distinct_id_of(properties: dict[str, Any]) -> Any:
    """Return `distinct_id`, or `$distinct_id` in its absence (Reserved Properties names both)."""
    if "distinct_id" in properties:
        return properties["distinct_id"]
    return properties.get("$distinct_id")


def is_anonymous(properties: dict[str, Any]) -> bool:
    """Return whether nothing in an event names its user, not even the empty text."""
    if distinct_id_of(properties) is not None:
        return False
    return not (_is_text(properties.get("$user_id")) or _is_text(properties.get("$device_id")))


def import_violation(
    record: Any, now: float, *, strict: bool, scrutinise: bool, flat: bool = False
) -> Violation | None:
    """Return why `/import` would refuse this event; the arguments are those of `/track`'s."""
    shape = _shape_violation(record) or (encoding_violation(record) if scrutinise else None)
    if shape:
        return shape
    properties = record["properties"]
    if record["event"] == "$merge":
        return _merge_violation(properties)
    return (
        _time_violation(time_of(properties), now)
        or _distinct_id_violation(properties, required=strict)
        or _insert_id_violation(properties, required=strict)
        or (None if flat else nesting_violation(properties))
    )


def seconds_of(time: Any) -> float | None:
    """Seconds since the epoch of a time in seconds or milliseconds; None if it is no number."""
    kind = type(time)
    if kind is not int:
        if kind is not float:
            return None
        if math.isinf(time):  # 1e999 is JSON
            return float(time)
    # Floor division, since a whole number may be too large to become a float.
    seconds: float = time // 1000 if time >= FIRST_MILLISECONDS else time
    return seconds


_BAD_TIME = Violation("properties.time", "must be specified as seconds since epoch")


def _shape_violation(record: Any) -> Violation | None:
    if not isinstance(record, dict):
        return Violation("event", "must be a JSON object with event and properties")
    if not _is_text(record.get("event")):
        return Violation("event", "must be a string that is not empty")
    properties = record.get("properties")
    if not isinstance(properties, dict):
        return Violation("properties", "must be a JSON object")
    if len(properties) >= MAX_PROPERTIES:
        return Violation("properties", f"must have fewer than {MAX_PROPERTIES} properties")
    return None


def _merge_violation(properties: dict[str, Any]) -> Violation | None:
    ids = properties.get("$distinct_ids")
    if not isinstance(ids, list) or len(ids) != _MERGED_IDS or not all(_is_text(i) for i in ids):
        return Violation("properties.$distinct_ids", "must be the two distinct_ids to merge")
    if not _is_text(properties.get("token")):
        return Violation("properties.token", "is required on $merge")
    return None


def _time_violation(time: Any, now: float) -> Violation | None:
    occurred = seconds_of(time)
    if occurred is None:
        return _BAD_TIME
    if occurred < YEAR_1971_SECONDS:
        return Violation("properties.time", "must be after 1971-01-01")
    if occurred > now + FUTURE_SECONDS:
        return Violation("properties.time", "must not be more than 1 hour in the future")
    return None


def _distinct_id_violation(properties: dict[str, Any], *, required: bool) -> Violation | None:
    field = "properties.distinct_id"
    distinct_id = distinct_id_of(properties)
    if distinct_id is None:
        if not required:
            # Mixpanel makes a user of the request's address, or takes the two ids below.
            return None
        if "distinct_id" in properties:
            return Violation(field, "must be a string")
        # Mixpanel derives it from these two (Server-side events with no logged-in user).
        if is_anonymous(properties):
            return Violation(field, "must be specified on every event")
        return None
    # Numbers are "treated as a string" (Event Deduplication); bool is a type of its own in JSON.
    if type(distinct_id) is not str and type(distinct_id) not in {int, float}:
        return Violation(field, "must be a string")
    # The list of refused values stands in Import Events, and without an endpoint in Server-side
    # events with no logged-in user; /track drops by it what /import names.
    if str(distinct_id) in _PLACEHOLDERS:
        return Violation(field, "is on the list of disallowed values")
    return None


def _insert_id_violation(properties: dict[str, Any], *, required: bool) -> Violation | None:
    field = "properties.$insert_id"
    insert_id = properties.get("$insert_id")
    if insert_id is None:
        # Without strict=1 Mixpanel makes one up (Duplicate events appearing in reports).
        return Violation(field, "must be specified on every event") if required else None
    if not isinstance(insert_id, str) or not _INSERT_ID.fullmatch(insert_id):
        return Violation(field, "must be at most 36 bytes of letters, digits and '-'")
    if insert_id in _PLACEHOLDERS:
        return Violation(field, "is on the list of disallowed values")
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""
