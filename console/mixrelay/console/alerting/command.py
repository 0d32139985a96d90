"""`mixrelay alert`."""

import signal
import time
from dataclasses import dataclass
from types import FrameType
from typing import Annotated

import typer
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from mixrelay.console import terminal
from mixrelay.console.alerting.findings import Finding, findings
from mixrelay.console.alerting.options import COMMAND, FORMAT, KEY, PAGE, RUNBOOKS, WEBHOOK
from mixrelay.console.alerting.shapes import Extras, Shape
from mixrelay.console.alerting.telling import Tell, command, webhook
from mixrelay.console.alerting.watcher import Watcher
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat, from_table, number, of_option
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.look import look as look_at
from mixrelay.shared.connection import NotACluster
from mixrelay.shared.queue import Queue
from mixrelay.shared.settings import rq_address

_LOOK_SECONDS = 0.2
"""Between two looks whether a signal came."""


@dataclass(frozen=True, slots=True)
class Whom:
    """Who is told."""

    webhook: Annotated[
        str,
        of_option(WEBHOOK, "URL"),
    ] = ""
    command: Annotated[
        str,
        of_option(COMMAND, "COMMAND"),
    ] = ""
    format: Annotated[str, of_option(FORMAT, "FORMAT")] = FORMAT.default
    key: Annotated[str, of_option(KEY, "KEY")] = ""
    page: Annotated[str, of_option(PAGE, "URL")] = ""
    runbooks: Annotated[str, of_option(RUNBOOKS, "URL")] = ""

    def tell(self) -> Tell | None:
        """The way; None where there is none."""
        if self.webhook and self.command:
            raise CommandError(
                "A webhook and a command were both given: each alert is sent once.",
                "Give one of them, or have the command call the webhook too.",
                code=ExitCode.USAGE,
            )
        extras = Extras(self.page, self.runbooks, self.key)
        if self.webhook:
            return webhook(self.webhook, Shape(self.format), extras)
        return command(self.command, extras) if self.command else None


@dataclass(frozen=True, slots=True)
class Turns:
    """How often, and from when on."""

    oldest: Annotated[
        float,
        number(
            "oldest",
            "Allowed age of a message in the backlog, and of a token that nothing has proven.",
            least=1,
            most=315_360_000,
            metavar="SECONDS",
        ),
    ] = 300.0
    every: Annotated[
        float, number("every", "Time between two looks.", least=0.1, most=86_400, metavar="SECONDS")
    ] = 15.0
    once: Annotated[
        bool, typer.Option("--once", help="Look once; exit code 1 where an alert fires.")
    ] = False


def register(app: typer.Typer) -> None:
    app.command(
        "alert",
        **examples(
            "MIXRELAY_ALERT_WEBHOOK=https://example.com/hook mixrelay alert  # any number",
            "mixrelay alert --webhook https://hooks.slack.com/services/T0/B0/x --format slack",
            "mixrelay alert --command 'mail-the-team urgent' --oldest 600",
            "mixrelay alert --once || echo 'the queue has a problem'  # for cron",
        ),
    )(flat(alert))


def alert(
    where: Where,
    whom: Whom,
    turns: Turns,
    rq_redis_url: Annotated[str, from_table("rq_redis_url", "URL")] = "",
) -> None:
    """Notify a webhook or a command of problems, such as an open circuit or no worker.

    Each alert is sent once when it begins and once when it is over, however many of these run:
    Redis keeps what was sent. A problem is sent when two looks in a row find it (with --once, at
    the first); an alert that cannot be sent is tried again. Ends at SIGTERM and Ctrl-C.
    """
    tell = whom.tell()
    if tell is None and not turns.once:
        raise CommandError(
            "There is nobody to notify.",
            "Give --webhook or --command, or --once.",
            code=ExitCode.USAGE,
        )
    with where.open() as queue:

        def look() -> Figures:
            return look_at(queue, rq_address(rq_redis_url, where.redis_url))

        _check_address(queue)
        if tell is None:
            found = list(findings(look(), turns.oldest))
        else:
            watcher = Watcher(
                queue, look, tell, turns.oldest, where.redis_url, is_patient=not turns.once
            )
            found = watcher.turn() if turns.once else _watch(watcher, turns.every)
    for one in found:
        terminal.say(f"{one.name}: {one.summary} {one.what_to_do}")
    if found:
        raise typer.Exit(ExitCode.FINDING)


def _check_address(queue: Queue) -> None:
    """An address that never answered is more likely wrong than away.

    Raises:
        redis.RedisError: no server answers there, or it refuses the user or password.
    """
    try:
        queue.redis.time()
    except RedisError as error:
        # Whoever says that it is loading, busy or a replica is a Redis, and is watched.
        answers = isinstance(error, ResponseError | BusyLoadingError)
        if not answers or isinstance(error, AuthenticationError | NotACluster):
            raise


def _watch(watcher: Watcher, every: float) -> list[Finding]:
    """Until a signal; a turn that was begun is ended, so that nothing is told again."""
    is_over = False

    def end(_signum: int, _frame: FrameType | None) -> None:
        nonlocal is_over
        is_over = True

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, end)
    terminal.say(f"watching {watcher.queue.name} every {every:g} s")
    while not is_over:
        watcher.turn()
        next_at = time.monotonic() + every
        while not is_over and (left := next_at - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
    return []
