"""`mixrelay dlq`: list, show, stats, export; and what decides: replay, discard and the others."""

import itertools
import sys
from typing import Annotated

import typer

from mixrelay.console import terminal
from mixrelay.console.dlq import (
    editing,
    fixing,
    importing,
    jobs,
    letter_json,
    searching,
    stats,
    trash,
    views,
)
from mixrelay.console.dlq.deciding import discard, replay
from mixrelay.console.dlq.selection import Selection
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import Group, examples, lines
from mixrelay.console.options import Where, flat
from mixrelay.shared.queue import Number

_ROWS = 50
"""Letters that `list` shows unless told otherwise."""

dlq = typer.Typer(
    name="dlq",
    help="Dead letters: what Mixpanel refused, or what could not be read.",
    cls=Group,
    epilog=lines(
        "mixrelay dlq stats  # how many, and why",
        "mixrelay dlq list --reason invalid",
        "mixrelay dlq replay --reason rejected --dry-run",
    ),
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(dlq)


@dlq.command(
    "list",
    **examples(
        "mixrelay dlq list",
        "mixrelay dlq list --type event --since 2h --limit 0",
        "mixrelay dlq list --json | jq -r '[.id, .reason, .error] | @tsv'",
    ),
)
@flat
def list_letters(
    where: Where,
    chosen: Selection,
    as_json: Annotated[bool, typer.Option("--json", help="Every match, an object a line.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help=f"Letters shown, 0 for all; without it {_ROWS}, and all of them as JSON.",
        ),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="All columns, on a narrow terminal too.")
    ] = False,
) -> None:
    """List the letters that match, the earliest failure first; this changes nothing."""
    with where.open() as queue:
        letters = chosen.resolve(queue).letters()
        if as_json:
            for letter in itertools.islice(letters, limit or None):
                sys.stdout.write(letter_json.line(letter) + "\n")
            return
        most = _ROWS if limit is None else limit
        found = list(itertools.islice(letters, most or None))
        if not found:
            terminal.say(
                "No letter matches." if queue.books().dead else "There are no dead letters."
            )
            return
        console = terminal.stdout()
        console.print(views.table(found, console.width, wide=wide))
        if next(letters, None):
            terminal.say(f"The first {most} are shown; more match: --limit 0 shows all.")


@dlq.command("show", **examples("mixrelay dlq show 0-42"))
@flat
def show(
    where: Where,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `dlq list` shows it.")],
) -> None:
    """Show one letter: its message, the error, its history."""
    with where.open() as queue:
        letter = queue.letters.get(Number(letter_id))
    if letter is None:
        raise CommandError(
            f"There is no dead letter {letter_id}.",
            "It was replayed or discarded, or never was one: see mixrelay dlq list.",
        )
    terminal.stdout().print(views.page(letter), soft_wrap=True)


stats.register(dlq)
searching.register(dlq)


@dlq.command(
    "export",
    **examples(
        "mixrelay dlq export > letters.jsonl",
        "mixrelay dlq export --reason malformed --raw  # exact bytes, secrets included",
    ),
)
@flat
def export(
    where: Where,
    chosen: Selection,
    raw: Annotated[
        bool, typer.Option("--raw", help="Include secrets, and add the tuple's exact bytes.")
    ] = False,
) -> None:
    """Write the letters that match as JSON lines; the letters are kept."""
    with where.open() as queue:
        for letter in chosen.resolve(queue).letters():
            sys.stdout.write(letter_json.line(letter, raw=raw) + "\n")


dlq.command(
    "replay",
    **examples(
        "mixrelay dlq replay --id 0-42 --id 0-43",
        "mixrelay dlq replay --reason rejected --since 1d --dry-run",
        "mixrelay dlq replay --all --rate 500 --yes",
        "mixrelay dlq replay --type event --background  # by a worker",
    ),
)(flat(replay))
dlq.command(
    "discard",
    **examples(
        "mixrelay dlq discard --reason malformed --until 30d --dry-run",
        "mixrelay dlq discard --id 0-42 --yes",
    ),
)(flat(discard))
fixing.register(dlq)
editing.register(dlq)
importing.register(dlq)
jobs.register(dlq)
trash.register(dlq)
