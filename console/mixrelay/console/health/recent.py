"""How much failed within the last five minutes, and of which causes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mixrelay.console.dlq.causes import Cause, causes
from mixrelay.console.health.limits import FAILING_LEAST, FAILING_SHARE, WINDOW_MINUTES
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import HOLDABLE, Books, LetterFilter, Queue
from mixrelay.shared.queue.letter_heads import HEAD_BYTES, name_of
from mixrelay.shared.queue.stats.history import Minute

_LOOKED_AT = 500
"""New letters, and older ones, that are looked at."""
_NAMED = 50
"""New letters of which the start of the message is read, for the event's name."""
_STREAK_MINUTES = 60
_GAP = 2
"""Minutes without a dead letter that end a streak."""
_MINUTE_MS = 60_000
_DROPPED = tuple(f"dead:{lane}:{Reason.DROPPED}" for lane in HOLDABLE)
_COUNTED = ("delivered", "dead", "ambiguous", *_DROPPED)


@dataclass(frozen=True, slots=True)
class RecentCause:
    """One failure group among the letters that died lately."""

    cause: Cause
    letters: int
    """So many of the letters that were looked at."""
    name: str
    """The event that has most of them."""
    is_new: bool
    """No older letter that is kept died of it."""
    is_new_reason: bool
    """No older letter died of its reason at all."""


@dataclass(frozen=True, slots=True)
class Recent:
    """What ended within the last five full minutes and the running one."""

    delivered: int = 0
    dead: int = 0
    """Without what an operator dropped."""
    ambiguous: int = 0
    """Increments whose outcome is unknown."""
    since_ms: int | None = None
    """Since when messages have been failing without a pause; None where too few fail."""
    is_since_longer: bool = False
    """It began before the hour that was looked at."""
    looked: int = 0
    """Letters that were looked at for causes."""
    causes: tuple[RecentCause, ...] = ()
    """The most frequent first."""

    @property
    def share(self) -> float:
        """Of what ended, how much failed: 0 to 1."""
        ended = self.delivered + self.dead
        return self.dead / ended if ended else 0.0

    @property
    def has_new_cause_of_known_reason(self) -> bool:
        """Whether a cause is new whose reason older letters have."""
        return any(one.is_new and not one.is_new_reason for one in self.causes)

    @property
    def is_failing(self) -> bool:
        """Whether so much fails that it is degraded."""
        return self.dead >= FAILING_LEAST and self.share >= FAILING_SHARE


def read_recent(queue: Queue, books: Books) -> Recent:
    """Reads the counters; letters only where some died lately.

    Raises:
        redis.RedisError: the queue's node is away.
    """
    found = _counted(queue.history.minutes(WINDOW_MINUTES + 1, _COUNTED))
    if not found.dead:
        return found
    found = _with_causes(queue, books, found)
    return _with_streak(queue, found) if found.is_failing else found


def _counted(minutes: Sequence[Minute]) -> Recent:
    def total(*names: str) -> int:
        return sum(minute.counters.get(name, 0) for minute in minutes for name in names)

    return Recent(total("delivered"), max(0, total("dead") - total(*_DROPPED)), total("ambiguous"))


def _with_causes(queue: Queue, books: Books, found: Recent) -> Recent:
    from_ms = (books.now_ms // _MINUTE_MS - WINDOW_MINUTES) * _MINUTE_MS
    begun = datetime.fromtimestamp(from_ms / 1000, UTC)
    newest = LetterFilter(since=begun)
    looked = queue.letters.slice(newest, size=_LOOKED_AT, newest_first=True, whole=False).letters
    died = [one for one in looked if one.reason != Reason.DROPPED]
    if not died:
        return found
    older = queue.letters.slice(
        LetterFilter(until=begun), size=_LOOKED_AT, newest_first=True, whole=False
    ).letters
    groups, reasons = {one.group for one in older}, {one.reason for one in older}
    heads = queue.letters.slice(
        newest, size=_NAMED, newest_first=True, whole=False, head=HEAD_BYTES
    ).letters
    names: dict[str, dict[str, int]] = {}
    for one in heads:
        counts = names.setdefault(one.group, {})
        counts[name_of(one)] = counts.get(name_of(one), 0) + 1
    seen = (
        RecentCause(
            cause,
            cause.letters,
            max(named, key=lambda name: named[name]) if (named := names.get(cause.group)) else "",
            is_new=cause.group not in groups,
            is_new_reason=cause.reason not in reasons,
        )
        for cause in causes(died)
    )
    return replace(found, looked=len(died), causes=tuple(seen))


def _with_streak(queue: Queue, found: Recent) -> Recent:
    minutes = queue.history.minutes(_STREAK_MINUTES, ("dead",))
    first, gap = minutes[-1].number, 0
    for minute in reversed(minutes):
        gap = 0 if minute.counters.get("dead") else gap + 1
        if gap > _GAP:
            break
        if not gap:
            first = minute.number
    longer = first <= minutes[0].number + _GAP
    return replace(found, since_ms=first * _MINUTE_MS, is_since_longer=longer)
