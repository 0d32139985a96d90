"""What Mixpanel takes as an event (Mixpanel: Import Events and Track Events references)."""

from __future__ import annotations

import re
from typing import Any

from mixrelay.sandbox.limits import encoding_violation, nesting_violation
from mixrelay.sandbox.violation import Violation

MAX_PROPERTIES = 255
TRACK_AGE_SECONDS = 5 * 24 * 3600
FUTURE_SECONDS = 3600
YEAR_1971_SECONDS = 31_536_000

_INSERT_ID = re.compile(r"[A-Za-z0-9-]{1,36}")
# fmt: off
_PLACEHOLDERS = frozenset((
    "00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null", "n/a",
    "na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}",
))
# fmt: on
_MERGED_IDS = 2
# What an identity event must hold (Mixpanel: Identity API).
_IDENTITY_FIELDS = {
    "$identify": ("$identified_id", "$anon_id"),
    "$create_alias": ("distinct_id", "alias"),
}


def track_violation(record: Any, *, scrutinise: bool) -> Violation | None:
    """Why `/track` would not keep this event, leaving its age and token aside."""
    shape = _shape_violation(record) or (encoding_violation(record) if scrutinise else None)
    if shape:
        return shape
    name, properties = record["event"], record["properties"]
    if not _is_text(properties.get("token")):
        return Violation("properties.token", "must be the project token")
    if name == "$merge":
        return Violation("event", "$merge is taken by /import only")
    for wanted in _IDENTITY_FIELDS.get(name, ()):
        if properties.get(wanted) in (None, ""):
            return Violation(f"properties.{wanted}", "is required on an identity event")
    if "time" in properties and seconds_of(properties["time"]) is None:
        return _BAD_TIME
    return nesting_violation(properties)


def too_old_for_track(record: Any, now: float) -> bool:
    """Whether `/track` drops the event by its age ("last 5 days only")."""
    if "time" not in record["properties"]:
        return False
    occurred = seconds_of(record["properties"]["time"])
    return occurred is not None and occurred < now - TRACK_AGE_SECONDS


def import_violation(
    record: Any, now: float, *, strict: bool, scrutinise: bool
) -> Violation | None:
    """Why `/import` would refuse this event."""
    shape = _shape_violation(record) or (encoding_violation(record) if scrutinise else None)
    if shape:
        return shape
    properties = record["properties"]
    if record["event"] == "$merge":
        return _merge_violation(properties)
    return (
        _time_violation(properties.get("time"), now)
        or _distinct_id_violation(properties)
        or _insert_id_violation(properties, required=strict)
        or nesting_violation(properties)
    )


def seconds_of(time: Any) -> float | None:
    """Seconds since the epoch of a time in seconds or milliseconds; None if it is no number."""
    if isinstance(time, bool) or not isinstance(time, (int, float)):
        return None
    # In seconds this would be the year 2969, in milliseconds it is 1971: the first valid one.
    # Floor division, since a whole number may be too large to become a float.
    return time // 1000 if time >= YEAR_1971_SECONDS * 1000 else time


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


def _distinct_id_violation(properties: dict[str, Any]) -> Violation | None:
    field = "properties.distinct_id"
    if "distinct_id" not in properties:
        # Mixpanel derives it from these two (Server-side events with no logged-in user).
        if _is_text(properties.get("$user_id")) or _is_text(properties.get("$device_id")):
            return None
        return Violation(field, "must be specified on every event")
    distinct_id = properties["distinct_id"]
    number = isinstance(distinct_id, (int, float)) and not isinstance(distinct_id, bool)
    if not isinstance(distinct_id, str) and not number:
        return Violation(field, "must be a string")
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
