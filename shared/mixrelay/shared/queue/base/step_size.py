"""How much one script may do: as much as takes the server a few milliseconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_LIMIT_SECONDS = 0.005
"""Of the server's time that one script may take: Redis serves nobody else meanwhile."""
_SHORT = 0.5
"""Of that limit: a shorter script may do more the next time."""
_SAME = 2
"""Steps that differ by this factor at most are alike."""
_LESS, _MORE = 4, 2
"""A size changes by these factors at most."""


@dataclass(slots=True)
class StepSize:
    """The size of the next step, by how long the steps before took."""

    most: int
    least: int = 1
    """Below this the way to the server costs more than the work."""
    clock: Callable[[], float] = time.monotonic
    _now: float = field(init=False)

    def __post_init__(self) -> None:
        self._now = float(self.most)

    @property
    def size(self) -> int:
        """Members of the next step."""
        return max(self.least, min(self.most, int(self._now)))

    def note(self, members: int, seconds: float, way: Callable[[], object]) -> None:
        """Take a step's time into account; that of a much smaller one shows little.

        Args:
            members: that the step had.
            seconds: that the call took, with the way to the server and back.
            way: a call that does no work. It is timed only after a long step, since it may be the
                way that is long.
        """
        if members * _SAME < self.size:
            return
        if seconds > _LIMIT_SECONDS:
            began = self.clock()
            way()
            seconds -= self.clock() - began
        if seconds > _LIMIT_SECONDS:
            self._now = max(float(self.least), self.size * max(1 / _LESS, _LIMIT_SECONDS / seconds))
        elif seconds < _LIMIT_SECONDS * _SHORT:
            self._now = min(float(self.most), self.size * _MORE)
