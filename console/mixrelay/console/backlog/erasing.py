"""`mixrelay erase`: everything about a person or a group that the queue still holds."""

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import orjson
import typer

from mixrelay.console import terminal
from mixrelay.console.backlog.dropping import route_waiting
from mixrelay.console.dlq.operator import operator
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where as Server
from mixrelay.console.options import flat, number
from mixrelay.console.text import count
from mixrelay.shared.queue import HOLDABLE, Books, Lane, Queue
from mixrelay.shared.queue.messages.erasing import Erased, Erasing
from mixrelay.shared.queue.opt_outs import OptOuts

_LOOK_EVERY = 0.2
_KNOWN_SECONDS = 5.0
"""In which workers read the list of opt-outs, also those that idle."""
_SHOWN = 20
_PLACES = {
    "incoming": "in the incoming list",
    "lanes": "in lanes",
    "scheduled": "in batches scheduled for retry",
    "letters": "in dead letters (also dropped ones)",
    "trash": "in the trash",
    "copies": "in kept copies of what was delivered",
}
_NOT_REACHED = (
    "Not reached: spools of producers, whose messages workers discard when they come, as all that "
    "is pushed about the id from now on; logs and exported files; and what Mixpanel has (ask it: "
    "GDPR API, data deletion)."
)


@dataclass(frozen=True, slots=True)
class How:
    """What the command does about it."""

    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")
    ]
    wait: Annotated[
        float,
        number(
            "wait", "For what workers hold to be sent or to come back.", least=0, metavar="SECONDS"
        ),
    ] = 60.0
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count, by place; change nothing.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="The result as one object.")] = False
    keep_accepting: Annotated[
        bool,
        typer.Option(
            "--keep-accepting", help="Do not bar the id: what comes about it later is sent."
        ),
    ] = False
    opt_in: Annotated[
        bool,
        typer.Option("--opt-in", help="Erase nothing; send what is about a barred id again."),
    ] = False


@dataclass(frozen=True, slots=True)
class _Result:
    erased: Mapping[str, int]
    in_hand: int
    """Of what workers held when it began, about them."""
    came_back: int
    """Of these, those that came back and were erased; the others were sent."""
    still_in_hand: int
    """Messages of anyone that workers hold although the time to wait is over."""
    unreadable: list[str]
    resumed: list[str]
    """Lanes that someone resumed meanwhile."""

    @property
    def is_done(self) -> bool:
        return not (self.still_in_hand or self.unreadable or self.resumed)


def register(app: typer.Typer) -> None:
    app.command(
        "erase",
        **examples(
            "mixrelay erase user-42 --why 'request 1042' --dry-run",
            "mixrelay erase user-42 --why 'request 1042'",
            "mixrelay erase --group company acme --why 'contract ended' --yes",
        ),
    )(flat(erase))


def erase(
    server: Server,
    how: How,
    distinct_id: Annotated[
        str | None, typer.Argument(metavar="DISTINCT_ID", help="The person's id.")
    ] = None,
    group: Annotated[
        tuple[str, str] | None,
        typer.Option("--group", metavar="KEY ID", help="A group, such as: company acme."),
    ] = None,
) -> None:
    """Erase everything about a person or a group that the queue still holds.

    That is what waits in the incoming list, in lanes and in batches scheduled for retry, dead
    letters, and copies of what was delivered. Meanwhile all lanes are paused. What workers hold is
    waited for.
    """
    if (distinct_id is None) == (group is None):
        raise typer.BadParameter("Name a person by DISTINCT_ID, or a --group by key and id.")
    whom = Erased(distinct_id or None, group)
    if not whom.id or not how.why.strip():
        raise typer.BadParameter("Neither the id nor --why may be empty.")
    with server.open() as queue:
        if how.opt_in:
            _opt_in(OptOuts(queue.redis, queue.name), whom)
            return
        why = f"{how.why.strip()} (id {_fingerprint(whom)})"
        erasing = Erasing(queue.backlog, queue.letters, whom, who=operator(), why=why)
        if how.dry_run or not how.yes:
            found = erasing.preview()
            if how.dry_run:
                _show_preview(found, len(erasing.in_hand()), how)
                return
            records = count(sum(found.values()), "record")
            if not terminal.confirm(f"Erase {records} for good?"):
                raise CommandError("Nothing was changed.")
        if not how.keep_accepting:
            OptOuts(queue.redis, queue.name).add(whom.subject)
        result = _carry_out(queue, erasing, how)
    _show(result, how)
    if not result.is_done:
        raise CommandError("Not all is erased.", _todo(result))


