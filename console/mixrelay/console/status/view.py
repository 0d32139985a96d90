"""The figures for eyes."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mixrelay.console.status.figures import Figures
from mixrelay.console.status.fleet import WorkerSeen
from mixrelay.console.status.mixpanel_view import mixpanel
from mixrelay.console.tables import plain_table
from mixrelay.console.text import count, cut, duration, safe
from mixrelay.shared.queue import TOTALS, Books, Lane, Outlook, PausedDestination
from mixrelay.shared.queue.messages.operator_pause import OPERATOR

_SHOWN_REASON = 80
_SHOWN_DESTINATION = 48


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
    warnings, remarks = figures.warnings(), figures.remarks()
    state = Text.assemble((safe(figures.queue), "bold"), "  ")
    state.append(verdict_words(warnings, remarks), style="yellow" if warnings else "green")
    lines = [Text(f"! {safe(warning)}", style="yellow") for warning in warnings]
    return Group(state, *lines, *(Text(f"- {safe(remark)}") for remark in remarks))


def verdict_words(warnings: Sequence[str], remarks: Sequence[str]) -> str:
    """`degraded, 2 problems`, `no problem, 1 note`, or `all is well`."""
    if warnings:
        return f"degraded, {count(len(warnings), 'problem')}"
    return f"no problem, {count(len(remarks), 'note')}" if remarks else "all is well"


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


def _paused(paused: Iterable[PausedDestination]) -> Table:
    shown = plain_table(
        "circuit open, or paused", "lane", "kind", ">status", ">failures", ">next try in", "error"
    )
    for pause in paused:
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
    return shown


def _next_try(pause: PausedDestination) -> str:
    if pause.kind == OPERATOR:
        return "when resumed"
    return duration(pause.seconds) if pause.seconds else "due"


def _paces(paces: Mapping[str, int]) -> Table:
    shown = plain_table("recovering", ">concurrency limit")
    for destination, limit in paces.items():
        shown.add_row(Text(cut(destination, _SHOWN_DESTINATION)), f"{limit:,}")
    return shown


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
