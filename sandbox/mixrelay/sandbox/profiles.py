"""Profiles as updates leave them (Mixpanel: Ingestion API, User Profiles and Group Profiles)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mixrelay.sandbox.operations import PROFILE_OPERATIONS

Properties = dict[str, Any]
Key = tuple[str, ...]


class Profiles:
    """The properties of each profile, by token and identifiers.

    Lists are replaced and never changed in place, so that a copy of a profile stays what it was.
    """

    def __init__(self) -> None:
        self._properties: dict[Key, Properties] = {}

    def __len__(self) -> int:
        return len(self._properties)

    def items(self) -> list[tuple[Key, Properties]]:
        """A copy of all profiles: (token, identifiers …) and properties."""
        return [(key, dict(properties)) for key, properties in self._properties.items()]

    def apply(self, record: dict[str, Any], *identifiers: str) -> None:
        """Carries out a valid update on the profile that its fields named so identify."""
        key = (record["$token"], *(str(record[name]) for name in identifiers))
        if "$delete" in record:
            self._properties.pop(key, None)
            return
        profile = self._properties.setdefault(key, {})
        for name, operand in record.items():
            if name in PROFILE_OPERATIONS:
                _EFFECTS[name](profile, operand)


def _set(profile: Properties, values: Properties) -> None:
    profile.update(values)


def _set_once(profile: Properties, values: Properties) -> None:
    for name, value in values.items():
        profile.setdefault(name, value)


def _add(profile: Properties, amounts: Properties) -> None:
    for name, amount in amounts.items():
        present = profile.get(name, 0)
        if isinstance(present, (int, float)) and not isinstance(present, bool):
            profile[name] = present + amount


def _append(profile: Properties, values: Properties) -> None:
    for name, value in values.items():
        present = profile.get(name, [])
        if isinstance(present, list):
            profile[name] = [*present, value]


def _union(profile: Properties, additions: Properties) -> None:
    for name, values in additions.items():
        present = profile.get(name, [])
        if isinstance(present, list):
            profile[name] = present + _missing(present, values)


def _missing(present: list[Any], values: list[Any]) -> list[Any]:
    added: list[Any] = []
    for value in values:
        if value not in present and value not in added:
            added.append(value)
    return added


def _remove(profile: Properties, values: Properties) -> None:
    for name, value in values.items():
        present = profile.get(name)
        if isinstance(present, list):
            profile[name] = [kept for kept in present if kept != value]


def _unset(profile: Properties, names: list[str]) -> None:
    for name in names:
        profile.pop(name, None)


_EFFECTS: dict[str, Callable[[Properties, Any], None]] = {
    "$set": _set,
    "$set_once": _set_once,
    "$add": _add,
    "$append": _append,
    "$union": _union,
    "$remove": _remove,
    "$unset": _unset,
}
