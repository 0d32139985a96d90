"""Which lane to ask next: each in turn, and not before something can be there."""

import time

from mixrelay.shared.queue import Lane, Nothing

ASK_AGAIN_SECONDS = 0.25
"""A lane is asked again after this long whatever it said: other workers change it too."""


class Rotation:
    """The lanes, in the order in which they are to be asked."""

    def __init__(self) -> None:
        self._order = list(Lane)
        self._ask_at = dict.fromkeys(Lane, 0.0)
        self._bare: set[Lane] = set()

    @property
    def is_bare(self) -> bool:
        """Whether every lane said, when it was asked last, that nothing is there or expected."""
        return len(self._bare) == len(self._order)

    def due(self) -> list[Lane]:
        now = time.monotonic()
        return [lane for lane in self._order if self._ask_at[lane] <= now]

    def served(self, lane: Lane) -> None:
        """It gave a batch: the others come first now."""
        self._order.remove(lane)
        self._order.append(lane)
        self._bare.discard(lane)

    def empty(self, lane: Lane, nothing: Nothing) -> None:
        wait = nothing.wait_seconds
        delay = ASK_AGAIN_SECONDS if wait is None else min(wait, ASK_AGAIN_SECONDS)
        self._ask_at[lane] = time.monotonic() + delay
        if wait is None and not nothing.suspects_wait:
            self._bare.add(lane)
        else:
            self._bare.discard(lane)

    def changed(self, lane: Lane | None = None) -> None:
        """Something may be there now: in one lane, or in any."""
        for one in [lane] if lane else Lane:
            self._ask_at[one] = 0.0
            self._bare.discard(one)

    def later(self, seconds: float) -> None:
        """No lane is to be asked before."""
        earliest = time.monotonic() + seconds
        for lane, ask_at in self._ask_at.items():
            self._ask_at[lane] = max(ask_at, earliest)

    def seconds(self) -> float:
        """Until a lane is to be asked."""
        return max(0.0, min(self._ask_at.values()) - time.monotonic())
