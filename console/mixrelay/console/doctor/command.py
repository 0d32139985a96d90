"""`mixrelay doctor`."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import orjson
import typer
from rich.markup import escape

from mixrelay.console import terminal
from mixrelay.console.doctor.crew import check_workers
from mixrelay.console.doctor.delivery import check_mixpanel
from mixrelay.console.doctor.findings import Area, Finding, Level
from mixrelay.console.doctor.near_misses import check_near_misses
from mixrelay.console.doctor.server import check_server
from mixrelay.console.doctor.tokens import check_tokens
from mixrelay.console.doctor.variables import check_names
from mixrelay.console.exits import ExitCode
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat, from_table
from mixrelay.console.text import count, safe
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.mixpanel.transport import Transport
from mixrelay.shared.settings import Settings
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.plan_check import PlanCheck

SETTINGS = Area("settings")
_WHERE = "Correct it where the workers are started."
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}
_WIDTH = max(map(len, Level)) + 2


def register(app: typer.Typer) -> None:
    app.command(
        "doctor",
        **examples(
            "mixrelay doctor",
            "mixrelay doctor --no-mixpanel  # ask only Redis",
            "mixrelay doctor --json | jq 'select(.level != \"ok\")'",
        ),
    )(flat(doctor))


def doctor(
    where: Where,
    rq_redis_url: Annotated[str, from_table("rq_redis_url", "URL")] = "",
    mixpanel: Annotated[
        bool, typer.Option(help="Ask Mixpanel too; what is sent leaves nothing there.")
    ] = True,
    redis_only: Annotated[
        bool, typer.Option("--redis-only", help="Look at Redis alone: a container's health.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
) -> None:
    """Check Redis, Mixpanel, the workers and the settings; say what to do about each.

    Exit code 0: nothing to do. 1: at least one warning or error; with --redis-only, an error.
    """
    found = list(check_server(where.redis_url, where.queue, where.partitions))
    if not redis_only:
        found += _of_the_rest(where, rq_redis_url, mixpanel=mixpanel)
    if as_json:
        for finding in found:
            typer.echo(orjson.dumps(finding.as_json()))
    else:
        _show(found)
    # A container is no better for being restarted over a warning.
    wrong = {Level.ERROR} if redis_only else {Level.WARNING, Level.ERROR}
    if any(finding.level in wrong for finding in found):
        raise typer.Exit(ExitCode.FINDING)


def _of_the_rest(where: Where, rq_redis_url: str, *, mixpanel: bool) -> Iterator[Finding]:
    yield from check_workers(rq_redis_url, where.redis_url, where.queue)
    yield from check_tokens(where.redis_url, where.queue)
    yield from (SETTINGS.warning(name, *said) for name, said in check_names(os.environ))
    try:
        worker = WorkerSettings.from_environment()
        settings = Settings.from_environment(given=asdict(where))
    except ConfigurationError as error:
        yield SETTINGS.error("variables", str(error), _WHERE)
        return
    yield _variables(settings)
    yield from _tracking_plan(settings, worker)
    yield from check_near_misses(settings)
    if not mixpanel:
        return
    transport = Transport(
        deadline=worker.deadline, ca_file=worker.ca_file or None, proxy=worker.proxy or None
    )
    try:
        yield from check_mixpanel(settings, transport)
    finally:
        transport.close()


def _variables(settings: Settings) -> Finding:
    """Whether a worker starts with settings that can be read."""
    try:
        settings.check_for_worker()
    except ConfigurationError as error:
        return SETTINGS.error("variables", str(error), _WHERE)
    return SETTINGS.ok("variables", "Deadline, lease, drain job and job timeout fit together.")


def _tracking_plan(settings: Settings, worker: WorkerSettings) -> Iterator[Finding]:
    """Whether a worker starts with the tracking plan, where one is set."""
    try:
        check = PlanCheck.of(settings, worker)
    except ConfigurationError as error:
        yield SETTINGS.error("tracking plan", str(error), _WHERE)
        return
    if check is not None:
        action = "dead letters" if check.refuses else "sent and counted"
        events = count(len(check.plan.events), "event")
        found = f"{check.plan.name} has {events}; records that are not as it says: {action}."
        yield SETTINGS.ok("tracking plan", found)


def _show(found: Sequence[Finding]) -> None:
    console = terminal.stdout()
    area = ""
    for finding in found:
        if finding.area != area:
            area = finding.area
            console.print(f"\n[bold]{area.capitalize()}[/]")
        text = escape(safe(finding.found))
        mark = f"[{_COLOURS[finding.level]}]{finding.level:<{_WIDTH}}[/]"
        console.print(f"  {mark}{finding.check}: {text}", soft_wrap=True)
        if finding.todo:
            console.print(f"  {'':<{_WIDTH}}→ {escape(safe(finding.todo))}", soft_wrap=True)
    wrong = [finding for finding in found if finding.level is not Level.OK]
    summary = f"{count(len(wrong), 'finding')} to look at" if wrong else "nothing to do"
    console.print(f"\n{count(len(found), 'check')}, {summary}.")
