"""Open circuits and paused lanes, one problem for each cause however many destinations it has."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mixrelay.console.health.kinds import PAUSED
from mixrelay.console.health.limits import CIRCUIT_SECONDS, Limits
from mixrelay.console.status.pauses import pause_advice
from mixrelay.console.status.problem import Problem
from mixrelay.console.status.tokens import pauses_of_their_own
from mixrelay.console.text import count, cut, duration
from mixrelay.shared.queue import Hold, PausedDestination, PauseKind
from mixrelay.shared.queue.messages.operator_pause import OPERATOR

if TYPE_CHECKING:
    from mixrelay.console.status.seen import QueueSeen

_WHO_SHOWN, _WHY_SHOWN, _REASON_SHOWN = 60, 200, 300
_NAMED = 3
"""Destinations that one problem names."""


def circuit_problems(figures: "QueueSeen", limits: Limits) -> Iterator[Problem]:
    """Circuits that are open, by kind, then lanes that an operator paused."""
    now_ms = figures.books.now_ms
    pauses = pauses_of_their_own(figures.books)
    wrong = [one for one in pauses if one.kind == PauseKind.CONFIGURATION]
    if wrong:
        yield _open(wrong, now_ms, is_urgent=True, is_page=True)
    outage = [one for one in pauses if one.kind not in (PauseKind.CONFIGURATION, OPERATOR)]
    if outage:
        long = [one for one in outage if _open_for(one, now_ms) > CIRCUIT_SECONDS]
        age = figures.oldest_seconds
        late = age is not None and age > limits.oldest
        yield _open(long or outage, now_ms, is_urgent=bool(long), is_page=bool(long) and late)
    for hold in figures.books.held:
        yield held_problem(hold, now_ms)


def _open(
    pauses: Sequence[PausedDestination], now_ms: int, *, is_urgent: bool, is_page: bool
) -> Problem:
    """The oldest of them speaks for all."""
    first = min(pauses, key=lambda one: (one.since_ms, one.destination))
    since = duration(_open_for(first, now_ms))
    # It stands until something was accepted: the next batch is the probe.
    due = "" if first.seconds else ", and its next probe is due"
    names = ", ".join(cut(one.destination, _REASON_SHOWN) for one in _first(pauses))
    if len(pauses) == 1:
        subject = f"The circuit of {names} has been open for {since}{due}"
    else:
        more = f" and {len(pauses) - _NAMED:,} more" if len(pauses) > _NAMED else ""
        subject = (
            f"The circuits of {count(len(pauses), 'destination')} have been open for up to "
            f"{since} ({names}{more})"
        )
    reason = cut(first.reason, _REASON_SHOWN).rstrip(".")
    return Problem(
        PAUSED,
        first.kind,
        f"{subject}: {reason}.",
        pause_advice(first),
        is_urgent=is_urgent,
        is_page=is_page,
    )


def _first(pauses: Sequence[PausedDestination]) -> list[PausedDestination]:
    return sorted(pauses, key=lambda one: (one.since_ms, one.destination))[:_NAMED]


def held_problem(hold: Hold, now_ms: int) -> Problem:
    """Who paused a lane, since when and why, and how it ends."""
    since = duration(max(0.0, (now_ms - hold.since_ms) / 1000))
    who, why = cut(hold.who, _WHO_SHOWN), cut(hold.why, _WHY_SHOWN) or "no reason given"
    return Problem(
        PAUSED,
        hold.lane.value,
        f"{hold.lane} has been paused by {who} for {since}: {why}.",
        f"When it may go on: mixrelay resume {hold.lane}.",
        is_page=False,
    )


def _open_for(pause: PausedDestination, now_ms: int) -> float:
    return max(0.0, (now_ms - pause.since_ms) / 1000)
