"""`mixrelay config worker`, `producer` and `page`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape
from rich.text import Text

from mixrelay.console import terminal
from mixrelay.console.config.effective import DEFAULT, Effective, effective, refusals
from mixrelay.console.config.frameworks import DJANGO, FLASK, of_django, of_flask
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import Group, examples, lines
from mixrelay.console.options import flat
from mixrelay.console.setting_options import options_of
from mixrelay.console.tables import plain_table
from mixrelay.console.text import cut, safe
from mixrelay.producer.construction.checks import HOOKS, OTHERS, SETTINGS
from mixrelay.producer.integrations.settings import tracker_from
from mixrelay.shared.options import ARGUMENT, FLAG, options
from mixrelay.shared.settings import Settings
from mixrelay.shared.variables import CA_FILE, OTEL, PROXY
from mixrelay.worker.base.settings import WorkerSettings

_SHOWN = 200
_OF_PAGE = ("redis_url", "rq_redis_url", "queue", "partitions")

config = typer.Typer(
    name="config",
    help="Show the settings that a part would run with, and where each comes from.",
    cls=Group,
    epilog=lines(
        "mixrelay config worker",
        "mixrelay config producer --django shop.settings",
        "mixrelay config page --json",
    ),
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(config)


_AsJson = Annotated[bool, typer.Option("--json", help="One object a line.")]
_Shared: Any = options_of(Settings, "Where")
_Worker: Any = options_of(WorkerSettings, "Worker")
_Page: Any = options_of(DashboardSettings, "Page")


@config.command(
    "worker",
    **examples(
        "mixrelay config worker",
        "mixrelay config worker --concurrency 4  # the options of `mixrelay worker`",
    ),
)
@flat
def worker(shared: _Shared, own: _Worker, as_json: _AsJson = False) -> None:
    """Show the settings that a worker would have if started here with these options.

    Exit code 1: it would not start, and why.
    """
    where, mine = asdict(shared), asdict(own)
    rows = effective(options(Settings), where, FLAG) + effective(
        options(WorkerSettings), mine, FLAG
    )

    def check() -> None:
        settings = Settings.from_environment(given=where, form=FLAG)
        settings.check_for_worker()
        settings.rq_url  # noqa: B018 - raises where RQ has no server
        WorkerSettings.from_environment(given=mine, form=FLAG)

    _show(rows, check, as_json=as_json)


@config.command(
    "producer",
    **examples(
        "mixrelay config producer",
        "mixrelay config producer --django shop.settings",
        "mixrelay config producer --flask shop:create_app",
    ),
)
def producer(
    django: Annotated[
        str, typer.Option(metavar="MODULE", help="Django's module of settings.")
    ] = "",
    flask: Annotated[
        str, typer.Option(metavar="MODULE:APP", help="Flask's application, or its factory.")
    ] = "",
    as_json: _AsJson = False,
) -> None:
    """Show the settings that a tracker would have if made here without arguments.

    With --django or --flask, of the one that the framework makes. What an application passes to
    `Tracker` wins over these, and is not known here.

    Exit code 1: it could not be made, and why.
    """
    if django and flask:
        raise CommandError(
            "--django and --flask are two frameworks.", "Give one.", code=ExitCode.USAGE
        )
    given = of_django(django) if django else of_flask(flask) if flask else {}
    given.pop("trusted_proxies", None)
    form = DJANGO if django else FLASK if flask else ARGUMENT
    written = form.replace("{upper}", "{}").replace("{name}", "{}")
    rows = effective([*SETTINGS.values(), OTEL, CA_FILE, PROXY], given, form)
    rows += [
        Effective(name, _named(given[name]), written.format(name.upper()), "")
        for name in (*HOOKS, *OTHERS)
        if given.get(name) is not None
    ]
    _show(rows, lambda: tracker_from(given, written), as_json=as_json)


@config.command(
    "page",
    **examples("mixrelay config page", "mixrelay config page --json | jq -r .source"),
)
@flat
def page(own: _Page, as_json: _AsJson = False) -> None:
    """Show the settings of the dashboard, with these options.

    Exit code 1: it would not start, and why.
    """
    shared = [told for told in options(Settings) if told.name in _OF_PAGE]
    mine = asdict(own)
    rows = effective(shared, {}, FLAG) + effective(options(DashboardSettings), mine, FLAG)

    def check() -> None:
        DashboardSettings.from_environment(given=mine, form=FLAG).check()
        Settings.from_environment().rq_url  # noqa: B018 - raises where RQ has no server

    _show(rows, check, as_json=as_json)


def _named(hook: Any) -> str:
    named = getattr(hook, "__qualname__", None)
    return hook if isinstance(hook, str) else str(named or type(hook).__qualname__)


def _show(rows: Sequence[Effective], check: Callable[[], object], *, as_json: bool) -> None:
    wrong = refusals(rows, check)
    if as_json:
        for row in rows:
            typer.echo(orjson.dumps(row.as_json()))
    else:
        _print(rows)
    for why in wrong:
        terminal.stderr().print(f"[bold red]error:[/] {escape(safe(why))}", soft_wrap=True)
    if wrong:
        raise typer.Exit(ExitCode.FINDING)


def _print(rows: Sequence[Effective]) -> None:
    table = plain_table("setting", "value", "from")
    for row in rows:
        style = "" if row.error else "dim" if row.source == DEFAULT else "bold"
        value = "refused" if row.error else cut(row.value, _SHOWN)
        source = row.source if row.source != DEFAULT else f"{DEFAULT} ({row.variable})"
        table.add_row(row.setting, Text(value, style), Text(source, style))
    terminal.stdout().print(table)
