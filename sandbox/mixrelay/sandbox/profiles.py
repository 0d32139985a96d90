"""Profiles as updates leave them (Mixpanel: Ingestion API, User Profiles and Group Profiles)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mixrelay.sandbox.cutting import (
    HIDDEN,
    MAX_TEXT,
    PROFILE_PROPERTY_BYTES,
    list_fitted,
    value_fitted,
)
from mixrelay.sandbox.notes import Note
from mixrelay.sandbox.operations import PROFILE_OPERATIONS

Properties = dict[str, Any]
Key = tuple[str, ...]
# Mixpanel: User Profiles, "Attempts to add more than 2,000 properties to a profile will fail".
# The page names no answer for it: the others of the update are kept here, and 200 is answered.
MAX_PROPERTIES = 2_000
_LOCATION = ("$latitude", "$longitude")
_GROWING = ("$append", "$union")


class Profiles:
    """The properties of each profile, by token and identifiers.

    Lists are replaced and never changed in place, so that a copy of a profile stays what it was.

    Args:
        keep: profiles kept; of more the one updated longest ago is forgotten. None keeps all.
    """

    def __init__(self, keep: int | None = None) -> None:
        self._keep = keep
        self._profiles: dict[Key, Properties] = {}

    def __len__(self) -> int:
        return len(self._profiles)

    def items(self) -> list[tuple[Key, Properties]]:
        """Return a copy of all profiles: (token, identifiers …) and properties."""
        return [(key, dict(properties)) for key, properties in self._profiles.items()]

    def apply(self, record: dict[str, Any], *identifiers: str) -> list[Note]:
        """Carry out a valid update on a profile, and return what was changed on its way."""
        key = (record["$token"], *identifiers)
        if "$delete" in record:
            self._profiles.pop(key, None)
            return []
        if self._keep is None:
            profile = self._profiles.setdefault(key, {})
        else:
            profile = self._profiles.pop(key, {})
            self._profiles[key] = profile
            if len(self._profiles) > self._keep:
                del self._profiles[next(iter(self._profiles))]
        update = _Update(profile)
        for name, operand in record.items():
            if name in PROFILE_OPERATIONS:
                _EFFECTS[name](update, operand)
        return update.notes


class _Update:
    """One update of one profile."""

    def __init__(self, profile: Properties) -> None:
        self.profile = profile
        self.notes: list[Note] = []

    def put(self, name: str, value: Any, *, operation: str) -> None:
        """Give a property its value, as far as Mixpanel keeps it."""
        field = f"{operation}.{name[:MAX_TEXT]}"
        if len(name) > MAX_TEXT:
            name = name[:MAX_TEXT]
            self.notes.append(Note("cut_name", field, f"name cut to {MAX_TEXT} characters"))
        if name in HIDDEN:
            self.notes.append(Note("hidden_property", field, "hidden"))
            return
        if name not in self.profile and len(self.profile) >= MAX_PROPERTIES:
            text = f"left out: the profile has {MAX_PROPERTIES:,} properties"
            self.notes.append(Note("many_properties", field, text))
            return
        if name in _LOCATION:
            # Mixpanel: Geolocation, "outside of the $set dictionary".
            text = "has no effect on the location here: it stands beside the operation"
            self.notes.append(Note("location_in_set", field, text))
        if operation in _GROWING:
            value = list_fitted(value, PROFILE_PROPERTY_BYTES, field, self.notes)
        elif isinstance(value, (str, list, dict)):
            value = value_fitted(value, PROFILE_PROPERTY_BYTES, field, self.notes)
        self.profile[name] = value

    def grow(self, name: str, present: list[Any], added: list[Any], *, operation: str) -> None:
        """Add items to a list; of a long one those that were there are not looked at again."""
        field = f"{operation}.{name[:MAX_TEXT]}"
        new = [value_fitted(one, PROFILE_PROPERTY_BYTES, field, self.notes) for one in added]
        self.put(name, present + new, operation=operation)


def _set(update: _Update, values: Properties) -> None:
    for name, value in values.items():
        update.put(name, value, operation="$set")


def _set_once(update: _Update, values: Properties) -> None:
    for name, value in values.items():
        if name[:MAX_TEXT] not in update.profile:
            update.put(name, value, operation="$set_once")


def _add(update: _Update, amounts: Properties) -> None:
    for name, amount in amounts.items():
        present = update.profile.get(name, 0)
        if isinstance(present, (int, float)) and not isinstance(present, bool):
            update.put(name, present + amount, operation="$add")


def _append(update: _Update, values: Properties) -> None:
    for name, value in values.items():
        present = update.profile.get(name, [])
        if isinstance(present, list):
            update.grow(name, present, [value], operation="$append")


def _union(update: _Update, additions: Properties) -> None:
    for name, values in additions.items():
        present = update.profile.get(name, [])
        if isinstance(present, list):
            update.grow(name, present, _missing(present, values), operation="$union")


def _missing(present: list[Any], values: list[Any]) -> list[Any]:
    added: list[Any] = []
    for value in values:
        if value not in present and value not in added:
            added.append(value)
    return added


def _remove(update: _Update, values: Properties) -> None:
    for name, value in values.items():
        present = update.profile.get(name)
        if isinstance(present, list):
            update.profile[name] = [kept for kept in present if kept != value]


def _unset(update: _Update, names: list[str]) -> None:
    for name in names:
        update.profile.pop(name, None)


_EFFECTS: dict[str, Callable[[_Update, Any], None]] = {
    "$set": _set,
    "$set_once": _set_once,
    "$add": _add,
    "$append": _append,
    "$union": _union,
    "$remove": _remove,
    "$unset": _unset,
}
