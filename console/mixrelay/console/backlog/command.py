"""`mixrelay queue`: peek, top and drop."""

import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from mixrelay.console import terminal
from mixrelay.console.backlog import shares, views
from mixrelay.console.backlog.dropping import drop
from mixrelay.console.helptext import Group, examples, lines
from mixrelay.console.options import Where as Server
from mixrelay.console.options import flat
from mixrelay.console.text import count
from mixrelay.shared.queue import Lane, Queue
from mixrelay.shared.queue.messages.backlog import Store, Where

_ROWS = 10
MOST_SHOWN = 1_000
SAMPLE = 2_000
MOST_SAMPLED = 20_000


class Place(StrEnum):
    """Where messages wait, as an option names it."""

    INCOMING = "incoming"
    LANE = "lane"
    SCHEDULED = "scheduled"


class Laned(StrEnum):
    """A lane, as an option names it."""

    EVENT = "event"
    IMPORT = "import"
    PROFILE_UPDATE = "profile_update"
    GROUP_UPDATE = "group_update"
    UNROUTABLE = "unroutable"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which of what waits."""

    lane: Annotated[
        Laned | None,
        typer.Option("--lane", metavar="LANE", help=f"Only this lane: {', '.join(Laned)}."),
    ] = None
    place: Annotated[
        Place | None,
        typer.Option(
            "--in",
            metavar="WHERE",
            help="Only the incoming list, the lanes, or batches scheduled for retry: "
            f"{', '.join(Place)}.",
        ),
    ] = None

    def stores(self, queue: Queue) -> list[Store]:
        where = Where(self.place) if self.place else None
        return queue.backlog.stores(where, self._lane())

    def _lane(self) -> Lane | None:
        if self.lane is Laned.UNROUTABLE:
            return Lane.ODD
        return Lane(self.lane) if self.lane else None


queue_group = typer.Typer(
    name="queue",
    help="What waits to be sent: look into it, see what it is made of, drop some of it.",
    cls=Group,
    epilog=lines(
        "mixrelay queue top  # what waits, by type, event, token and distinct_id",
        "mixrelay queue peek --lane event",
    ),
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(queue_group)


@queue_group.command(
    "peek",
    **examples(
        "mixrelay queue peek",
        "mixrelay queue peek --lane event --last --number 3",
        "mixrelay queue peek --in scheduled --json | jq .message",
    ),
)
@flat
def peek(
    server: Server,
    scope: Scope,
    number: Annotated[
        int, typer.Option("--number", "-n", metavar="N", min=1, max=MOST_SHOWN, help="Messages.")
    ] = _ROWS,
    last: Annotated[
        bool, typer.Option("--last", help="Those that would be sent last, in their order.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="An object a line.")] = False,
) -> None:
    """Show messages that wait, the next to be sent first; looking changes nothing.

    Batches scheduled for retry come first, then the lanes, then the incoming list. What workers
    hold at this moment is not shown. Secrets are masked.
    """
    with server.open() as queue:
        stores = scope.stores(queue)
        found = queue.backlog.peek(stores, number, last=last)
    if as_json:
        for one in found:
            sys.stdout.write(orjson.dumps(views.as_json(one)).decode() + "\n")
        return
    if not found:
        terminal.say("Nothing waits there.")
        return
    console = terminal.stdout()
    console.print(views.table(found, console.width))
    waiting = sum(one.length for one in stores)
    if waiting > len(found):
        which = "last" if last else "first"
        terminal.say(
            f"The {which} {len(found):,} of {count(waiting, 'message')}: --number shows more."
        )


@queue_group.command(
    "top",
    **examples(
        "mixrelay queue top",
        "mixrelay queue top --lane event --limit 20",
        "mixrelay queue top --json | jq .event",
    ),
)
@flat
def top(
    server: Server,
    scope: Scope,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1_000, help="Rows of each table.")
    ] = _ROWS,
    sample: Annotated[
        int,
        typer.Option(
            "--sample",
            metavar="N",
            min=100,
            max=MOST_SAMPLED,
            help="Messages to look at; where no more wait, all are counted.",
        ),
    ] = SAMPLE,
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
) -> None:
    """Show what waits by type, event name, token and distinct_id, the most frequent first.

    Of a long queue a random sample is looked at, and shares are estimates: the output says so,
    with the size of the sample. Tokens are masked.
    """
    with server.open() as queue:
        stores = scope.stores(queue)
        found = shares.tally(queue.backlog.sample(stores, sample))
    if as_json:
        sys.stdout.write(orjson.dumps(found.as_json(limit)).decode() + "\n")
        return
    if not found.looked:
        terminal.say("Nothing waits there.")
        return
    console = terminal.stdout()
    typer.echo(found.headline)
    for by in shares.BY:
        typer.echo("")
        console.print(views.shares_table(found, by, limit, console.width))


queue_group.command(
    "drop",
    **examples(
        "mixrelay queue drop --event Junk --why 'a loop in release 42' --dry-run",
        "mixrelay queue drop --event Junk --why 'a loop in release 42'",
        "mixrelay queue drop --lane event --distinct-id robot --why 'a load test' --yes",
    ),
)(flat(drop))
