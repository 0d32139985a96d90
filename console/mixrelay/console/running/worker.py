"""`mixrelay worker`, whose options are the table of the worker's settings."""

from dataclasses import asdict, make_dataclass
from typing import Annotated, Any

import typer

from mixrelay.console.helptext import examples
from mixrelay.console.options import flat
from mixrelay.shared.options import Option, options
from mixrelay.shared.settings import Settings
from mixrelay.worker.run import run
from mixrelay.worker.settings import WorkerSettings


def register(app: typer.Typer) -> None:
    app.command(
        "worker",
        **examples(
            "mixrelay worker",
            "mixrelay worker --processes 4 --concurrency 8",
            "mixrelay worker --burst  # drain what is there, then exit 0",
            "MIXRELAY_LINGER=2 mixrelay worker  # each option is a variable too",
        ),
    )(flat(worker))


_METAVARS = {str: "TEXT", int: "N", float: "N", bool: None}


def _field(told: Option, panel: str) -> tuple[str, Any, None]:
    """An option of the command line; None where it is not given, so that the variable counts."""
    flag = f"--{told.name.replace('_', '-')}"
    kind = type(told.default)
    made = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        metavar="|".join(told.choices) or _METAVARS[kind],
        help=f"{told.help} [env var: {told.variable}; default: {_shown(told)}]",
        show_default=False,
        rich_help_panel=panel,
    )
    return told.name, Annotated[kind | None, made], None


_SINGULAR = {"processes": "process", "requests": "request", "seconds": "second"}


def _shown(told: Option) -> str:
    """The default with its unit."""
    default = told.default
    if isinstance(default, bool):
        return "on" if default else "off"
    if not isinstance(default, int | float):
        return str(default) or "none"
    unit = _SINGULAR.get(told.unit, told.unit) if default == 1 else told.unit
    return f"{default:,g} {unit}" if isinstance(default, float) else f"{default:,} {unit}"


_Shared: Any = make_dataclass(
    "_Shared",
    # A secret on a command line is read by everyone who can list processes.
    [_field(told, "Where") for told in options(Settings) if not told.secret],
)
_Worker: Any = make_dataclass(
    "_Worker", [_field(told, "Worker") for told in options(WorkerSettings)]
)


def worker(
    shared: _Shared,
    own: _Worker,
    burst: Annotated[
        bool,
        typer.Option(
            "--burst", help="End with exit code 0 once nothing is queued, in flight or paused."
        ),
    ] = False,
) -> None:
    """Drain the queue: run RQ workers until SIGTERM, which finishes what is under way.

    Secrets are read from the environment alone: MIXPANEL_TOKEN, and for a service account
    MIXPANEL_SERVICE_ACCOUNT_USERNAME and MIXPANEL_SERVICE_ACCOUNT_SECRET.
    """
    settings = Settings.from_environment(given=asdict(shared))
    mine = WorkerSettings.from_environment(given=asdict(own))
    raise typer.Exit(run(settings, mine, burst=burst))
