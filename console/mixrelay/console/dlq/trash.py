"""`mixrelay dlq trash` and `restore`: what was discarded lately, and its way back."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.text import Text

from mixrelay.console import masking, terminal
from mixrelay.console.dlq.letter_json import facts
from mixrelay.console.dlq.operator import operator
from mixrelay.console.dlq.views import about
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat
from mixrelay.console.tables import plain_table
from mixrelay.console.text import count, cut, duration, iso
from mixrelay.shared.queue import LETTERS_AT_MOST, LetterFilter, Number, Queue
from mixrelay.shared.queue.trash.box import Trashed

_SHOWN = 60


def register(dlq: typer.Typer) -> None:
    dlq.command(
        "trash",
        **examples(
            "mixrelay dlq trash",
            "mixrelay dlq trash --json | jq -r .id",
            "mixrelay dlq trash --empty --yes --why 'a request to erase'",
        ),
    )(flat(trash))
    dlq.command(
        "restore",
        **examples(
            "mixrelay dlq restore --job 5f3ac0de11",
            "mixrelay dlq restore --event 'Checked Out' --dry-run",
            "mixrelay dlq restore --all --why 'the wrong filter'",
        ),
    )(flat(restore))


@dataclass(frozen=True, slots=True)
class Looking:
    """How the trash is shown, or emptied."""

    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=1_000_000_000, help="Letters listed.")
    ] = 20
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False
    wide: Annotated[bool, typer.Option("--wide", help="All columns.")] = False
    empty: Annotated[
        bool, typer.Option("--empty", help="Drop all of it for good: nothing restores it then.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")
    ] = ""


def trash(where: Where, looking: Looking) -> None:
    """List what was discarded last, and can be restored; or empty the trash."""
    with where.open() as queue:
        if looking.empty:
            _empty(queue, looking)
            return
        found = queue.letters.trash.newest(looking.limit)
        if looking.as_json:
            for one in found:
                typer.echo(json.dumps(_object(one)))
            return
        size = queue.letters.trash.size()
    if found:
        _show(found, wide=looking.wide)
    kept = "" if size.age_seconds is None else f", each for {duration(size.age_seconds)}"
    terminal.say(f"{count(size.letters, 'letter')} in the trash, {size.bytes:,} bytes{kept}.")


def _show(found: Sequence[Trashed], *, wide: bool) -> None:
    columns = ("who", "job", "why", "subject") if wide else ()
    shown = plain_table("id", "type", "reason", "discarded (UTC)", *columns)
    for one in found:
        letter = one.letter
        when = one.at.strftime("%m-%d %H:%M:%S")
        more = (one.who, one.job or "-", one.why or "-", about(letter)) if wide else ()
        cells = (letter.id, letter.type, letter.reason, when, *more)
        shown.add_row(*(Text(cut(cell, _SHOWN)) for cell in cells))
    terminal.stdout().print(shown)


def _object(one: Trashed) -> dict[str, Any]:
    return {
        **facts(one.letter),
        "discarded": iso(one.at),
        "who": one.who,
        "why": one.why,
        "job": one.job or None,
        "message": masking.readable(one.letter.payload),
    }


def _empty(queue: Queue, looking: Looking) -> None:
    box = queue.letters.trash
    letters = box.size().letters
    asked = f"Drop {count(letters, 'letter')} for good?"
    if letters and not looking.yes and not terminal.confirm(asked):
        raise CommandError("Nothing was changed.")
    gone = 0
    while some := box.empty(who=operator(), why=looking.why):
        gone += some
    typer.echo(f"Dropped {count(gone, 'letter')} for good.")


@dataclass(frozen=True, slots=True)
class Meant:
    """Which letters of the trash: all that is given must match."""

    id: Annotated[
        list[str], typer.Option("--id", metavar="ID", help="A letter by its id; may be repeated.")
    ] = field(default_factory=list)
    job: Annotated[
        str | None, typer.Option(metavar="JOB", help="What this job discarded (`dlq jobs`).")
    ] = None
    reason: Annotated[
        str | None, typer.Option(metavar="REASON", help="The reason, such as invalid.")
    ] = None
    event: Annotated[str | None, typer.Option(metavar="NAME", help="The event's name.")] = None
    distinct_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The user or the group of the message.")
    ] = None
    everything: Annotated[bool, typer.Option("--all", help="All of the trash.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")
    ] = ""

    def check(self) -> None:
        """Refuses what names nothing, or two things.

        Raises:
            typer.BadParameter: say which letters.
        """
        filters = any((self.job, self.reason, self.event, self.distinct_id))
        if sum((bool(self.id), filters, self.everything)) != 1:
            raise typer.BadParameter(
                "Say which letters: --id, or filters such as --job and --event, or --all."
            )

    def find(self, queue: Queue) -> Iterator[Trashed]:
        """Those that are there now."""
        if self.id:
            numbers = [Number(one) for one in dict.fromkeys(self.id)]
            for first in range(0, len(numbers), LETTERS_AT_MOST):
                some = numbers[first : first + LETTERS_AT_MOST]
                yield from queue.letters.trash.get_many(some)
            return
        wanted = LetterFilter(reason=self.reason, event=self.event, distinct_id=self.distinct_id)
        for one in queue.letters.trash.find():
            if self.job in (None, one.job) and wanted.matches(one.letter):
                yield one


def restore(where: Where, meant: Meant) -> None:
    """Make dead letters again of what was discarded: nothing is sent by it, replay them then."""
    meant.check()
    with where.open() as queue:
        found = [one.letter.id for one in meant.find(queue)]
        if meant.dry_run:
            typer.echo(f"Would restore {count(len(found), 'letter')}.")
            return
        done = 0
        try:
            for first in range(0, len(found), LETTERS_AT_MOST):
                some = found[first : first + LETTERS_AT_MOST]
                done += queue.letters.trash.restore(some, who=operator(), why=meant.why)
        finally:
            # Also after Ctrl-C or a lost connection: what was restored, was restored.
            typer.echo(f"Restored {count(done, 'letter')}.")
    if meant.id and len(found) < len(set(meant.id)):
        missing = [one for one in dict.fromkeys(meant.id) if one not in set(found)]
        raise CommandError(f"Not in the trash: {', '.join(missing)}.", "See mixrelay dlq trash.")
