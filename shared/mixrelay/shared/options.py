"""Settings as one table: a field of a settings class says its variable, unit, bounds and help.

Producers, workers, every command and the page read by this table, and so alike. The command line
makes its options from the same table, and the tables of the documentation.
"""

import dataclasses
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.masking import mask
from mixrelay.shared.reading import (
    Form,
    Unusable,
    boolean,
    check_characters,
    number,
    shown_value,
    trimmed,
)

_METADATA = "option"
_MASKED = frozenset({Form.ADDRESS, Form.PROXY})

ARGUMENT = "{name}"
"""How an argument is written, for an error that names it."""
FLAG = "--{dashed}"
"""How an option of the command line is."""

WEEK = 604_800
"""Seconds, beyond which nobody waits; a little more, and a socket's or a poll's clock is full."""
MOST = 10**12

SettingsT = TypeVar("SettingsT")


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting's value, and what said so."""

    value: Any
    origin: str
    """As the user wrote it: a variable, an argument; empty for the default."""


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
    maximum: float | None = None
    form: Form = Form.TEXT
    word: str = ""
    """A word that stands for none, in any case; so does False."""

    def written(self, form: str) -> str:
        """How a setting is written in a form such as `--{dashed}`."""
        dashed = self.name.replace("_", "-")
        return form.format(name=self.name, dashed=dashed, upper=self.name.upper())

    def read(self, value: Any, written: str = "") -> Any:
        """The value that a text means, or a value of the right kind as it is.

        Args:
            value: a text, which is trimmed; or what an application passes.
            written: what the user wrote it as, for the error; else the variable.

        Raises:
            ConfigurationError: it means none; the message says what to set.
        """
        if isinstance(value, str):
            value = trimmed(value)
        try:
            return self._meant(value)
        except Unusable as error:
            raise self._wrong(value, str(error) or self._numbers(), written) from None

    def choose(self, environ: Mapping[str, str], given: Any = None, form: str = ARGUMENT) -> Choice:
        """What is given, else the variable, else the default; empty is not set.

        Raises:
            ConfigurationError: as `read`; the message names what the user wrote.
        """
        for value, origin in ((given, self.written(form)), (environ.get(self.variable), "")):
            if value is not None and not is_empty(value):
                return Choice(self.read(value, origin), origin or self.variable)
        return Choice(self.default, "")

    def take(self, given: Any = None, form: str = ARGUMENT) -> Any:
        """The value that `choose` finds, by this process's environment. Raises as `choose`."""
        return self.choose(os.environ, given, form).value

    def shown(self, value: Any) -> str:
        """A value as a table may show it: no secret, no password of an address."""
        if self.secret:
            return "***" if value else ""
        if isinstance(value, bool):
            return "on" if value else "off"
        return mask(str(value)) if self.form in _MASKED else str(value)

    def _meant(self, value: Any) -> Any:
        kind = type(self.default)
        if kind is str:
            return self._text(value)
        if kind is bool:
            return self._boolean(value)
        found = number(value, kind) if isinstance(value, str) else value
        if not self._is_number(found) or not self._is_within(found):
            raise Unusable
        return found

    def _text(self, value: Any) -> str:
        if value is False and self.word:
            return self.word
        if self.form is Form.PATH and isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str):
            raise Unusable("a text")
        text = trimmed(value)
        if self.choices or (self.word and text.lower() == self.word):
            text = text.lower()
        if self.choices and text not in self.choices:
            raise Unusable(f"one of {', '.join(self.choices)}")
        check_characters(text, self.form)
        return text

    def _boolean(self, value: Any) -> bool:
        if isinstance(value, str):
            return boolean(value)
        if isinstance(value, int) and value in {0, 1}:
            return bool(value)
        raise Unusable("on or off")

    def _is_number(self, value: Any) -> bool:
        if isinstance(value, bool):
            return False
        if isinstance(value, int):
            return True
        return type(self.default) is float and isinstance(value, float) and math.isfinite(value)

    def _is_within(self, value: float) -> bool:
        least, most = self.bounds
        return least <= value <= most

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most of a number."""
        widest = WEEK if self.unit == "seconds" else MOST
        least = 0 if self.minimum is None else self.minimum
        return least, widest if self.maximum is None else self.maximum

    def _numbers(self) -> str:
        """Which numbers there are, in words."""
        wanted = "a number" if type(self.default) is float else "a whole number"
        least, most = self.bounds
        unit = f" ({self.unit})" if self.unit else ""
        return f"{wanted}, {least:,.10g} to {most:,.15g}{unit}"

    def _wrong(self, value: object, wanted: str, written: str) -> ConfigurationError:
        shown = "not usable"
        if not self.secret:
            text = mask(value) if isinstance(value, str) and self.form in _MASKED else value
            shown = shown_value(text)
        return ConfigurationError(f"{written or self.variable} is {shown}; set it to {wanted}.")


def is_empty(value: object) -> bool:
    """Whether a value is a text with nothing in it, which counts as not set."""
    return isinstance(value, str) and not trimmed(value)


def named_option(
    name: str, default: str | float | bool, variable: str, text: str, **more: Any
) -> Option:
    """A setting that stands in no class of its own, or in several."""
    return Option(variable, text, name=name, default=default, **more)


def field_of(told: Option) -> Any:
    """A field of a settings class for such a setting."""
    return dataclasses.field(default=told.default, repr=not told.secret, metadata={_METADATA: told})


def option(default: str | float | bool, variable: str, text: str, **more: Any) -> Any:
    """A field of a settings class; the default's type is the setting's.

    Args:
        default: what holds where nothing is set.
        variable: the environment's name for it.
        text: the help, a sentence.
        more: further fields of `Option`.
    """
    return field_of(named_option("", default, variable, text, **more))


def options(settings: Any) -> tuple[Option, ...]:
    """The table of a settings class, in its order; made once."""
    table = _TABLES.get(settings)
    if table is None:
        table = _TABLES[settings] = tuple(
            dataclasses.replace(field.metadata[_METADATA], name=field.name, default=field.default)
            for field in dataclasses.fields(settings)
        )
    return table


_TABLES: dict[Any, tuple[Option, ...]] = {}


def chosen(
    settings: Any,
    environ: Mapping[str, str],
    given: Mapping[str, Any] | None = None,
    form: str = ARGUMENT,
) -> dict[str, Choice]:
    """Each setting's value with what said so. Raises as `load`."""
    given = given or {}
    known = options(settings)
    refuse_unknown(given, [told.name for told in known])
    return {told.name: told.choose(environ, given.get(told.name), form) for told in known}


