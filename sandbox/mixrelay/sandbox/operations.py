"""What Mixpanel takes as a profile or group update (Mixpanel: Ingestion API, User Profiles)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mixrelay.sandbox.limits import encoding_violation
from mixrelay.sandbox.violation import Violation

_Check = Callable[[Any], bool]


def profile_violation(record: Any, *, scrutinise: bool) -> Violation | None:
    """Why `/engage` would not apply this update."""
    return _violation(record, ("$distinct_id",), PROFILE_OPERATIONS, scrutinise=scrutinise)


def group_violation(record: Any, *, scrutinise: bool) -> Violation | None:
    """Why `/groups` would not apply this update."""
    return _violation(record, ("$group_key", "$group_id"), GROUP_OPERATIONS, scrutinise=scrutinise)


def _violation(
    record: Any, identifiers: tuple[str, ...], operations: dict[str, _Check], *, scrutinise: bool
) -> Violation | None:
    if not isinstance(record, dict):
        return Violation("record", "must be a JSON object")
    if scrutinise and (broken := encoding_violation(record)):
        return broken
    if not isinstance(record.get("$token"), str) or not record["$token"]:
        return Violation("$token", "must be the project token")
    for name in identifiers:
        if not _is_identifier(record.get(name)):
            return Violation(name, "must be a string that is not empty")
    named = [name for name in record if name in PROFILE_OPERATIONS]
    if not named or not operations.keys() >= set(named):
        return Violation("record", f"must hold an operation, and none but {', '.join(operations)}")
    for name in named:
        if not operations[name](record[name]):
            return Violation(name, _WANTED[name])
    return None


def _is_identifier(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float)) or (isinstance(value, str) and value != "")


def _is_number(value: Any) -> bool:
    # JSON may hold whole numbers that no double can, and 1e999; neither can be added up.
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_sums(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(amount) for amount in value.values())


def _is_unions(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_union, value.values()))


def _is_union(items: Any) -> bool:
    if not isinstance(items, list) or not items:
        return False
    return all(isinstance(item, str) or _is_number(item) for item in items)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(n, str) for n in value)


def _is_anything(_: Any) -> bool:
    return True  # "The $delete object value is ignored"


PROFILE_OPERATIONS: dict[str, _Check] = {
    "$set": _is_object,
    "$set_once": _is_object,
    "$add": _is_sums,
    "$append": _is_object,
    "$union": _is_unions,
    "$remove": _is_object,
    "$unset": _is_names,
    "$delete": _is_anything,
}
# The group reference lists all of them but $append.
GROUP_OPERATIONS = {name: check for name, check in PROFILE_OPERATIONS.items() if name != "$append"}

_WANTED = {
    "$set": "must be a JSON object of properties",
    "$set_once": "must be a JSON object of properties",
    "$add": "must be a JSON object of numbers",
    "$append": "must be a JSON object of values",
    "$union": "must be a JSON object of lists of strings or numbers, none of them empty",
    "$remove": "must be a JSON object of values",
    "$unset": "must be a list of property names that is not empty",
}
