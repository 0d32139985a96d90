"""Dead letters as tables and pages for eyes."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mixrelay.console import masking
from mixrelay.console.dlq.grouping import Kind, said
from mixrelay.console.tables import plain_table
from mixrelay.console.text import cut, iso, safe
from mixrelay.shared.queue import Letter
from mixrelay.shared.queue.letters.letter import subjects

_PAYLOAD_SHOWN = 20_000
"""Characters of a payload that `show` prints."""
_ERROR_SHOWN = 120
_LINES = 1.7
"""That a letter takes at most in a list, less what breaking at words wastes."""
_GAP = 2
_NARROW = 100
_COLUMNS = (
    "id",
    "type",
    "reason",
    ">status",
    ">attempts",
    ">replays",
    "failed (UTC)",
    "subject",
    "error",
)


def table(letters: Sequence[Letter], width: int, *, wide: bool = False) -> Table:
    """One letter a row; what it is about, and its error, are cut to what the rest leaves.

    Args:
        letters: the rows.
        width: columns of the terminal; below `_NARROW` there are fewer columns.
        wide: all columns, whatever the width.
    """
    if width < _NARROW and not wide:
        return _narrow(letters, width)
    rows = [_facts(letter) for letter in letters]
    left = width - _taken(_COLUMNS, rows) - _GAP
    subject, error = max(12, left * 2 // 5), max(20, left * 3 // 5)
    shown = plain_table(*_COLUMNS)
    for letter, facts in zip(letters, rows, strict=True):
        cuts = cut(about(letter), int(subject * _LINES)), cut(said(letter), int(error * _LINES))
        shown.add_row(*(Text(safe(cell)) for cell in (*facts, *cuts)))
    return shown


def _narrow(letters: Sequence[Letter], width: int) -> Table:
    """A line for each; `--wide` has the rest."""
    rows = [
        (letter.id, cut(letter.reason, 12), letter.dead_since.strftime("%m-%d %H:%M"))
        for letter in letters
    ]
    columns = ("id", "reason", "failed (UTC)")
    left = max(10, width - _taken(columns, rows))
    shown = plain_table(*columns, "error")
    for letter, facts in zip(letters, rows, strict=True):
        shown.add_row(*(Text(safe(cell)) for cell in (*facts, cut(said(letter), left))))
    return shown


def _facts(letter: Letter) -> tuple[str, ...]:
    return (
        letter.id,
        letter.type,
        letter.reason,
        str(letter.status or "-"),
        str(letter.attempts),
        str(letter.replays),
        letter.dead_since.strftime("%m-%d %H:%M"),
    )


def about(letter: Letter) -> str:
    """The event's name and whom it is about, of the first record."""
    for event, who in subjects(letter.payload):
        return " / ".join(part for part in (event, who) if part)
    return ""


def page(letter: Letter) -> RenderableType:
    """All that is known of one letter."""
    facts = Table.grid(padding=(0, 2))
    rows: tuple[tuple[str, str], ...] = (
        ("type", letter.type),
        ("reason", letter.reason),
        (
            "HTTP status",
            str(letter.status) if letter.status else "none: it was not sent, or no answer",
        ),
        ("field", letter.field or "-"),
        ("attempts", str(letter.attempts)),
        ("replays", str(letter.replays)),
        ("first seen", iso(letter.first_seen)),
        ("failed at", iso(letter.dead_since)),
    )
    if letter.requeued_by:
        rows += (("re-queued by", f"job {letter.requeued_by}, and failed again"),)
    if letter.imported:
        came = f"was {letter.imported.id}, failed at {iso(letter.imported.dead_since)}"
        rows += (("imported", came),)
    for name, value in rows:
        facts.add_row(Text(name, style="bold"), Text(safe(value)))
    parts: list[RenderableType] = [
        Text(f"Dead letter {letter.id}", style="bold"),
        facts,
        *_titled("Error", Text(safe(letter.error) or "nothing")),
        *_titled("Message", Text(_payload(letter.payload, letter.id))),
    ]
    if letter.edits:
        parts += _titled("Edits", _edits(letter))
    if letter.original is not None:
        parts += _titled("As it was pushed", Text(_payload(letter.original, letter.id)))
    if letter.deaths:
        parts += _titled("Earlier failures", _history(letter))
    return Group(*parts)


def _titled(title: str, body: RenderableType) -> tuple[RenderableType, ...]:
    return Text(), Text(title, style="bold"), body


def _edits(letter: Letter) -> Table:
    shown = plain_table("edited", "who", "what", "why")
    for edit in letter.edits:
        what = "restored" if edit.restored else "edited"
        cells = (iso(edit.at), safe(edit.who), what, cut(edit.why, _ERROR_SHOWN))
        shown.add_row(*(Text(cell) for cell in cells))
    return shown


def _payload(payload: bytes, letter_id: str) -> str:
    text = "\n".join(safe(line) for line in masking.pretty(payload).splitlines())
    if len(text) <= _PAYLOAD_SHOWN:
        return text
    return f"{text[:_PAYLOAD_SHOWN]}…\n(cut; the whole: mixrelay dlq export --id {letter_id})"


def _history(letter: Letter) -> Table:
    shown = plain_table("failed at", "reason", ">status", "error", "replayed", "by job")
    for death in letter.deaths:
        status = str(death.status or "-")
        error = cut(death.error, _ERROR_SHOWN)
        cells = (
            iso(death.at),
            death.reason,
            status,
            error,
            iso(death.replayed_at),
            death.job or "-",
        )
        shown.add_row(*(Text(safe(cell)) for cell in cells))
    return shown


_STATS = ("reason", ">status", "type", ">letters", "first (UTC)", "last (UTC)", "for instance")


def stats(groups: Sequence[Kind], width: int) -> Table:
    rows = [_figures(group) for group in groups]
    sample = max(20, width - _taken(_STATS, rows))
    shown = plain_table(*_STATS)
    for group, figures in zip(groups, rows, strict=True):
        said_of_it = cut(group.sample, int(sample * _LINES))
        shown.add_row(*(Text(safe(cell)) for cell in (*figures, said_of_it)))
    return shown


def _figures(group: Kind) -> tuple[str, ...]:
    status, letters = str(group.status or "-"), f"{group.letters:,}"
    times = (_when(group.first), _when(group.last))
    return group.reason, status, group.type, letters, *times


def _taken(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The columns of the terminal that the cells take, gaps included."""
    columns = zip(names, *rows, strict=False)
    return sum(max(len(cell.removeprefix(">")) for cell in column) + _GAP for column in columns)


def _when(moment: datetime) -> str:
    return moment.strftime("%m-%d %H:%M:%S")
