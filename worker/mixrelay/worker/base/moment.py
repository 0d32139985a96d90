"""The present, where one of two clocks may be wrong."""

from __future__ import annotations

from typing import Self

from mixrelay.shared.queue import Batch


class Moment(int):
    """The time in milliseconds since the epoch: the earlier one where two clocks disagree.

    Attributes:
        behind_ms: by how much Redis's clock is behind this host's, where they disagree; else 0.
            A time that is ahead of a receipt by no more may be right.
        taken_ms: the moment at which the records were first taken.
    """

    behind_ms: int
    taken_ms: int

    def __new__(cls, now_ms: int, behind_ms: int = 0, taken_ms: int | None = None) -> Self:
        moment = super().__new__(cls, now_ms)
        moment.behind_ms = behind_ms
        moment.taken_ms = now_ms if taken_ms is None else taken_ms
        return moment


def behind_ms(now_ms: int) -> int:
    """Return a `Moment`'s `behind_ms`; 0 of a plain number."""
    return now_ms.behind_ms if isinstance(now_ms, Moment) else 0


def taken_ms(now_ms: int) -> int:
    """Return a `Moment`'s `taken_ms`; of a plain number that number."""
    return now_ms.taken_ms if isinstance(now_ms, Moment) else now_ms


def as_first_taken(now_ms: int, batch: Batch) -> int:
    """Return the present with what the clocks said when a batch was first taken.

    What an event's time becomes by them stays the same at every retry, however clocks are set
    meanwhile. Else the copies of an event that is sent twice would have two times, and Mixpanel
    would count two events.
    """
    if batch.present_ms is None:
        return now_ms
    return Moment(now_ms, batch.host_ahead_ms, batch.present_ms)
