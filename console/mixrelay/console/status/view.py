"""The figures for eyes."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mixrelay.console.status.figures import Figures
from mixrelay.console.status.fleet import WorkerSeen
from mixrelay.console.status.mixpanel_view import mixpanel
from mixrelay.console.tables import plain_table
from mixrelay.console.text import cut, duration, safe
from mixrelay.shared.queue import TOTALS, Books, Lane, Outlook, PausedDestination
from mixrelay.shared.queue.messages.operator_pause import OPERATOR

_SHOWN_REASON = 80
_CIRCUITS_SHOWN = 10
"""Destinations: one outage may close hundreds, and the first lines say its cause."""
_SHOWN_DESTINATION = 48
_ONLY_MEMORY = "its append-only file is off: a crash of Redis loses messages (mixrelay doctor)"
_STYLES = {"degraded": "yellow", "note": "", "well": "green"}
"""By state: green where there is nothing to know."""


def view(figures: Figures) -> RenderableType:
    """The whole picture, the verdict first."""
    parts = [
        standing(figures),
        *troubles(figures),
        *mixpanel(figures.books),
        _totals(figures),
        crew(figures.workers),
    ]
    return Group(verdict(figures), *(line for part in parts for line in (Text(), part)))


def standing(figures: Figures) -> RenderableType:
    """Where messages are."""
    return Group(_waiting(figures), Text(), _lanes(figures.books))


def troubles(figures: Figures) -> list[RenderableType]:
    """What holds messages back, and what died."""
    books = figures.books
    found: list[tuple[object, RenderableType]] = [
        (books.paused, _paused(books.paused)),
        (books.paces, _paces(books.paces)),
        (books.dead, _dead(books)),
    ]
    return [shown for is_any, shown in found if is_any]


def verdict(figures: Figures) -> RenderableType:
    """The first lines: the problems, then what one should know; never well beside either."""
    health = figures.health()
    state = Text.assemble((safe(figures.queue), "bold"), "  ")
    state.append(health.words, style=_STYLES[health.state])
    lines = [Text(f"! {safe(str(one))}", style="yellow") for one in health.urgent]
    return Group(state, *lines, *(Text(f"- {safe(str(one))}") for one in health.notes))


def _waiting(figures: Figures) -> Table:
    books, oldest = figures.books, figures.oldest_seconds
    shown = Table.grid(padding=(0, 3, 0, 0))
    leased, parked = sum(books.leased.values()), sum(books.parked.values())
    shown.add_row("incoming list", f"{books.queued:,}")
    shown.add_row("in flight", f"{leased:,}")
    shown.add_row("scheduled for retry", f"{parked:,}")
    shown.add_row("dead letters", f"{books.dead:,}{_kept(figures.outlook)}")
    if books.waiting:
        shown.add_row("oldest", duration(oldest) if oldest is not None else "unknown")
    else:
        shown.add_row("oldest", "no backlog")
    if figures.persistent is False:
        shown.add_row("redis", _ONLY_MEMORY)
    return shown


def _kept(outlook: Outlook | None) -> str:
    """How long, and how many: nothing where they are kept for ever."""
    limits = []
    if outlook and outlook.max_age:
        limits.append(f"for {duration(outlook.max_age.total_seconds())}")
    if outlook and outlook.max_letters:
        limits.append(f"{outlook.max_letters:,} at most")
    return f"  (kept {', '.join(limits)})" if limits else ""


def _lanes(books: Books) -> Table:
    shown = plain_table("lane", ">queued", ">in flight", ">scheduled for retry")
    for lane in Lane:
        figures = (books.lanes[lane], books.leased[lane], books.parked[lane])
        if lane is not Lane.ODD or any(figures):
            shown.add_row(lane.value, *(f"{figure:,}" for figure in figures))
    return shown


def _paused(paused: Sequence[PausedDestination]) -> RenderableType:
    shown = plain_table(
        "circuit open, or paused", "lane", "kind", ">status", ">failures", ">next try in", "error"
    )
    for pause in sorted(paused, key=lambda one: one.since_ms)[:_CIRCUITS_SHOWN]:
        cells = (
            cut(pause.destination, _SHOWN_DESTINATION),
            pause.lane,
            pause.kind,
            str(pause.status or "-"),
            str(pause.failures or "-"),
            _next_try(pause),
            cut(pause.reason, _SHOWN_REASON),
        )
        shown.add_row(*(Text(safe(cell)) for cell in cells))
    return _and_more(shown, len(paused), _CIRCUITS_SHOWN)


def _and_more(shown: Table, there: int, most: int) -> RenderableType:
    """A table with the number of rows that it leaves out."""
    left = there - most
    return Group(shown, Text(f"{left:,} more: mixrelay status --json")) if left > 0 else shown


def _next_try(pause: PausedDestination) -> str:
    if pause.kind == OPERATOR:
        return "when resumed"
    return duration(pause.seconds) if pause.seconds else "due"


def _paces(paces: Mapping[str, int]) -> RenderableType:
    shown = plain_table("recovering", ">concurrency limit")
    for destination, limit in sorted(paces.items(), key=lambda one: one[1])[:_CIRCUITS_SHOWN]:
        shown.add_row(Text(cut(destination, _SHOWN_DESTINATION)), f"{limit:,}")
    return _and_more(shown, len(paces), _CIRCUITS_SHOWN)


def _dead(books: Books) -> Table:
    shown = plain_table("dead: reason", ">status", "type", ">letters")
    for (reason, status, kind), number in sorted(books.dead_by.items(), key=lambda g: -g[1]):
        shown.add_row(Text(safe(reason)), str(status or "-"), Text(safe(kind)), f"{number:,}")
    return shown


def _totals(figures: Figures) -> Table:
    shown = plain_table("total", *(f">{name}" for name in TOTALS))
    shown.add_row("since it began", *(f"{figures.books.totals[name]:,}" for name in TOTALS))
    shown.add_row("a minute, lately", *(f"{figures.rate(name):,.0f}" for name in TOTALS))
    return shown


def crew(workers: Sequence[WorkerSeen] | None) -> RenderableType:
    if workers is None:
        return Text("workers unknown")
    if not workers:
        return Text("no workers")
    shown = plain_table("worker", "host", ">pid", "state", ">last seen")
    for worker in workers:
        cells = (worker.name, worker.host, str(worker.pid), worker.state)
        shown.add_row(*(Text(safe(c)) for c in cells), f"{duration(worker.seconds_ago)} ago")
    return shown
