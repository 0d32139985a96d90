"""What others did to the queue's keys, in words: a time to live, or a queue that was emptied."""

from __future__ import annotations

from collections.abc import Iterator

from mixrelay.console.health.kinds import EMPTIED, UNSAFE
from mixrelay.console.status.problem import Problem
from mixrelay.console.text import count, cut, duration
from mixrelay.shared.queue import Books

PERSISTED_TOLD_SECONDS = 600.0
"""After a worker last took a time to live off a key: whoever sets it comes again."""
EMPTIED_TOLD_SECONDS = 3600.0
_KEY_SHOWN, _KEYS_SHOWN = 80, 3


def harm_problems(books: Books) -> Iterator[Problem]:
    """Keys that expire, and a queue that was emptied lately."""
    harm, now = books.harm, books.now_ms
    todo = (
        "Find what sets it (an EXPIRE in a script, a default of a proxy or of a cache library) and "
        "keep it away from this queue's keys; workers take it off every few seconds."
    )
    if harm.expiring:
        some = [
            f"{cut(name, _KEY_SHOWN)} in {duration(left / 1000)}"
            for name, left in harm.expiring[:_KEYS_SHOWN]
        ]
        more = len(harm.expiring) - len(some)
        names = ", ".join(some) + (f", and {count(more, 'more key')}" if more else "")
        summary = f"Keys of this queue will expire, and messages in them are lost then: {names}."
        yield Problem(UNSAFE, "expiring", summary, todo)
    elif _is_lately(harm.persisted_at_ms, now, PERSISTED_TOLD_SECONDS):
        name = cut(harm.persisted, _KEY_SHOWN)
        summary = (
            f"Someone set a time to live on keys of this queue ({name}); a worker took it off. "
            "A shorter one would have lost messages."
        )
        yield Problem(UNSAFE, "expiring", summary, todo)
    if _is_lately(harm.emptied_at_ms, now, EMPTIED_TOLD_SECONDS):
        since = duration(max(0, now - (harm.emptied_at_ms or 0)) / 1000)
        yield Problem(
            EMPTIED,
            "",
            f"This queue was emptied or set back to an earlier state {since} ago: it had numbered "
            f"{count(harm.was, 'message')} and then {harm.now:,}. What was waiting is lost, or is "
            "sent again.",
            "Look for a FLUSHDB or FLUSHALL, keys that were deleted or expired, a restored backup, "
            "a restart without an append-only file, or a failover to a replica that lacked data.",
        )


def _is_lately(at_ms: int | None, now_ms: int, seconds: float) -> bool:
    return at_ms is not None and abs(now_ms - at_ms) < seconds * 1000
