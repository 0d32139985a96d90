"""What a fix would do, counted over all letters that are meant before one is changed."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mixrelay.console.dlq.correcting import Corrector
from mixrelay.console.dlq.deciding import IN_ORDER
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Letter, Number
from mixrelay.shared.queue.letters.correcting import CORRECTED_AT_MOST, CORRECTED_BYTES, place_of
from mixrelay.shared.queue.messages.batch import partition_of

SAMPLES = 3


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """A letter that is to be corrected, as it was when it was looked at."""

    partition: int
    place: tuple[tuple[int, ...], ...]
    """In the order of these, letters are sent."""
    number: Number
    mark: bytes = field(compare=False)
    size: int = field(compare=False)

    @classmethod
    def of(cls, letter: Letter) -> "Planned":
        place = place_of(letter)
        return cls(partition_of(letter.id), place, letter.id, mark(letter), len(letter.payload))


def mark(letter: Letter) -> bytes:
    """Tells a letter's message and life from others of the same number."""
    seen = b"%d %b" % (letter.replays, letter.payload)
    return hashlib.sha1(seen, usedforsecurity=False).digest()


@dataclass(slots=True)
class Survey:
    """How many letters there are of each outcome."""

    matched: int = 0
    planned: list[Planned] = field(default_factory=list)
    right: int = 0
    """The operations change nothing in them, and they break no rule: they are left alone."""
    breaches: Counter[str] = field(default_factory=Counter)
    """By the rule that is broken: they stay as they are."""
    late: int = 0
    ambiguous: int = 0
    samples: list[tuple[Letter, bytes]] = field(default_factory=list)

    @property
    def breaking(self) -> int:
        return self.breaches.total()

    def look(self, letters: Iterable[Letter], corrector: Corrector) -> Iterator[int]:
        """Judges each letter; yields how many were looked at so far."""
        for letter in letters:
            self.matched += 1
            verdict = corrector.judge(letter)
            if verdict.payload is not None:
                self._plan(letter, verdict.payload)
            elif verdict.breach:
                self.breaches[verdict.breach] += 1
            else:
                self.right += 1
            yield self.matched

    def _plan(self, letter: Letter, payload: bytes) -> None:
        self.planned.append(Planned.of(letter))
        self.late += letter.type in IN_ORDER
        self.ambiguous += letter.reason == Reason.AMBIGUOUS
        if len(self.samples) < SAMPLES:
            self.samples.append((letter, payload))

    def slices(self) -> Iterator[list[Planned]]:
        """Those to be corrected, in the order in which they are sent, as many as one call takes."""
        some: list[Planned] = []
        size = 0
        for one in sorted(self.planned):
            size += one.size
            if some and (len(some) == CORRECTED_AT_MOST or size > CORRECTED_BYTES):
                yield some
                some, size = [], one.size
            some.append(one)
        if some:
            yield some

    def to_json(self) -> dict[str, Any]:
        return {
            "matched": self.matched,
            "correctable": len(self.planned),
            "already_right": self.right,
            "still_breaking": self.breaking,
            "breaches": [
                {"rule": rule, "letters": letters} for rule, letters in self.breaches.most_common()
            ],
        }
