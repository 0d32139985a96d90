"""`mixrelay status`."""

from typing import Annotated

import typer

from mixrelay.console import terminal
from mixrelay.console.exits import ExitCode
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat, from_table
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.look import look as look_at
from mixrelay.console.status.watch import show, watch_figures
from mixrelay.shared.settings import rq_address


def register(app: typer.Typer) -> None:
    app.command(
        "status",
        **examples(
            "mixrelay status",
            "mixrelay status --watch",
            "mixrelay status --json | jq .oldest_seconds",
            "mixrelay status > /dev/null || echo 'the queue has a problem'  # for cron",
        ),
    )(flat(status))


def status(
    where: Where,
    rq_redis_url: Annotated[str, from_table("rq_redis_url", "URL")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again each second, until Ctrl-C.")
    ] = False,
) -> None:
    """Show whether all is well: the backlog, open circuits, dead letters, workers.

    Exit code 0: no problem. 1: degraded: Redis refuses writes; the workers are suspended (rq
    suspend); Mixpanel refuses a token; there is a backlog and no worker runs, or none knows its
    partition; a circuit is open because of wrong settings, or for more than 5 minutes; an operator
    paused a lane; an id nears Mixpanel's limit of events a day; a limit will drop dead letters;
    Redis may evict keys; messages are unaccounted for. New dead letters, a token that is not
    proven and records that Mixpanel did not confirm are notes.
    """
    with where.open() as queue:

        def look() -> Figures:
            return look_at(queue, rq_address(rq_redis_url, where.redis_url))

        if watch:
            watch_figures(look, queue.history, where.redis_url, as_json=as_json)
            return
        figures = look()
    show(figures, as_json=as_json)
    warnings = figures.warnings()
    if as_json:
        for told in (*warnings, *figures.remarks()):
            terminal.warn(told)
    if warnings:
        raise typer.Exit(ExitCode.FINDING)