def load(
    settings: type[SettingsT],
    environ: Mapping[str, str],
    given: Mapping[str, Any] | None = None,
    form: str = ARGUMENT,
) -> SettingsT:
    """Reads settings from the environment; what is given (and not None) wins over it.

    An empty variable, or argument, counts as not set.

    Args:
        settings: the class.
        environ: variables by their names.
        given: arguments by the fields' names.
        form: how these are written, for an error.

    Raises:
        ConfigurationError: a value cannot be used; the message names its variable or argument.
        TypeError: what is given is no setting, as for any unknown keyword argument.
    """
    found = chosen(settings, environ, given, form)
    try:
        return settings(**{name: choice.value for name, choice in found.items()})
    except ConfigurationError as error:
        origins = {told.variable: found[told.name].origin for told in options(settings)}
        raise named_as(error, origins) from None


def named_as(error: ConfigurationError, origins: Mapping[str, str]) -> ConfigurationError:
    """The error with the names that the user wrote in place of the variables'."""
    text = str(error)
    for variable, origin in origins.items():
        if origin not in {"", variable}:
            text = origin.join(re.split(rf"\b{variable}\b", text))
    return type(error)(text)


def refuse_unknown(given: Iterable[str], known: list[str]) -> None:
    """Raise TypeError, as for any unknown keyword argument, with the one that is meant."""
    for name in given:
        if name not in known:
            raise TypeError(f"unexpected keyword argument {name!r}{perhaps(name, known)}")


def perhaps(name: str, known: Iterable[str]) -> str:
    """A hint at the name that was meant; all names, where none is near."""
    import difflib  # noqa: PLC0415 - an application's start does not pay for a typing error

    names = sorted(known)
    meant = _OTHER_WORDS.get(name)
    if meant in names:
        return f"; did you mean {meant}?"
    alike = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    return f"; did you mean {alike[0]}?" if alike else f"; there are {', '.join(names)}"


_OTHER_WORDS = {
    "redis": "redis_url",
    "url": "redis_url",
    "broker": "redis_url",
    "broker_url": "redis_url",
    "host": "api_host",
    "base_url": "api_host",
    "server_url": "api_host",
    "api_url": "api_host",
    "queue_name": "queue",
    "list": "queue",
    "key": "token",
    "api_key": "token",
    "project_token": "token",
    "consumer": "sink",
    "on_error": "error_handler",
    "errback": "error_handler",
    "json_default": "default",
    "serializer": "default",
    "enabled": "disabled",
    "disable": "disabled",
    "off": "disabled",
    "connection_timeout": "connect_timeout",
    "socket_timeout": "timeout",
    "socket_connect_timeout": "connect_timeout",
    "spool": "spool_dir",
    "max_size": "max_queue",
    "maxsize": "max_queue",
}
"""What people call a setting elsewhere."""
