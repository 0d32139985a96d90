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

    Exit code 0: no problem. 1: degraded, by the same judgement as the page, alerts and metrics:
    messages fail; a circuit is open for over a minute; a lane is paused; there is a backlog and no
    worker, or one that is too old; a token is refused, or unproven for long; Redis refuses writes,
    is nearly full or may evict; messages are unaccounted for. Notes change no exit code.
    """
    with where.open() as queue:

        def look() -> Figures:
            return look_at(queue, rq_address(rq_redis_url, where.redis_url))

        if watch:
            watch_figures(look, queue.history, where.redis_url, as_json=as_json)
            return
        figures = look()
    show(figures, as_json=as_json)
    health = figures.health()
    if as_json:
        for one in (*health.urgent, *health.notes):
            terminal.warn(str(one))
    if health.urgent:
        raise typer.Exit(ExitCode.FINDING)
