"""Holding a lane: an operator's own pause, which only an operator ends."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from mixrelay.shared.queue.messages.batch import Lane

HOLDABLE = tuple(lane for lane in Lane if lane is not Lane.ODD)
"""What lies in `odd` is never sent: it only becomes dead letters."""
OPERATOR = "operator"
"""The kind of pause that a held lane is, beside those of `PauseKind`."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds a lane, why, and since when."""

    lane: Lane
    who: str
    why: str
    since_ms: int

    @property
    def reason(self) -> str:
        return f"held by {self.who}: {self.why}" if self.why else f"held by {self.who}"


def holds(stored: Mapping[str, str]) -> tuple[Hold, ...]:
    """The lanes that are held, of those that this version knows."""
    return tuple(_hold(lane, stored[lane]) for lane in HOLDABLE if lane in stored)


def _hold(lane: Lane, stored: str) -> Hold:
    told = orjson.loads(stored)
    return Hold(lane, str(told["who"]), str(told["why"]), int(told["since"]))


def check_holdable(lane: Lane) -> None:
    """Refuses what would hold nothing.

    Raises:
        ValueError: nothing is sent from this lane.
    """
    if lane not in HOLDABLE:
        raise ValueError(
            f"The lane {lane.value!r} cannot be paused: nothing is sent from it, what it holds "
            f"only becomes dead letters. Choose one of {', '.join(HOLDABLE)}."
        )
