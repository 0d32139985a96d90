"""`mixrelay status`."""

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated

import typer
from redis.exceptions import ResponseError
from rich.live import Live

from mixrelay.console import terminal
from mixrelay.console.exits import ExitCode
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat, from_table
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.fleet import workers
from mixrelay.console.status.view import view
from mixrelay.shared.queue import Queue
from mixrelay.worker.rq_queue import queue_name

_REFRESH = 1.0
"""Seconds between two looks of `--watch`."""


def register(app: typer.Typer) -> None:
    app.command(
        "status",
        **examples(
            "mixrelay status",
            "mixrelay status --watch",
            "mixrelay status --json | jq .oldest_seconds",
            "mixrelay status > /dev/null || echo 'look after the queue'  # for cron",
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
    """Show whether all is well: what waits, what is paused, what died, who works.

    Exit code 0: all is well. 1: something needs an eye: messages wait and no worker runs, a
    destination is paused by wrong settings or for more than 5 minutes, Redis may evict keys, the
    books do not balance. Dead letters alone are well: they wait for a decision.
    """
    with where.open() as queue:

        def look() -> Figures:
            return _look(queue, rq_redis_url or where.redis_url)

        show = _print_json if as_json else _print
        if watch:
            _watch(look, show)
            return
        figures = look()
    show(figures)
    warnings = figures.warnings()
    if as_json:
        for warning in warnings:
            terminal.warn(warning)
    if warnings:
        raise typer.Exit(ExitCode.FINDING)


def _look(queue: Queue, rq_url: str) -> Figures:
    return Figures(
        queue=queue.name,
        books=queue.books(),
        workers=workers(rq_url, queue_name(queue.name)),
        eviction=_eviction(queue),
    )


def _eviction(queue: Queue) -> str | None:
    try:
        memory = queue.redis.info("memory")
    except ResponseError:
        return None  # This user may not ask; `doctor` says how to let it.
    return str(memory.get("maxmemory_policy", "")) or None


def _print(figures: Figures) -> None:
    terminal.stdout().print(view(figures))


def _print_json(figures: Figures) -> None:
    typer.echo(json.dumps(figures.as_json()))


def _watch(look: Callable[[], Figures], show: Callable[[Figures], None]) -> None:
    console = terminal.stdout()
    live = Live(console=console, auto_refresh=False, screen=True)
    drawn = console.is_terminal and show is _print
    try:
        with live if drawn else nullcontext():
            while True:
                if drawn:
                    live.update(view(look()), refresh=True)
                else:
                    show(look())
                time.sleep(_REFRESH)
    except KeyboardInterrupt:
        return
