"""What each setting is, and what said so; a setting that is refused is a row too."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.options import Option, is_empty

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Effective:
    """A row of the table; no secret is in it."""

    setting: str
    value: str
    source: str
    """`default`, or the variable, the option or the framework's setting, as the user wrote it."""
    variable: str
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def effective(table: Iterable[Option], given: Mapping[str, Any], form: str) -> list[Effective]:
    """Each setting of a table, read as the part itself reads it.

    Args:
        table: the settings.
        given: what wins over the environment, by the settings' names.
        form: how these are written, as for `load`.
    """
    return [_row(told, given.get(told.name), form) for told in table]


def _row(told: Option, given: Any, form: str) -> Effective:
    try:
        choice = told.choose(os.environ, given, form)
    except ConfigurationError as error:
        has_given = given is not None and not is_empty(given)
        source = told.written(form) if has_given else told.variable
        return Effective(told.name, "", source, told.variable, str(error))
    return Effective(told.name, told.shown(choice.value), choice.origin or DEFAULT, told.variable)


def refusals(rows: Iterable[Effective], check: Callable[[], object]) -> list[str]:
    """Why the part would not start: each setting that is refused, or what does not fit together."""
    found = [row.error for row in rows if row.error]
    if found:
        return found
    try:
        check()
    except ConfigurationError as error:
        return [str(error)]
    return []
