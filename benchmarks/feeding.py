"""Keeps a backlog at its level while it is drained."""

from benchmarks import events
from benchmarks.stand import Stand
from benchmarks.watching import Done, delivered

LEAST = 1_000
"""Pushed at once at least: a push is a round trip."""


def kept_full(at: Stand, level: int, messages: int) -> Done:
    """Fills the list; each look at what is done then pushes as much, up to `messages` in all."""
    look = delivered(at)
    pushed = min(level, messages)
    events.fill(at.queue, pushed)

    def done() -> int:
        nonlocal pushed
        seen = look()
        more = min(seen + level, messages) - pushed
        if more >= LEAST or 0 < more == messages - pushed:
            events.fill(at.queue, more)
            pushed += more
        return seen

    return done
