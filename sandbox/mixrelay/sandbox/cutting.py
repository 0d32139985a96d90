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
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def fits(properties: dict[str, Any]) -> bool:
    """Return whether a look at each name and value shows that nothing need be cut.

    Lists and objects are left to `fitted`, which measures them.
    """
    for value in properties.values():
        kind = type(value)
        if kind is str:
            if len(value) > MAX_TEXT:
                return False
        elif kind is dict or kind is list:
            return False
    return not properties or max(map(len, properties)) <= MAX_TEXT


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
    if size_of(value) <= limit:
        return value
    notes.append(Note("cut_list", field, f"cut to {limit:,} bytes"))
    return _cut_list(value, limit) if isinstance(value, list) else _cut_object(value, limit)


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
