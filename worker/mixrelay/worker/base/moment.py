"""The present, where one of two clocks may be wrong."""

from __future__ import annotations

from typing import Self


class Moment(int):
    """The time in milliseconds since the epoch: the earlier one where two clocks disagree.

    Attributes:
        behind_ms: by how much Redis's clock is behind this host's, where they disagree; else 0.
            A time that is ahead of a receipt by no more may be right.
    """

    behind_ms: int

    def __new__(cls, now_ms: int, behind_ms: int = 0) -> Self:
        moment = super().__new__(cls, now_ms)
        moment.behind_ms = behind_ms
        return moment


def behind_ms(now_ms: int) -> int:
    """Return a `Moment`'s `behind_ms`; 0 of a plain number."""
    return now_ms.behind_ms if isinstance(now_ms, Moment) else 0
