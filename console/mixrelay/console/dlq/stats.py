"""`mixrelay dlq stats`: what the letters died of."""

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from mixrelay.console import terminal
from mixrelay.console.dlq import views
from mixrelay.console.dlq.causes import Cause, causes
from mixrelay.console.dlq.grouping import Kind, kinds
from mixrelay.console.dlq.selection import ByFilter, ById, Selection
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat
from mixrelay.console.text import count, cut, safe
from mixrelay.shared.queue import Letter, Queue

_SAID = 300
_NAMES = 5
_NAME = 60
"""Characters of an event's name."""


def register(dlq: typer.Typer) -> None:
    dlq.command(
        "stats",
        **examples(
            "mixrelay dlq stats",
            "mixrelay dlq stats --since 1d --type event --json",
            "mixrelay dlq stats --kinds  # counted by indexes: at once, also with a million",
        ),
    )(flat(stats))


def stats(
    where: Where,
    chosen: Selection,
    kinds_only: Annotated[
        bool,
        typer.Option("--kinds", help="By reason, HTTP status and type alone; looks at no letter."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A failure group a line.")] = False,
) -> None:
    """Count the letters that match by failure group: reason, field and error, with what to do.

    A group is named by its cause, so its name stays the same, and every command takes it as
    --group. Numbers and ids in an error make no difference.
    """
    if kinds_only and as_json:
        raise typer.BadParameter("--json prints failure groups: leave out --kinds.")
    with where.open() as queue:
        meant = chosen.resolve(queue)
        by_kind = _kinds(queue, meant) if kinds_only else []
        groups = [] if kinds_only else causes(_watched(queue, meant))
        outlook = queue.retention.outlook()
    for warning in outlook.warnings() if outlook else ():
        terminal.warn(warning)
    if as_json:
        for group in groups:
            typer.echo(json.dumps(group.to_json()))
        return
    if by_kind:
        console = terminal.stdout()
        console.print(views.stats(by_kind, console.width))
    for group in groups:
        _show(group)
    letters = sum(one.letters for one in by_kind) + sum(one.letters for one in groups)
    terminal.say(f"{count(letters, 'letter')} in all." if letters else "No letter matches.")


def _show(group: Cause) -> None:
    typer.echo(f"{group.letters:>9,}  {safe(group.reason)}  {cut(group.instance, _SAID)}")
    names = [f"{cut(name, _NAME)} ({n:,})" for name, n in group.names.most_common(_NAMES)]
    if (more := len(group.names) - _NAMES) > 0:
        names.append(f"and {more:,} more")
    died = f"{group.first:%m-%d %H:%M:%S} to {group.last:%m-%d %H:%M:%S} UTC"
    typer.echo(f"{'':11}{', '.join(names)}; died {died}")
    typer.echo(f"{'':11}{safe(group.look)}")
    typer.echo(f"{'':11}{safe(group.mend)}")


def _watched(queue: Queue, meant: ById | ByFilter) -> Iterator[Letter]:
    """The letters, with a bar: each is looked at."""
    with terminal.progress() as bar:
        task = bar.add_task("Looking", total=queue.books().dead)
        for letter in meant.letters():
            bar.update(task, advance=1)
            yield letter


def _kinds(queue: Queue, meant: ById | ByFilter) -> list[Kind]:
    """By the indexes where these answer, else by looking at each letter."""
    if isinstance(meant, ByFilter) and meant.wanted.is_indexed:
        groups = queue.letters.groups(meant.wanted)
        if all(group.is_indexed for group in groups):
            return [kind for group in groups if (kind := Kind.of(group))]
    return kinds(meant.letters())
