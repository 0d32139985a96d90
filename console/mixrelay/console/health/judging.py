"""The one function that says whether a queue is well.

`mixrelay status`, its exit code, the page, `mixrelay alert` and `/metrics` repeat what it finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixrelay.console.health.backlog import backlog_problems
from mixrelay.console.health.circuits import circuit_problems
from mixrelay.console.health.harm import harm_problems
from mixrelay.console.health.kinds import ALERTING, CLOCK, HOLD_UP, JOBS_FAILED, OLDEST, PATIENT
from mixrelay.console.health.letters import letter_problems
from mixrelay.console.health.limits import Limits
from mixrelay.console.health.server import server_problems
from mixrelay.console.status.clock import clock_remarks
from mixrelay.console.status.problem import Problem
from mixrelay.console.status.tokens import token_problems
from mixrelay.console.status.unasked import UNCONFIRMED, hot_problems, unconfirmed_problem
from mixrelay.console.text import count

if TYPE_CHECKING:
    from mixrelay.console.status.seen import QueueSeen


@dataclass(frozen=True, slots=True)
class Health:
    """What was found, the most urgent first."""

    problems: tuple[Problem, ...]

    @property
    def urgent(self) -> list[Problem]:
        """Those that make it degraded."""
        return [one for one in self.problems if one.is_urgent]

    @property
    def notes(self) -> list[Problem]:
        """What an operator should know although nothing is held back or lost."""
        return [one for one in self.problems if not one.is_urgent]

    @property
    def notifying(self) -> list[Problem]:
        """Those that alerts and metrics are about."""
        return [
            one
            for one in self.problems
            if one.kind in ALERTING and (one.is_urgent or one.kind not in PATIENT)
        ]

    @property
    def is_bad(self) -> bool:
        """Whether somebody should be woken."""
        return any(one.is_urgent and one.is_page for one in self.problems)

    @property
    def state(self) -> str:
        """`degraded`, `note` or `well`."""
        return "degraded" if self.urgent else "note" if self.problems else "well"

    @property
    def words(self) -> str:
        """`degraded, 2 problems`, `no problem, 1 note`, or `all is well`."""
        if urgent := self.urgent:
            return f"degraded, {count(len(urgent), 'problem')}"
        notes = self.notes
        return f"no problem, {count(len(notes), 'note')}" if notes else "all is well"

    @property
    def headline(self) -> str:
        """One line with a number and a cause."""
        if urgent := self.urgent:
            more = f" (and {count(len(urgent) - 1, 'further problem')})" if len(urgent) > 1 else ""
            return f"Degraded: {urgent[0].summary}{more}"
        return "No problem." if self.problems else "All is well."


def judge(figures: "QueueSeen", limits: Limits | None = None) -> Health:
    """Everything that is wrong with a queue now, and what an operator should know.

    Args:
        figures: of the queue, read at one instant.
        limits: what is still well; None for the default ones.
    """
    found = list(_problems(figures, limits or Limits()))
    if any(one.is_urgent and one.kind in HOLD_UP for one in found):
        # Their age is what comes of it: one problem for one cause.
        found = [one for one in found if one.kind != OLDEST]
    # Stable: what the parts put first stays first.
    found.sort(key=lambda one: (not one.is_urgent, not one.is_page))
    return Health(tuple(found))


def _problems(figures: "QueueSeen", limits: Limits) -> Iterator[Problem]:
    books = figures.books
    yield from server_problems(figures)
    yield from harm_problems(books)
    yield from figures.rq.problems(books.waiting)
    yield from token_problems(books, patience=limits.oldest)
    yield from letter_problems(figures)
    yield from circuit_problems(figures, limits)
    yield from backlog_problems(figures, limits)
    yield from unconfirmed_problem(books, figures.lately(UNCONFIRMED))
    yield from hot_problems(books)
    for remark in clock_remarks(books, figures.redis_ahead):
        yield Problem.note(CLOCK, remark)
    for remark in figures.rq.remarks():
        yield Problem.note(JOBS_FAILED, remark)
