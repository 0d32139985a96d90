"""`mixrelay dlq search`: by text, among so many letters at a time."""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from mixrelay.console import terminal
from mixrelay.console.dlq import letter_json, views
from mixrelay.console.dlq.selection import ByFilter, Selection
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat
from mixrelay.console.text import count

_LOOKED_AT = 50_000
_SHOWN = 50


def register(dlq: typer.Typer) -> None:
    dlq.command(
        "search",
        **examples(
            "mixrelay dlq search 'nests too deep'",
            "mixrelay dlq search order-1042 --reason invalid --json",
        ),
    )(flat(search))


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one search goes."""

    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1_000, help="Letters shown.")] = (
        _SHOWN
    )
    look_at: Annotated[
        int,
        typer.Option(
            "--look-at", metavar="N", min=1, max=10_000_000, help="Letters looked at, at most."
        ),
    ] = _LOOKED_AT
    cursor: Annotated[
        str, typer.Option(metavar="CURSOR", help="Where the search before this one ended.")
    ] = ""
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False


def search(
    where: Where,
    sought: Annotated[str, typer.Argument(metavar="TEXT", help="In the message or the error.")],
    chosen: Selection,
    bounds: Bounds,
) -> None:
    """Search dead letters for a text, the newest failure first, a bounded number at a time."""
    if chosen.id or chosen.text:
        raise typer.BadParameter("search takes its text as TEXT, and filters beside it.")
    with where.open() as queue:
        found = replace(chosen, text=sought).resolve(queue)
        assert isinstance(found, ByFilter)  # noqa: S101 - no id was given
        try:
            page = queue.letters.page(
                found.wanted,
                bounds.cursor or None,
                limit=bounds.limit,
                look_at=bounds.look_at,
            )
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--cursor") from error
        dead = queue.books().dead
    if bounds.as_json:
        for letter in page.letters:
            sys.stdout.write(letter_json.line(letter) + "\n")
    elif page.letters:
        console = terminal.stdout()
        console.print(views.table(page.letters, console.width))
    terminal.say(
        f"{count(len(page.letters), 'letter')} found among {page.looked:,} looked at; "
        f"there are {dead:,} in all."
    )
    if page.cursor:
        terminal.say(f"To go on, add: --cursor {page.cursor}")
