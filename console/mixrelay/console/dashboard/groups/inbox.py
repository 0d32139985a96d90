"""The failure groups as the page lists them, read off the newest letters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mixrelay.console.dlq.causes import Cause
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Letter, LetterFilter, Queue
from mixrelay.shared.queue.letter_heads import name_of

LOOKED_AT = 2_000
"""Letters that the list rests on: a page opens as fast with a million."""
SHOWN = 50
_AT_ONCE = 500
_HEAD_BYTES = 512
BARS = 12
_BAR = timedelta(minutes=5)
CORRECTABLE = frozenset({Reason.INVALID, Reason.REJECTED, Reason.TOO_LARGE})


@dataclass(slots=True)
class Row:
    """One failure group."""

    cause: Cause
    trend: list[int] = field(default_factory=lambda: [0] * BARS)
    """Letters of each five minutes of the last hour, the oldest first."""

    @property
    def names(self) -> str:
        """Its events, the most frequent first."""
        most = [name for name, _ in self.cause.names.most_common(3)]
        more = len(self.cause.names) - len(most)
        return ", ".join(most) + (f" and {more:,} more" if more > 0 else "")

    @property
    def may_be_fixed(self) -> bool:
        """Whether a correction of the message helps."""
        return self.cause.reason in CORRECTABLE

    @property
    def lately(self) -> int:
        """Letters of the last hour."""
        return sum(self.trend)


@dataclass(frozen=True, slots=True)
class Inbox:
    """The groups among the letters that were looked at."""

    rows: Sequence[Row]
    """The most frequent first."""
    looked: int
    letters: int
    """There are so many."""

    @property
    def is_whole(self) -> bool:
        return self.looked >= self.letters


class Inboxes:
    """Reads the groups again once a letter came or went."""

    def __init__(self) -> None:
        self._key: tuple[int, ...] = ()
        self._kept: Inbox | None = None

    def read(self, queue: Queue) -> Inbox:
        """The groups now.

        Raises:
            redis.RedisError: the queue's node is away.
        """
        books = queue.books()
        totals = books.totals
        moves = (totals["dead"], totals["replayed"], totals["discarded"], totals.get("imported", 0))
        # The trend moves on by itself.
        key = (books.dead, *moves, books.now_ms // 60_000)
        if self._kept is None or key != self._key:
            now = datetime.fromtimestamp(books.now_ms / 1000, UTC)
            self._kept = _read(queue, books.dead, now)
            self._key = key
        return self._kept


def _read(queue: Queue, letters: int, now: datetime) -> Inbox:
    found: dict[str, Row] = {}
    looked, cursor, more = 0, "", True
    while more and looked < LOOKED_AT:
        # The newest name the events; the others count.
        head = 0 if looked else _HEAD_BYTES
        seen = queue.letters.slice(
            LetterFilter(), cursor, size=_AT_ONCE, newest_first=True, whole=False, head=head
        )
        for letter in seen.letters:
            _add(found, letter, now, is_named=bool(head))
        looked += seen.looked
        cursor, more = seen.cursor, seen.more
    rows = sorted(found.values(), key=lambda row: (-row.cause.letters, row.cause.group))
    # What was buried while it looked is not lacking.
    return Inbox(rows, max(looked, 0 if more else letters), letters)


def _add(found: dict[str, Row], letter: Letter, now: datetime, *, is_named: bool) -> None:
    row = found.get(letter.group)
    if row is None:
        row = found[letter.group] = Row(Cause.of(letter))
    row.cause.add(letter, name_of(letter) if is_named else None)
    ago = int((now - letter.dead_since) / _BAR)
    if 0 <= ago < BARS:
        row.trend[BARS - 1 - ago] += 1
