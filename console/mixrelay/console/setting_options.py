"""A table of settings as options of a command."""

from dataclasses import make_dataclass
from typing import Annotated, Any

import typer

from mixrelay.console.options import as_given
from mixrelay.shared.options import Option, options

_METAVARS = {str: "TEXT", int: "N", float: "N", bool: None}
_SINGULAR = {"processes": "process", "requests": "request", "seconds": "second"}


def options_of(settings: Any, panel: str) -> Any:
    """A dataclass whose fields are the options of a settings class.

    Secrets are left out: on a command line everyone reads them who can list processes.
    """
    fields = [_field(told, panel) for told in options(settings) if not told.secret]
    return make_dataclass(f"{settings.__name__}Options", fields)


def _field(told: Option, panel: str) -> tuple[str, Any, None]:
    """An option of the command line; None where it is not given, so that the variable counts."""
    flag = f"--{told.name.replace('_', '-')}"
    kind = type(told.default)
    made = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        metavar="|".join(told.choices) or _METAVARS[kind],
        parser=None if kind is bool else as_given,
        help=f"{told.help} [env var: {told.variable}; default: {_shown(told)}]",
        show_default=False,
        rich_help_panel=panel,
    )
    return told.name, Annotated[kind | None, made], None


def _shown(told: Option) -> str:
    """The default with its unit."""
    default = told.default
    if isinstance(default, bool):
        return "on" if default else "off"
    if not isinstance(default, int | float):
        return str(default) or "none"
    if not told.unit:
        return f"{default:g}" if isinstance(default, float) else str(default)
    unit = _SINGULAR.get(told.unit, told.unit) if default == 1 else told.unit
    return f"{default:,g} {unit}" if isinstance(default, float) else f"{default:,} {unit}"
