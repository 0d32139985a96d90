"""The four figures that a glance takes in, each with its last hour."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mixrelay.console.dashboard.series import COUNTED, MOVED, backlogs
from mixrelay.console.health.letters import percent
from mixrelay.console.status.figures import Figures
from mixrelay.console.text import duration
from mixrelay.shared.queue.stats.history import Minute

HOUR = 60
FIELDS = (*COUNTED, *MOVED)
_COMPARED = 5
"""Minutes at the beginning of the hour that the present is compared with."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure."""

    name: str
    value: str
    change: str
    """Over the hour; empty where nothing is known of it."""
    past: Sequence[float]
    """By minute, the oldest first."""
    is_wrong: bool = False

    @property
    def points(self) -> str:
        """The line of `past` in a picture of 100 by 24."""
        top, last = max(self.past, default=0) or 1, max(len(self.past) - 1, 1)
        return " ".join(
            f"{100 * place / last:.1f},{23 - 22 * value / top:.1f}"
            for place, value in enumerate(self.past)
        )


@dataclass(slots=True)
class Ages:
    """How old the oldest message was in each minute in which this process looked."""

    _by_minute: dict[int, float] = field(default_factory=dict)

    def note(self, figures: Figures) -> None:
        minute = figures.books.now_ms // 60_000
        age = figures.oldest_seconds or 0.0
        kept = {at: one for at, one in self._by_minute.items() if minute - HOUR < at <= minute}
        self._by_minute = kept | {minute: max(age, kept.get(minute, 0.0))}

    def past(self) -> list[float]:
        """By minute, the oldest first."""
        return [age for _, age in sorted(self._by_minute.items())]


def tiles(figures: Figures, history: Sequence[Minute], ages: Ages) -> list[Tile]:
    """Backlog, age of the oldest, delivered a second, and the share that fails.

    Args:
        figures: of this instant.
        history: the last hour's counters, the last minute not over.
        ages: what this process saw before.
    """
    ages.note(figures)
    counted = [Counter(minute.counters) for minute in history]
    full = counted[:-1]
    waiting = backlogs(figures.books, counted)
    delivered = [one["delivered"] / 60 for one in full]
    failing = [_share(one) for one in full]
    age, seen = figures.oldest_seconds, ages.past()
    rate, share = figures.rate("delivered") / 60, figures.recent.share
    return [
        Tile(
            "Backlog",
            f"{figures.books.waiting:,}",
            _change(waiting[-1] - waiting[0], f"{abs(waiting[-1] - waiting[0]):,}"),
            waiting,
        ),
        Tile(
            "Oldest message",
            "none" if age is None else duration(age),
            _change((age or 0.0) - seen[0], duration(abs((age or 0.0) - seen[0])), since=len(seen)),
            seen,
        ),
        Tile("Delivered per second", _rate(rate), _against(rate, delivered), delivered),
        Tile(
            "Failing",
            percent(share) if share else "0 %",
            _change(share - _mean(failing), percent(abs(share - _mean(failing)))),
            failing,
            is_wrong=figures.recent.is_failing,
        ),
    ]


def _share(counted: Counter[str]) -> float:
    ended = counted["delivered"] + counted["dead"]
    return counted["dead"] / ended if ended else 0.0


def _mean(past: Sequence[float]) -> float:
    first = past[:_COMPARED]
    return sum(first) / len(first) if first else 0.0


def _rate(rate: float) -> str:
    return f"{rate:,.1f}" if 0 < rate < 10 else f"{rate:,.0f}"  # noqa: PLR2004 - one digit


def _against(rate: float, past: Sequence[float]) -> str:
    before = _mean(past)
    return _change(rate - before, _rate(abs(rate - before)))


def _change(by: float, shown: str, since: int = HOUR) -> str:
    """`+1,200 in an hour`; of a shorter past in how many minutes."""
    if not by or shown in {"0", "0.0 %"}:
        return "as an hour ago" if since >= HOUR else ""
    minutes = max(since - 1, 1)
    within = "an hour" if since >= HOUR else f"{minutes} min"
    return f"{'+' if by > 0 else '-'}{shown} in {within}"
