"""Replay and discard: the same letters as the dry run counts, slice by slice."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mixrelay.console import terminal
from mixrelay.console.dlq.selection import Chosen
from mixrelay.shared.queue import LETTERS_AT_MOST, Number

_SLICES_A_SECOND = 4
"""With a rate: few enough calls, and the bar still moves."""


@dataclass(slots=True)
class Pace:
    """Keeps to so many letters a second from its first step on; None for no limit."""

    rate: float | None
    _begun: float = field(default_factory=time.monotonic)
    _moved: int = 0

    @property
    def slice(self) -> int:
        if self.rate is None:
            return LETTERS_AT_MOST
        return max(1, min(LETTERS_AT_MOST, int(self.rate / _SLICES_A_SECOND)))

    def wait(self, letters: int) -> None:
        """Sleeps until so many more letters keep to the rate."""
        if self.rate is not None:
            due = self._begun + self._moved / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
        self._moved += letters


def move(
    chosen: Chosen,
    total: int,
    action: Callable[[Sequence[Number]], int],
    *,
    doing: str,
    rate: float | None = None,
) -> Iterator[int]:
    """Carries the action out on all letters chosen; yields how many each slice moved.

    Args:
        chosen: the letters.
        total: how many there are about, for the bar.
        action: moves letters and says how many still were letters.
        doing: what the bar says.
        rate: letters a second.
    """
    pace = Pace(rate)
    with terminal.progress() as bar:
        task = bar.add_task(doing, total=total)
        for numbers in chosen.slices():
            for start in range(0, len(numbers), pace.slice):
                part = numbers[start : start + pace.slice]
                pace.wait(len(part))
                moved = action(part)
                bar.advance(task, len(part))
                yield moved
