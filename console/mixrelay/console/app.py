"""The command line: its commands, and the one place where an error becomes an exit code."""

import logging
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from mixrelay.console import terminal
from mixrelay.console.alerting import command as alerting
from mixrelay.console.backlog import command as backlog
from mixrelay.console.backlog import erasing
from mixrelay.console.config import command as config
from mixrelay.console.dashboard import command as dashboard
from mixrelay.console.demo import command as demo
from mixrelay.console.dlq import commands as dlq
from mixrelay.console.doctor import command as doctor
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import Failure, explain
from mixrelay.console.helptext import Group, lines
from mixrelay.console.holding import command as holding
from mixrelay.console.lookup import command as lookup
from mixrelay.console.push import command as push
from mixrelay.console.running import sandbox, valkey, worker
from mixrelay.console.status import command as status
from mixrelay.console.text import cut, safe

_SHOWN = 2_000
"""Characters of an error."""

app = typer.Typer(
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


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mixrelay {version('mixrelay')}")
        raise typer.Exit


@app.callback()
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


worker.register(app)
config.register(app)
status.register(app)
alerting.register(app)
holding.register(app)
backlog.register(app)
erasing.register(app)
dlq.register(app)
push.register(app)
lookup.register(app)
dashboard.register(app)
doctor.register(app)
sandbox.register(app)
valkey.register(app)
demo.register(app)


def run() -> int:
    """Carries out the command that was asked for; returns its exit code."""
    terminal.encode_anything()
    # What a command has to say of a node that is away, its error says.
    logging.getLogger("mixrelay").addHandler(logging.NullHandler())
    try:
        app()
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
