"""The commands, their arguments and options; and the settings' variables."""

import enum
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from mixrelay.console.app import command_line
from tests.support.settings_table import every_setting


def lines() -> Iterator[str]:
    """Each command with what it takes, in order."""
    yield from _of(get_command(command_line()), "mixrelay")


def _of(command: Any, name: str) -> Iterator[str]:
    yield name
    for parameter in sorted(command.params, key=lambda one: (one.opts[0].lstrip("-"), one.name)):
        if "--help" not in parameter.opts:
            yield f"    {_written(parameter)}"
    for word, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _of(inner, f"{name} {word}")


def _written(parameter: Any) -> str:
    names = " ".join([*parameter.opts, *(f"/ {one}" for one in parameter.secondary_opts)])
    if parameter.param_type_name == "argument":
        names = (parameter.metavar or parameter.name.upper()).strip("[]").rstrip(".")
    bare = getattr(parameter, "is_flag", False) or parameter.param_type_name == "argument"
    taken = "" if bare else f" {_kind(parameter)}"
    marks = [
        *(["required"] if parameter.required else []),
        *(["repeatable"] if parameter.multiple or parameter.nargs == -1 else []),
    ]
    return f"{names}{taken}{''.join(f' ({mark})' for mark in marks)}"


def _kind(parameter: Any) -> str:
    """The choices, or the word for a value; typer keeps both in other places since 0.26."""
    described = getattr(parameter, "type_descriptor", None)
    kind = getattr(described, "annotation", None)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(one.value) for one in kind)
    choices = getattr(getattr(parameter, "type", None), "choices", ())
    return "|".join(str(getattr(one, "value", one)) for one in choices) or parameter.metavar or "…"


def variables() -> Iterator[str]:
    """Each variable with its default and what it may be."""
    written = {
        option.variable: " ".join(
            [
                f"{option.variable} = {option.default!r}",
                *([option.unit] if option.unit else []),
                *(["one of " + ", ".join(map(str, option.choices))] if option.choices else []),
            ]
        )
        for option in every_setting()
    }
    yield from (line for _, line in sorted(written.items()))
