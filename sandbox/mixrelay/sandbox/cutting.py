"""What Mixpanel cuts (Mixpanel: Import Events, High-level requirements; Data Type; User Profiles).

The pages say that texts are truncated at 255 characters, and that a list or an object is limited
to 8 KB in an event and 256 KB in a profile, without saying what becomes of the rest: here it loses
its end.
"""

from __future__ import annotations

import json
from typing import Any

from mixrelay.sandbox.notes import Note

MAX_TEXT = 255
EVENT_PROPERTY_BYTES = 8 * 1024
PROFILE_PROPERTY_BYTES = 256 * 1024
HIDDEN = frozenset({"bucket", "$bucket"})
# A control character is written as six bytes; a float has at most 24 digits and signs.
_TEXT_BYTES, _NUMBER_BYTES, _BIG_NUMBER, _TOO_MUCH = 6, 28, 10**20, 2**40
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def fits(properties: dict[str, Any]) -> bool:
    """Return whether a cheap look shows that nothing of an event need be cut.

    False where only measuring tells, which `fitted` does.
    """
    for value in properties.values():
        kind = type(value)
        if kind is str:
            if len(value) > MAX_TEXT:
                return False
        elif (kind is dict or kind is list) and _at_most(value) > EVENT_PROPERTY_BYTES:
            return False
    return not properties or max(map(len, properties)) <= MAX_TEXT


def _at_most(value: Any) -> int:
    """Return a bound on the bytes of a value as JSON; far over all limits if a text is too long."""
    kind = type(value)
    if kind is str:
        return _TEXT_BYTES * len(value) + 3 if len(value) <= MAX_TEXT else _TOO_MUCH
    if kind is int:
        return _NUMBER_BYTES if -_BIG_NUMBER < value < _BIG_NUMBER else _TOO_MUCH
    if kind is list:
        return 2 + sum(map(_at_most, value))
    if kind is dict:
        return 2 + sum(map(_at_most, value)) + sum(map(_at_most, value.values()))
    return _NUMBER_BYTES


def fitted(properties: dict[str, Any], limit: int, where: str) -> tuple[dict[str, Any], list[Note]]:
    """Return properties as Mixpanel stores them, and what was cut.

    Args:
        properties: those sent; they stay as they are.
        limit: bytes of JSON that a list or an object may have.
        where: what stands before a property's name in a note.
    """
    notes: list[Note] = []
    kept: dict[str, Any] = {}
    for name, value in properties.items():
        short = name
        if len(name) > MAX_TEXT:
            short = name[:MAX_TEXT]
            notes.append(Note("cut_name", f"{where}{short}", f"name cut to {MAX_TEXT} characters"))
        kept[short] = value_fitted(value, limit, f"{where}{short}", notes)
    return kept, notes


def value_fitted(value: Any, limit: int, field: str, notes: list[Note]) -> Any:
    """Return one value as Mixpanel stores it; what was cut is added to the notes."""
    if isinstance(value, str):
        return _short(value, field, notes)
    if not isinstance(value, (list, dict)):
        return value
    value = _short_inside(value, field, notes)
    if isinstance(value, list):
        return list_fitted(value, limit, field, notes)
    if size_of(value) <= limit:
        return value
    notes.append(Note("cut_list", field, f"cut to {limit:,} bytes"))
    return _cut_object(value, limit)


def list_fitted(items: list[Any], limit: int, field: str, notes: list[Note]) -> list[Any]:
    """Return a list, the items of which fit, as long as Mixpanel stores it."""
    few = len(items) * (_TEXT_BYTES * MAX_TEXT + 3) < limit
    if few and not any(isinstance(item, (list, dict)) for item in items):
        return items
    if size_of(items) <= limit:
        return items
    notes.append(Note("cut_list", field, f"cut to {limit:,} bytes"))
    return _cut_list(items, limit)


def size_of(value: Any) -> int:
    """Return the bytes of a value as JSON in UTF-8."""
    return len(_encode(value).encode("utf-8", "surrogatepass"))


def _short(text: str, field: str, notes: list[Note]) -> str:
    if len(text) <= MAX_TEXT:
        return text
    notes.append(Note("cut_text", field, f"cut from {len(text):,} to {MAX_TEXT} characters"))
    return text[:MAX_TEXT]


def _short_inside(value: Any, field: str, notes: list[Note]) -> Any:
    # "Each item in a list would be further limited by their data type's limits."
    if isinstance(value, str):
        return _short(value, field, notes)
    if isinstance(value, list):
        return [_short_inside(item, field, notes) for item in value]
    if isinstance(value, dict):
        return {name: _short_inside(item, field, notes) for name, item in value.items()}
    return value


def _cut_list(items: list[Any], limit: int) -> list[Any]:
    size, kept = 2, []
    for item in items:
        size += size_of(item) + 1
        if size > limit + 1:
            break
        kept.append(item)
    return kept


def _cut_object(members: dict[str, Any], limit: int) -> dict[str, Any]:
    size, kept = 2, {}
    for name, item in members.items():
        size += size_of(name) + size_of(item) + 2
        if size > limit + 1:
            break
        kept[name] = item
    return kept
