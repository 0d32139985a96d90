"""The file of a tracking plan, read: what Mixpanel's Lexicon Schemas API lists and takes.

``GET /projects/<id>/schemas`` answers ``{"results": [entry, …], "status": "ok"}``; the same entries
are uploaded as ``{"entries": [entry, …]}``. An entry has an ``entityType``, a ``name`` and a
``schemaJson``, a JSON Schema (Mixpanel: Lexicon Schemas API).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import orjson

from mixrelay.shared.errors import ConfigurationError

Document: TypeAlias = "Mapping[str, Any] | Sequence[Mapping[str, Any]]"

EVENT = "event"
PROFILE = "profile"
_LISTS = ("results", "entries")
_HOW_TO_GET = (
    "Save what Mixpanel's GET /api/app/projects/<project id>/schemas answers, "
    'or a list of {"entityType": "event", "name": …, "schemaJson": {…}}.'
)


class Entry(NamedTuple):
    """One event, or the users' profile.

    Attributes:
        place: where it stands in its file, such as ``results[3]``.
    """

    kind: str
    name: str
    schema: dict[str, Any]
    place: str


class PlanError(ConfigurationError):
    """A tracking plan that cannot be used; names file, event and path."""

    def __init__(self, plan: str, what: str) -> None:
        super().__init__(f"The tracking plan {plan} cannot be used: {what}")
        self._plan, self._what = plan, what

    def under(self, setting: str) -> ConfigurationError:
        """Return the same with the setting that names the plan."""
        return ConfigurationError(
            f"{setting}: the tracking plan {self._plan} cannot be used: {self._what}"
        )


def loaded(path: str | os.PathLike[str]) -> Any:
    """Return a file's JSON.

    Raises:
        PlanError: it cannot be read, or is none.
    """
    shown = os.fspath(path)
    try:
        return orjson.loads(Path(path).read_bytes())
    except OSError as error:
        raise PlanError(shown, f"{error.strerror or error}.") from None
    except orjson.JSONDecodeError as error:
        raise PlanError(shown, f"it is no JSON ({error}). {_HOW_TO_GET}") from None


def entries(document: Any, plan: str) -> Iterator[Entry]:
    """Yield the events and profiles of a plan; entries of other kinds are left out.

    Args:
        document: as parsed.
        plan: what an error calls it.

    Raises:
        PlanError: it is in none of the known forms.
    """
    name, listed = _list_in(document, plan)
    for number, entry in enumerate(listed):
        place = f"{name}[{number}]"
        if not isinstance(entry, Mapping):
            raise PlanError(plan, f"{place} is {entry!r:.40}, not an object. {_HOW_TO_GET}")
        kind = _member(entry, "entityType", place, plan)
        if kind in {EVENT, PROFILE}:
            yield _entry(kind, entry, place, plan)


def _list_in(document: Any, plan: str) -> tuple[str, Sequence[Any]]:
    if isinstance(document, Mapping):
        for name in _LISTS:
            if isinstance(document.get(name), list):
                return name, document[name]
    elif isinstance(document, Sequence) and not isinstance(document, str | bytes):
        return "", document
    raise PlanError(plan, f"it has no list of schemas. {_HOW_TO_GET}")


def _entry(kind: str, entry: Mapping[str, Any], place: str, plan: str) -> Entry:
    name = _member(entry, "name", place, plan)
    schema = entry.get("schemaJson")
    if not isinstance(schema, Mapping):
        raise PlanError(plan, f"{kind} {name!r}: {place}.schemaJson is no object. {_HOW_TO_GET}")
    return Entry(kind, name, dict(schema), place)


def _member(entry: Mapping[str, Any], name: str, place: str, plan: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise PlanError(plan, f"{place}.{name} is missing, or no text. {_HOW_TO_GET}")
    return value
