"""The plan itself: its events by name, and the users' profile."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from mixrelay.shared.plan.breaches import OffPlan, told, unknown_event, unreadable
from mixrelay.shared.plan.compiling import check_installed, validator
from mixrelay.shared.plan.reading import EVENT, Document, Entry, PlanError, entries, loaded
from mixrelay.shared.tuples import Kind

if TYPE_CHECKING:
    import jsonschema_rs

Source: TypeAlias = "str | os.PathLike[str] | Document | TrackingPlan"

_EVENTS = frozenset({Kind.EVENT, Kind.IMPORT})
_SETS = ("$set", "$set_once")
_USER = "$user"
"""The name under which Lexicon keeps the schema of user profiles."""


class TrackingPlan:
    """Holds events to their schemas, and what is set on users to theirs.

    An event whose name begins with ``$`` is Mixpanel's own, and held only where the plan has it.
    Groups are not held: Lexicon's schemas have none.

    Attributes:
        name: of the file, or what an error calls it.
    """

    def __init__(self, listed: Iterable[Entry], name: str) -> None:
        """Compile every schema.

        Raises:
            ConfigurationError: a schema is none, or the validator is not installed.
        """
        check_installed()
        self.name = name
        self._events: dict[str, jsonschema_rs.Validator] = {}
        self._user: jsonschema_rs.Validator | None = None
        for entry in listed:
            self._take(entry)
        if not self._events:
            raise PlanError(name, "it has no events.")

    @classmethod
    def of(cls, source: Source) -> Self | TrackingPlan:
        """Return a plan from a file's path, from its parsed JSON, or as it is.

        Raises:
            ConfigurationError: it cannot be used; the message names file, event and path.
        """
        if isinstance(source, TrackingPlan):
            return source
        if isinstance(source, str | os.PathLike):
            name = os.fspath(source)
            return cls(entries(loaded(source), name), name)
        return cls(entries(source, "that was given"), "that was given")

    @property
    def events(self) -> Sequence[str]:
        """The names of its events."""
        return [*self._events]

    def breaches(self, kind: Kind, record: Mapping[str, Any]) -> list[OffPlan]:
        """Return everything that a record has against the plan.

        Args:
            kind: of the record.
            record: one that breaks none of Mixpanel's rules.
        """
        if kind in _EVENTS:
            return self._event_breaches(record["event"], record["properties"])
        if kind is Kind.PROFILE_UPDATE and self._user is not None:
            return [one for name in _SETS for one in self._set_breaches(name, record.get(name))]
        return []

    def all_hold(self, kind: Kind, records: Iterable[Mapping[str, Any]]) -> bool:
        """Whether each of some records is surely as the plan says; of most nothing more is asked.

        False also where a record cannot be read: whoever judges it by itself says why.
        """
        try:
            if kind in _EVENTS:
                return self._events_hold(records)
            return self._user is None or kind is not Kind.PROFILE_UPDATE or self._sets_hold(records)
        except Exception:  # noqa: BLE001 - whatever a record holds
            return False

    def nearest(self, name: str) -> str | None:
        """Return the plan's event whose name is most like another; None where none is."""
        return next(iter(get_close_matches(name, self._events, n=1)), None)

    def __repr__(self) -> str:
        """Show which plan it is."""
        return f"TrackingPlan({self.name!r}, {len(self._events)} events)"

    def _take(self, entry: Entry) -> None:
        is_event = entry.kind == EVENT
        if not is_event and entry.name != _USER:
            return
        if entry.name in self._events if is_event else self._user is not None:
            raise PlanError(
                self.name, f"{entry.kind} {entry.name!r}: {entry.place} is a second one."
            )
        made = validator(entry, self.name, partial=not is_event)
        if is_event:
            self._events[entry.name] = made
        else:
            self._user = made

    def _events_hold(self, records: Iterable[Mapping[str, Any]]) -> bool:
        validators = self._events
        for record in records:
            name = record["event"]
            held = validators.get(name)
            if held is None:
                if not name.startswith("$"):
                    return False
            elif not held.is_valid(record["properties"]):
                return False
        return True

    def _sets_hold(self, records: Iterable[Mapping[str, Any]]) -> bool:
        user = self._user
        return user is None or all(
            user.is_valid(record[name]) for record in records for name in _SETS if name in record
        )

    def _event_breaches(self, name: str, properties: Any) -> list[OffPlan]:
        held = self._events.get(name)
        if held is not None:
            return [*_errors(held, name, "properties", properties)]
        return [] if name.startswith("$") else [unknown_event(name)]

    def _set_breaches(self, operation: str, fields: Any) -> list[OffPlan]:
        if self._user is None or not isinstance(fields, dict):
            return []
        return [*_errors(self._user, operation, operation, fields)]


def _errors(held: jsonschema_rs.Validator, name: str, field: str, value: Any) -> Iterator[OffPlan]:
    try:
        yield from told(name, field, held.iter_errors(value))
    except Exception:  # noqa: BLE001 - a validator's own limit; nothing of a worker ends by it
        yield unreadable(name, field)
