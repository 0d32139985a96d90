"""How many letters a filter means: at once by indexes, else in portions that a page asks for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from mixrelay.console.dashboard import filters
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Group, LetterFilter, Queue
from mixrelay.shared.queue.letters.planning import Plan
from mixrelay.shared.reading import count as read_count

LOOKED_AT_BESIDE = 1_000
"""Letters that a count looks at in the answer that looks at a page of them too."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A plan as an address carries it, from one portion to the next."""

    plan: Plan

    @property
    def query(self) -> dict[str, str | int]:
        told: dict[str, str | int] = dict(filters.written(self.plan.wanted))
        told |= {f"n_{kind}": count for kind, count in self.plan.by_type.items()}
        return told | {
            "looked": self.plan.looked,
            "out_of": self.plan.out_of,
            "place": self.plan.cursor or "",
        }

    @classmethod
    def read(cls, values: Mapping[str, str], wanted: LetterFilter) -> Self:
        """What `query` wrote, whose filter was read; what is not so begins anew."""
        by_type = Counter(
            {name[2:]: _whole(count) for name, count in values.items() if name.startswith("n_")}
        )
        looked, out_of = _whole(values.get("looked", "")), _whole(values.get("out_of", ""))
        return cls(Plan(wanted, by_type, looked, out_of, values.get("place", "")))

    @property
    def until(self) -> datetime | None:
        """Letters that died later are not counted."""
        return self.plan.wanted.until


def begin(queue: Queue, wanted: LetterFilter) -> Counted:
    """The first portion."""
    return Counted(queue.jobs.plan(wanted))


def begin_beside(queue: Queue, wanted: LetterFilter, groups: Sequence[Group]) -> Counted:
    """The first portion, beside a page that looks at as many letters: no more where these are many.

    Both in one answer would take twice as long; the page asks for the portion by itself.
    """
    meant = (one for one in groups if wanted.means_group(one.reason, one.status, one.type))
    out_of = sum(group.letters for group in meant)
    if wanted.is_indexed or out_of <= LOOKED_AT_BESIDE:
        return begin(queue, wanted)
    return Counted(Plan(wanted, Counter(), 0, out_of, ""))


def go_on(queue: Queue, begun: Counted) -> Counted:
    """The next portion."""
    if not begun.plan.cursor:
        return begin(queue, begun.plan.wanted)
    try:
        return Counted(queue.jobs.count_on(begun.plan))
    except ValueError:  # The place is none of ours: the address was cut, or written by hand.
        return begin(queue, begun.plan.wanted)


def ambiguous(queue: Queue, wanted: LetterFilter) -> Plan | None:
    """Letters among them that a replay may count twice, as far as a first look tells.

    None where there is none. Where the plan is not exact, there may be more than it counts.
    """
    if wanted.reason not in (None, Reason.AMBIGUOUS):
        return None
    found = queue.jobs.plan(replace(wanted, reason=Reason.AMBIGUOUS))
    return found if found.count or not found.is_exact else None


def _whole(text: str) -> int:
    return read_count(text) or 0
