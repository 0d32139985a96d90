"""The figures as a page that is drawn again each second: what there is, and how it changes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from mixrelay.console.status.figures import Figures
from mixrelay.console.status.mixpanel_view import mixpanel
from mixrelay.console.status.view import crew, standing, troubles, verdict
from mixrelay.console.tables import plain_table
from mixrelay.console.text import duration, iso, safe
from mixrelay.shared.queue.merged.history import MergedHistory

RATES = ("received", "delivered", "dead", "redelivered")
_MINUTES = 60
"""That a line of rates goes back at most."""
_SIDE_BY_SIDE = 110
"""Columns from which on rates stand beside the figures."""
_LABELS = 32
"""Columns of a rate's name and numbers."""
_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"


class Rates:
    """What was counted in each minute of the last hour, kept from look to look."""

    def __init__(self, history: MergedHistory) -> None:
        self._history = history
        self._minutes: dict[int, dict[str, int]] = {}

    def add(self, figures: Figures) -> None:
        """Takes what a look has of this minute and the one before; asks for what is lacking.

        Raises:
            redis.RedisError: the queue's node is away.
        """
        newest = int(figures.books.now_ms // 60_000)
        if newest - 1 not in self._minutes:
            read = self._history.minutes(_MINUTES, RATES)
            self._minutes = {one.number: dict(one.counters) for one in read}
        for number in (newest - 1, newest):
            self._minutes[number] = dict(figures.books.minutes.get(number, {}))
        self._minutes = {n: told for n, told in self._minutes.items() if n > newest - _MINUTES}

    def past(self, counter: str) -> list[int]:
        """By minute, oldest first, without the one that is not over."""
        return [told.get(counter, 0) for _, told in sorted(self._minutes.items())][:-1]


class Page:
    """One drawing, as wide as the terminal is by now."""

    def __init__(self, figures: Figures, rates: Rates, trouble: str = "") -> None:
        """`trouble` is what keeps us from seeing more than these figures."""
        self._figures = figures
        self._rates = rates
        self._trouble = trouble

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._head()
        yield Text()
        wide = options.max_width >= _SIDE_BY_SIDE
        width = max(_LABELS + 1, options.max_width // (2 if wide else 1))
        bars = _ASCII_BARS if options.ascii_only else _BARS
        yield from self._body(wide=wide, rates=self._lines(width - _LABELS, bars))

    def _head(self) -> Iterator[RenderableType]:
        at = iso(datetime.fromtimestamp(self._figures.books.now_ms / 1000, UTC))
        yield Text(f"{at}  Ctrl-C ends this", style="dim")
        if self._trouble:
            yield Text(f"! {safe(self._trouble)}\n  What was seen last:", style="yellow")
        yield verdict(self._figures)

    def _body(self, *, wide: bool, rates: RenderableType) -> Iterator[RenderableType]:
        # The bottom is cut off where the terminal is too low: what matters least stands there.
        if wide:
            sides = Table.grid(expand=True, padding=(0, 2, 0, 0))
            sides.add_row(standing(self._figures), rates)
            yield sides
        else:
            yield standing(self._figures)
        for trouble in (*troubles(self._figures), *mixpanel(self._figures.books)):
            yield Group(Text(), trouble)
        if not wide:
            yield Group(Text(), rates)
        yield Group(Text(), crew(self._figures.workers))

    def _lines(self, width: int, bars: str) -> Table:
        minutes = min(width, _MINUTES - 1)
        shown = plain_table("a minute", ">lately", ">peak", f"the last {minutes} minutes")
        for name in RATES:
            past = self._rates.past(name)[-minutes:]
            style = "red" if name in ("dead", "redelivered") else "green"
            peak, line = max(past, default=0), Text(sparkline(past, bars), style, no_wrap=True)
            shown.add_row(name, f"{self._figures.rate(name):,.0f}", f"{peak:,}", line)
        return shown


def sparkline(values: Sequence[int], bars: str = _BARS) -> str:
    """A bar for each value, the tallest for the highest; nothing is no bar at all.

    >>> sparkline([0, 1, 4, 8])
    ' ▁▄█'
    """
    top = max(values, default=0)
    return "".join(bars[-(-value * len(bars) // top) - 1] if value else " " for value in values)


def line(figures: Figures) -> str:
    """The figures in one line, for a log."""
    books, oldest, workers = figures.books, figures.oldest_seconds, figures.workers
    health = figures.health()
    notes = [str(one) for one in health.urgent or health.notes]
    told = {
        "queued": f"{books.queued:,}",
        "lanes": f"{sum(books.lanes.values()):,}",
        "in flight": f"{books.in_flight:,}",
        "oldest": "-" if oldest is None else duration(oldest),
        "dead": f"{books.dead:,}",
        "paused": f"{len(books.paused):,}",
        "workers": "unknown" if workers is None else f"{len(workers):,}",
        **{f"{name}/min": f"{figures.rate(name):,.0f}" for name in RATES[:2]},
    }
    at = iso(datetime.fromtimestamp(books.now_ms / 1000, UTC))
    more = f" (and {len(notes) - 1} more)" if len(notes) > 1 else ""
    state = health.words
    if notes:
        state += f": {safe(notes[0])}{more}"
    return f"{at} {', '.join(f'{name} {value}' for name, value in told.items())}; {state}"
