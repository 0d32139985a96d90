"""`mixrelay pause` and `mixrelay resume`."""

from enum import StrEnum
from typing import Annotated

import typer

from mixrelay.console import terminal
from mixrelay.console.dlq.operator import operator
from mixrelay.console.health.circuits import held_problem
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat
from mixrelay.console.text import count
from mixrelay.shared.queue import Books, Lane


class Holdable(StrEnum):
    EVENT = "event"
    IMPORT = "import"
    PROFILE_UPDATE = "profile_update"
    GROUP_UPDATE = "group_update"


_Which = Annotated[Holdable, typer.Argument(metavar="LANE", help=f"{', '.join(Holdable)}.")]


def register(app: typer.Typer) -> None:
    app.command(
        "pause",
        **examples(
            "mixrelay pause event --why 'the new project is being set up'",
            "mixrelay pause profile_update --why deploy",
        ),
    )(flat(pause))
    app.command(
        "resume",
        **examples("mixrelay resume event", "mixrelay resume event --why 'it is set up'"),
    )(flat(resume))


def pause(
    where: Where,
    which: _Which,
    why: Annotated[
        str,
        typer.Option(
            "--why", metavar="TEXT", help="The reason: shown by status, noted in the audit."
        ),
    ],
) -> None:
    """Pause a lane: nothing is sent from it until someone resumes it; messages are kept.

    Requests under way still end. Only `mixrelay resume` ends a pause.
    """
    if not why.strip():
        raise typer.BadParameter(
            "Give a reason with --why: others who find the lane paused need it."
        )
    lane = Lane(which.value)
    with where.open() as queue:
        done = queue.pause(lane, who=operator(), why=why.strip())
        books = queue.books()
    if not done:
        terminal.warn(f"Nothing was changed: {_as_it_is(books, lane)}")
        return
    typer.echo(f"{lane} is paused until: mixrelay resume {lane}")
    if under_way := books.leased[lane]:
        terminal.say(f"{count(under_way, 'message')} in flight will still be sent.")


def resume(
    where: Where,
    which: _Which,
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")
    ] = "",
) -> None:
    """Resume a lane that an operator paused, whoever it was; workers go on within seconds.

    A circuit that opened after failures needs no command: workers probe the destination, and
    close the circuit once Mixpanel accepts a batch.
    """
    lane = Lane(which.value)
    with where.open() as queue:
        done = queue.resume(lane, who=operator(), why=why.strip())
        waiting = queue.books().lanes[lane]
    if not done:
        terminal.warn(f"Nothing was changed: {lane} is not paused by an operator.")
        return
    typer.echo(f"{lane} is resumed: {count(waiting, 'message')} queued.")


def _as_it_is(books: Books, lane: Lane) -> str:
    for hold in books.held:
        if hold.lane is lane:
            return str(held_problem(hold, books.now_ms))
    return f"{lane} was paused, and resumed meanwhile."
