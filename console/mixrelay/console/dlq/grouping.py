"""Letters of a kind: the same reason, status and type."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mixrelay.shared.queue import Letter


@dataclass(slots=True)
class Kind:
    """How many letters of one kind there are, and between when they died."""

    reason: str
    status: int
    type: str
    first: datetime
    last: datetime
    letters: int = 0
    sample: str = ""
    """What was said of the last of them."""

    def add(self, letter: Letter) -> None:
        self.letters += 1
        self.first = min(self.first, letter.dead_since)
        if letter.dead_since >= self.last:
            self.last, self.sample = letter.dead_since, said(letter)


def said(letter: Letter) -> str:
    """Why it died, in words, with the field that was wrong."""
    return f"{letter.field}: {letter.error}" if letter.field else letter.error


def kinds(letters: Iterable[Letter]) -> list[Kind]:
    """The kinds among the letters, the most frequent first."""
    found: dict[tuple[str, int, str], Kind] = {}
    for letter in letters:
        key = letter.reason, letter.status, letter.type
        kind = found.setdefault(key, Kind(*key, letter.dead_since, letter.dead_since))
        kind.add(letter)
    return sorted(found.values(), key=lambda kind: -kind.letters)
