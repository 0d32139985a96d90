"""The command line: its commands, and the one place where an error becomes an exit code."""

import logging
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from mixrelay.console import terminal
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import Failure, explain
from mixrelay.console.helptext import Group, lines
from mixrelay.console.text import cut, safe

_SHOWN = 2_000
"""Characters of an error."""

_COMMANDS = {
    "worker": "running.worker",
    "config": "config.command",
    "status": "status.command",
    "alert": "alerting.command",
    "pause": "holding.command",
    "resume": "holding.command",
    "queue": "backlog.command",
    "erase": "backlog.erasing",
    "dlq": "dlq.commands",
    "push": "push.command",
    "lookup": "lookup.command",
    "dashboard": "dashboard.command",
    "doctor": "doctor.command",
    "sandbox": "running.sandbox",
    "valkey": "running.valkey",
    "demo": "demo.command",
}
"""The module that registers each, in the order of the help."""


def command_line(first: str = "") -> typer.Typer:
    """Build the commands: all, or that one alone which the first word names.

    Most of a short command's time was the import of all the others.
    """
    made = typer.Typer(
        name="mixrelay",
        help="A durable queue between your request handlers and Mixpanel.",
        cls=Group,
        epilog=lines(
            "mixrelay demo  # see all of it work, on this machine alone",
            "mixrelay worker --processes 2  # drain the queue",
            "mixrelay status  # is all well?",
            "mixrelay dlq stats  # what Mixpanel refused, and why",
        ),
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    modules = [_COMMANDS[first]] if first in _COMMANDS else dict.fromkeys(_COMMANDS.values())
    for module in modules:
        import_module(f"mixrelay.console.{module}").register(made)
    return made


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mixrelay {version('mixrelay')}")
        raise typer.Exit


def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    """Options of the command line itself."""


def run() -> int:
    """Carries out the command that was asked for; returns its exit code."""
    terminal.encode_anything()
    # What a command has to say of a node that is away, its error says.
    logging.getLogger("mixrelay").addHandler(logging.NullHandler())
    try:
        command_line("".join(sys.argv[1:2]))()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else ExitCode.FINDING
    except Exception as error:
        failure = explain(error)
        if failure is None:
            raise
        _report(failure)
        return failure.code
    return ExitCode.OK


def _report(failure: Failure) -> None:
    console = terminal.stderr()
    # Of what a server said, and of names that others chose.
    what = cut(failure.what, _SHOWN)
    console.print(f"[bold red]error:[/] {escape(what)}", soft_wrap=True)
    if failure.todo:
        console.print(escape(safe(failure.todo)), soft_wrap=True)
