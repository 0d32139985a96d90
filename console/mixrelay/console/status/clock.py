"""What the clock of Redis does, in words: it was set, or differs from this machine's."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from mixrelay.console.text import duration, iso
from mixrelay.shared.queue import Books

APART_SECONDS = 60.0
_TOLD_SECONDS = 3600.0
STEPS = "clock_steps"


def clock_remarks(books: Books, redis_ahead: float) -> Iterator[str]:
    """What an operator should know of the clock.

    Args:
        books: the queue's.
        redis_ahead: seconds that Redis's clock is ahead of this machine's.
    """
    step = books.clock_step
    if step is not None and stepped_within(books, _TOLD_SECONDS):
        since = duration(abs(books.now_ms - step.at_ms) / 1000)
        how = "back" if step.seconds < 0 else "ahead"
        yield (
            f"Redis's clock was set {how} by {duration(abs(step.seconds))} {since} ago, or another "
            "node took over. Waits and leases go on as before; times of receipt and of letters "
            "are as that clock was. Let NTP slew the clocks of Redis's machines."
        )
    if abs(redis_ahead) >= APART_SECONDS:
        where = "ahead of" if redis_ahead > 0 else "behind"
        yield (
            f"Redis's clock is {duration(abs(redis_ahead))} {where} this machine's: events without "
            "a time get that of the one that agrees with Mixpanel's answers. Let NTP set both."
        )


def stepped_within(books: Books, seconds: float) -> bool:
    """Whether Redis's clock was set lately."""
    step = books.clock_step
    return step is not None and abs(books.now_ms - step.at_ms) < seconds * 1000


def clock_as_json(books: Books, redis_ahead: float) -> dict[str, Any]:
    """The key `clock` of `mixrelay status --json` (a contract)."""
    step = books.clock_step
    last = step and {
        "at": iso(datetime.fromtimestamp(step.at_ms / 1000, UTC)),
        "seconds": step.seconds,
    }
    return {
        "steps": books.totals.get(STEPS, 0),
        "last_step": last,
        "ahead_seconds": round(redis_ahead, 3),
    }
