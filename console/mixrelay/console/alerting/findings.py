"""What an alert fires for, read off the figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mixrelay.console.health import kinds
from mixrelay.console.health.limits import Limits
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.problem import Problem
from mixrelay.console.text import count, cut, iso
from mixrelay.shared.mixpanel.reasons import Reason

_REASON_SHOWN = 300

NEW_REASON, REDIS = "new_reason", "redis"
ALERTS = (*kinds.ALERTING, NEW_REASON, REDIS)


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that is there now."""

    alert: str
    """One of ALERTS."""
    about: str
    """What tells it from others of its kind: a reason, a destination; empty where there is one."""
    summary: str
    what_to_do: str
    severity: str = "page"
    """`page` should wake somebody, `ticket` can wait until the morning."""

    @property
    def name(self) -> str:
        """The same for as long as it lasts."""
        return f"{self.alert}:{self.about}" if self.about else self.alert

    def notice(self, *, queue: str, since: datetime, is_over: bool) -> dict[str, str]:
        """Return the object that the webhook and the command get (a contract)."""
        return {
            "event": "resolved" if is_over else "firing",
            "alert": self.alert,
            "name": self.name,
            "severity": self.severity,
            "queue": queue,
            "summary": self.summary,
            "what_to_do": "Nothing: it is over." if is_over else self.what_to_do,
            "since": iso(since),
        }


def findings(figures: Figures, oldest: float) -> Iterator[Finding]:
    """Return the problems, as `status` and the page show them, and reasons that are new.

    Args:
        figures: of the queue.
        oldest: seconds that a message may wait, and that a token may be unproven.
    """
    for problem in figures.health(Limits(oldest=oldest)).notifying:
        # Reasons that are new altogether have alerts of their own, which last longer.
        if problem.kind != kinds.NEW_CAUSE or figures.recent.has_new_cause_of_known_reason:
            yield _finding(problem)
    yield from _about_letters(figures)


def redis_is_away(trouble: str) -> Finding:
    """What can be told of a queue that cannot be looked at."""
    return Finding(
        REDIS,
        "",
        f"The queue cannot be looked at: {trouble}",
        "Bring Redis back. Producers keep what it cannot take, as far as their spool goes.",
    )


def _finding(problem: Problem) -> Finding:
    return Finding(
        problem.kind, problem.about, problem.summary, problem.what_to_do, problem.severity
    )


def _about_letters(figures: Figures) -> Iterator[Finding]:
    letters: dict[str, int] = {}
    for (reason, _status, _kind), number in figures.books.dead_by.items():
        letters[reason] = letters.get(reason, 0) + number
    # What an operator dropped is nobody's surprise.
    letters.pop(Reason.DROPPED, None)
    for reason, number in sorted(letters.items()):
        shown = cut(reason, _REASON_SHOWN)
        yield Finding(
            NEW_REASON,
            shown,
            f"{count(number, 'dead letter')} with the reason {shown}, the first ones.",
            f"Look: mixrelay dlq list --reason {shown}. Replay or discard them.",
            "ticket",
        )
