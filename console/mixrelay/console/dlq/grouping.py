"""Letters of a kind: the same reason, status and type."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from mixrelay.shared.queue import Group, Letter


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
    """The error of the newest letter."""

    @classmethod
    def of(cls, group: Group) -> Self | None:
        """What the index knows; None where it has no letter within the time."""
        if not group.letters or group.first is None or group.last is None:
            return None
        sample = said(group.sample) if group.sample else ""
        times = group.first, group.last
        return cls(group.reason, group.status, group.type, *times, group.letters, sample)

    def add(self, letter: Letter) -> None:
        self.letters += 1
        self.first = min(self.first, letter.dead_since)
        if letter.dead_since >= self.last:
            self.last, self.sample = letter.dead_since, said(letter)


def said(letter: Letter) -> str:
    """Why it died, in words, with the field that was wrong."""
    return reason_in_words(letter.field, letter.error)


def reason_in_words(field: str, error: str) -> str:
    return f"{field}: {error}" if field else error


def kinds(letters: Iterable[Letter]) -> list[Kind]:
    """The kinds among the letters, the most frequent first."""
    found: dict[tuple[str, int, str], Kind] = {}
    for letter in letters:
        key = letter.reason, letter.status, letter.type
        kind = found.setdefault(key, Kind(*key, letter.dead_since, letter.dead_since))
        kind.add(letter)
    return sorted(found.values(), key=lambda kind: -kind.letters)
