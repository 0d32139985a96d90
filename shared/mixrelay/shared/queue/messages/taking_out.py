"""Takes out of a queue what an operator named, slice by slice, each slice one script."""

import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.base.step_size import StepSize
from mixrelay.shared.queue.messages.backlog import Backlog, Store, Waiting, Where
from mixrelay.shared.tuples import MalformedTupleError, join, read

MOST, LEAST = 100, 1
"""Messages of a slice: a few milliseconds of the server."""
AT_LEAST = 25
"""Messages of a slice where the server takes long for each, and they are small."""
FULL = 1_048_576
"""Bytes of a slice from which on the next is smaller."""
TOLD_EVERY = 5.0
"""Seconds between entries of the audit."""


class Gone(NamedTuple):
    """What goes of a message."""

    records: int
    of: int
    """All records that it holds."""
    left: bytes = b""
    """The tuple of the others; empty where all go."""


class Taken(NamedTuple):
    """What was taken out."""

    messages: int = 0
    cut: int = 0
    """Lists that lost some of their records, and stay."""
    records: int = 0

    def plus(self, other: "Taken") -> "Taken":
        return Taken(*(one + more for one, more in zip(self, other, strict=True)))


Judge = Callable[[bytes], Gone | None]
"""What goes of a tuple; None where all of it stays."""


def whole(payload: bytes, matches: Callable[[bytes], bool]) -> Gone | None:
    """All of a message, or nothing."""
    return Gone(1, 1) if matches(payload) else None


def without(payload: bytes, is_meant: Callable[[object], bool]) -> Gone | None:
    """The records that are meant, and no other of the same list."""
    try:
        message = read(payload)
        records = message.records()
    except MalformedTupleError:
        return None
    kept = [text for record, text in records if not is_meant(record)]
    if len(kept) == len(records):
        return None
    left = join(message.kind, message.api_key, kept) if kept else b""
    return Gone(len(records) - len(kept), len(records), left)


@dataclass
class Taking:
    """One command's run over a queue. Numbers name what goes, so a slice may be repeated."""

    backlog: Backlog
    judge: Judge
    reason: str
    """`dropped` or `erased`."""
    who: str
    why: str
    keeps: bool = False
    """As dead letters, which a replay restores."""
    wanted: str = ""
    """The filter, for the audit: JSON of a `LetterFilter`, or nothing."""
    taken: Taken = field(default_factory=Taken)
    longest_ms: float = 0.0
    """The longest that one script took, with the way there and back."""
    numbers: set[str] = field(default_factory=set)
    """Of `watched`, those that were taken out."""
    watched: AbstractSet[str] = frozenset()
    _size: StepSize = field(default_factory=lambda: StepSize(MOST, AT_LEAST))
    _untold: int = 0
    _told_at: float | None = None

    def preview(self, stores: Sequence[Store]) -> Iterator[tuple[Waiting, Gone]]:
        """What would go, changing nothing."""
        for store in stores:
            for _first, some in self._slices(store, lambda: 0):
                yield from self._meant(some)

    def sift(self, store: Store, *, place: str = "") -> Iterator[int]:
        """Takes out of a list what goes; yields how many messages were looked at, slice by slice.

        Of a lane, while nothing is taken from it: what moves meanwhile is left.

        Args:
            store: a lane or a batch.
            place: `kept` for a copy of what was delivered.
        """
        is_lane = store.where is Where.LANE
        before = self.taken.messages
        for first, some in self._slices(
            store, lambda: self.taken.messages - before if is_lane else 0
        ):
            meant = self._meant(some)
            if meant:
                name = store.lane if is_lane else store.batch
                self._run(
                    store.partition,
                    (place or ("lane" if is_lane else "batch"), str(name), first, len(some)),
                    [(one.number, gone_of) for one, gone_of in meant],
                )
            yield len(some)

    def take_letters(self, partition: int, some: Sequence[tuple[str, Gone]]) -> Taken:
        """Takes letters out, or records of them."""
        return self._run(partition, ("letter", "", 0, 0), some)

    def take_trash(self, partition: int, some: Sequence[tuple[str, Gone]]) -> Taken:
        """Takes letters out of the trash, or records of them."""
        return self._run(partition, ("trash", "", 0, 0), some)

    def tell(self) -> None:
        """Tells the audit of what it was not told of yet."""
        if self._untold:
            self._run(0, ("lane", "", 0, 0), (), tells=True)

    def _script(self, partition: int) -> Scripts:
        one = self.backlog.partitions[partition]
        return Scripts(one.redis, Keys.of(one.name))

    def _ask(self, partition: int) -> object:
        """A call that does nothing: shows how long the way to the server is."""
        one = self.backlog.partitions[partition]
        return one.redis.exists(Keys.of(one.name)("totals"))

    def _meant(self, some: Sequence[Waiting]) -> list[tuple[Waiting, Gone]]:
        judged = ((one, self.judge(one.payload)) for one in some)
        return [(one, gone) for one, gone in judged if gone is not None]

    def _slices(
        self, store: Store, gone: Callable[[], int]
    ) -> Iterator[tuple[int, Sequence[Waiting]]]:
        """Slices of about a megabyte and a few milliseconds.

        Of a lane that shortens each begins as much earlier.
        """
        size, looked = 16, 0
        while looked < store.length:
            first = looked - gone()
            many = min(size, self._size.size, store.length - looked)
            some = self.backlog.read(store, first, many)
            if not some:
                return
            looked += len(some)
            taken = sum(len(one.payload) for one in some)
            size = max(LEAST, size // 4) if taken > FULL else min(MOST, size * 2)
            yield first, some

    def _run(
        self,
        partition: int,
        where: tuple[str, str, int, int],
        some: Sequence[tuple[str, Gone]],
        *,
        tells: bool = False,
    ) -> Taken:
        now = time.monotonic()
        is_due = self._told_at is None or now - self._told_at >= TOLD_EVERY
        tells = tells or is_due
        error = f"Dropped by {self.who}: {self.why}" if self.keeps else ""
        told: list[str | bytes | float] = [new_id(), *where, self.reason, int(self.keeps), error]
        told += [int(tells), self.who, self.why, self.wanted, self._untold]
        self.numbers |= {number for number, _gone in some} & self.watched
        for number, gone in some:
            told += [number, gone.records, gone.of, gone.left]
        done = Taken(**orjson.loads(self._script(partition).run("take_out", *told)))
        took = time.monotonic() - now
        self.longest_ms = max(self.longest_ms, took * 1000)
        self._size.note(len(some), took, lambda: self._ask(partition))
        self.taken = self.taken.plus(done)
        self._untold = 0 if tells else self._untold + done.records
        if tells:
            self._told_at = now
        return done