def _opt_in(opt_outs: OptOuts, whom: Erased) -> None:
    if not opt_outs.remove(whom.subject):
        raise CommandError("The id is not barred; nothing was changed.")
    typer.echo("What is about the id is sent again.")


def _fingerprint(whom: Erased) -> str:
    """Names the id in the audit without keeping it."""
    return f"sha256 {hashlib.sha256(whom.id.encode()).hexdigest()[:12]}"


def _carry_out(queue: Queue, erasing: Erasing, how: How) -> _Result:
    began = time.monotonic()
    ends = began + how.wait
    with _all_held(queue):
        in_hand = erasing.in_hand()
        erasing.taking.watched = in_hand
        erased: dict[str, int] = {}
        try:
            while True:
                _wait_for_workers(queue, ends)
                route_waiting(queue)
                for place, records in erasing.erase().items():
                    erased[place] = erased.get(place, 0) + records
                # A worker of another partition may have asked just before the pause.
                books = queue.books()
                left = _leased(books)
                if not left or time.monotonic() >= ends:
                    break
        finally:
            erasing.taking.tell()
        if not how.keep_accepting:
            # Until every worker knows the id, nothing is sent.
            time.sleep(max(0.0, began + _KNOWN_SECONDS - time.monotonic()))
    came_back = len(erasing.taking.numbers)
    held = {hold.lane for hold in books.held}
    resumed = [str(lane) for lane in HOLDABLE if lane not in held]
    return _Result(erased, len(in_hand), came_back, left, erasing.unreadable, resumed)


@contextmanager
def _all_held(queue: Queue) -> Iterator[None]:
    """Pauses the lanes that nobody has paused, and resumes these, whatever happens."""
    who, mine = operator(), list[Lane]()
    try:
        for lane in HOLDABLE:
            if queue.pause(lane, who=who, why="mixrelay erase is running; it resumes the lane"):
                mine.append(lane)
        yield
    finally:
        for held in mine:
            queue.resume(held, who=who, why="mixrelay erase has ended")


def _leased(books: Books) -> int:
    return sum(books.leased[lane] for lane in HOLDABLE)


def _wait_for_workers(queue: Queue, ends: float) -> None:
    while _leased(queue.books()) and time.monotonic() < ends:
        time.sleep(_LOOK_EVERY)


def _show_preview(found: Mapping[str, int], in_hand: int, how: How) -> None:
    if how.as_json:
        told = {"would_erase": found, "in_workers_hands": in_hand}
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
        return
    typer.echo(f"Would erase {count(sum(found.values()), 'record')}.")
    _show_places(found)
    if in_hand:
        typer.echo(f"  {in_hand:,} more in flight: delivered, or erased when they come back")
    terminal.say(_NOT_REACHED)


def _show(result: _Result, how: How) -> None:
    sent = result.in_hand - result.came_back
    if how.as_json:
        told = {
            "erased": result.erased,
            "in_workers_hands": result.in_hand,
            "came_back_and_erased": result.came_back,
            "still_in_workers_hands": result.still_in_hand,
            "unreadable": result.unreadable,
            "resumed_meanwhile": result.resumed,
        }
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
        return
    typer.echo(f"Erased {count(sum(result.erased.values()), 'record')}.")
    _show_places(result.erased)
    if result.in_hand:
        typer.echo(
            f"Of {count(result.in_hand, 'message')} in flight {result.came_back:,} came "
            f"back and went; {sent:,} were sent, or are still there."
        )
    terminal.say(_NOT_REACHED)


def _show_places(found: Mapping[str, int]) -> None:
    for place, text in _PLACES.items():
        if records := found.get(place):
            typer.echo(f"  {records:,} {text}")


def _todo(result: _Result) -> str:
    said = []
    if result.still_in_hand:
        said.append(
            f"{count(result.still_in_hand, 'message')} were still in flight after --wait: "
            "run the command again."
        )
    if result.resumed:
        said.append(
            f"{', '.join(result.resumed)} was resumed meanwhile, and may have sent some: "
            "run the command again."
        )
    if result.unreadable:
        shown = ", ".join(result.unreadable[:_SHOWN])
        more = len(result.unreadable) - _SHOWN
        also = f" and {more:,} others" if more > 0 else ""
        said.append(
            f"Dead letters that cannot be read hold the id as text: {shown}{also}. Look at them "
            "(mixrelay dlq show ID), and discard what is meant: "
            "mixrelay dlq discard --for-good --id ID."
        )
    return " ".join(said)
