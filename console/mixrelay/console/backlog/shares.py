"""What waits, counted by what its records say."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from mixrelay.console.text import count
from mixrelay.shared.mixpanel.proving import masked
from mixrelay.shared.queue.messages.backlog import Sample
from mixrelay.shared.queue.messages.subject import subjects_of

BY = ("type", "event", "token", "distinct_id")
NONE = "(none)"
UNREADABLE = "(cannot be read)"
_SURE = 1.96
"""Standard deviations of a 95 % confidence interval."""


@dataclass(frozen=True, slots=True)
class Share:
    """How much of what waits is of one kind."""

    name: str
    counted: int
    """In the sample."""
    part: float
    """Of all, 0 to 1."""
    margin: float
    """Half of the 95 % confidence interval of the part; 0 where all were counted."""
    messages: int
    """Of all that wait; an estimate where it is a sample."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Messages that were looked at, out of how many."""

    looked: int
    total: int
    counts: Mapping[str, Counter[str]]

    @property
    def is_sample(self) -> bool:
        return self.looked < self.total

    @property
    def headline(self) -> str:
        waiting = count(self.total, "message")
        if not self.is_sample:
            verb = "waits" if self.total == 1 else "wait"
            return f"{waiting} {verb}, all counted."
        return f"{waiting} wait. Estimated from a random sample of {self.looked:,}."

    def of(self, by: str) -> list[Share]:
        """The most frequent first."""
        return [self._share(name, number) for name, number in self.counts[by].most_common()]

    def _share(self, name: str, number: int) -> Share:
        part = number / self.looked
        margin = _SURE * sqrt(part * (1 - part) / self.looked) if self.is_sample else 0.0
        return Share(name, number, part, margin, round(part * self.total))

    def as_json(self, limit: int) -> dict[str, Any]:
        told: dict[str, Any] = {
            "waiting": self.total,
            "looked_at": self.looked,
            "estimated": self.is_sample,
        }
        for by in BY:
            told[by] = [
                {
                    "name": one.name,
                    "messages": one.messages,
                    "share": round(one.part, 4),
                    "margin": round(one.margin, 4),
                    "in_sample": one.counted,
                }
                for one in self.of(by)[:limit]
            ]
        return told


def tally(sample: Sample) -> Shares:
    """Counts each message once in each table: a list of records by its first."""
    counts: dict[str, Counter[str]] = {by: Counter() for by in BY}
    for one in sample.messages:
        first = next(iter(subjects_of(one.payload)), None)
        if first is None:
            values = (UNREADABLE, UNREADABLE, UNREADABLE, UNREADABLE)
        else:
            token = masked(first.token) if first.token else NONE
            values = (first.kind, first.name or NONE, token, first.who or NONE)
        for by, value in zip(BY, values, strict=True):
            counts[by][value] += 1
    return Shares(len(sample.messages), sample.total, counts)
