"""Settings as one table: a field of a settings class says its variable, unit, bounds and help.

The command line makes its options from the same table, and the README's list is tested
against it.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mixrelay.shared.errors import ConfigurationError

_METADATA = "option"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})

SettingsT = TypeVar("SettingsT")


@dataclass(frozen=True, slots=True)
class Option:
    """One setting, as the environment, the command line and the documentation know it."""

    variable: str
    help: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    secret: bool = False
    name: str = ""
    """The field's name; the command line writes it with dashes."""
    default: Any = None

    def read(self, text: str) -> Any:
        """The value that a text means.

        Raises:
            ConfigurationError: it means none; the message says what to set.
        """
        value = self._parsed(text.strip())
        self.check(value)
        return value

    def check(self, value: Any) -> None:
        """Raises ConfigurationError where a value is of the wrong kind, or out of bounds."""
        if self.choices and value not in self.choices:
            raise self._wrong(value, f"one of {', '.join(self.choices)}")
        if isinstance(self.default, int | float) and not self._is_of_kind(value):
            raise self._wrong(value, self._kind())
        if self.minimum is not None and value < self.minimum:
            raise self._wrong(value, f"{self.minimum:g} or more{self._in_unit()}")

    def _parsed(self, text: str) -> Any:
        kind = type(self.default)
        if kind is bool:
            if text.lower() not in _TRUE | _FALSE:
                raise self._wrong(text, self._kind())
            return text.lower() in _TRUE
        try:
            return kind(text)
        except ValueError:
            raise self._wrong(text, self._kind()) from None

    def _is_of_kind(self, value: Any) -> bool:
        whole = isinstance(value, int)
        return whole or (
            type(self.default) is float and isinstance(value, float) and math.isfinite(value)
        )

    def _kind(self) -> str:
        if type(self.default) is bool:
            return "on or off"
        wanted = "a number" if type(self.default) is float else "a whole number"
        return f"{wanted}{self._in_unit()}"

    def _in_unit(self) -> str:
        return f" ({self.unit})" if self.unit else ""

    def _wrong(self, value: object, wanted: str) -> ConfigurationError:
        shown = "not usable" if self.secret else f"{value!r}"
        return ConfigurationError(f"{self.variable} is {shown}; set it to {wanted}.")


def option(
    default: str | float | bool,
    variable: str,
    text: str,
    *,
    unit: str = "",
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    secret: bool = False,
) -> Any:
    """A field of a settings class; the default's type is the setting's."""
    told = Option(variable, text, unit, choices, minimum, secret)
    return dataclasses.field(default=default, repr=not secret, metadata={_METADATA: told})


def options(settings: Any) -> tuple[Option, ...]:
    """The table of a settings class, in its order."""
    return tuple(
        dataclasses.replace(field.metadata[_METADATA], name=field.name, default=field.default)
        for field in dataclasses.fields(settings)
    )


def load(
    settings: type[SettingsT], environ: Mapping[str, str], given: Mapping[str, Any] | None = None
) -> SettingsT:
    """Reads settings from the environment; what is given (and not None) wins over it.

    An empty variable counts as not set.

    Raises:
        ConfigurationError: a value cannot be used; the message names its variable.
        TypeError: what is given is no setting, as for any unknown keyword argument.
    """
    given = given or {}
    known = options(settings)
    _refuse_unknown(given, [told.name for told in known])
    values: dict[str, Any] = {}
    for told in known:
        value = given.get(told.name)
        if value is not None:
            told.check(value)
            values[told.name] = value
        elif environ.get(told.variable):
            values[told.name] = told.read(environ[told.variable])
    return settings(**values)


def _refuse_unknown(given: Mapping[str, Any], known: list[str]) -> None:
    for name in given:
        if name not in known:
            import difflib  # noqa: PLC0415 - an application's start does not pay for a typing error

            alike = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            perhaps = f"; did you mean {alike[0]}?" if alike else f"; there are {', '.join(known)}"
            raise TypeError(f"unexpected keyword argument {name!r}{perhaps}")
