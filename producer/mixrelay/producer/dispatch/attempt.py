"""How far the tuples of one call came, for when an application's ending interrupts it.

An ending (``endings.py``) may be raised between any two steps. Each step notes here what it has
done, before or in the same moment as doing it, so that what was interrupted is neither pushed nor
kept twice, and never forgotten.
"""

from __future__ import annotations

import sys
from typing import Protocol


class PushExchange(Protocol):
    """A push on a connection."""

    is_out: bool
    """Whether it may have been carried out."""
    is_answered: bool
    """Whether Redis said that it was."""


class Step(Protocol):
    """A call in a thread."""

    def finish(self) -> None:
        """Have it be over; raise what it raised."""


class Attempt:
    """The tuples of one call for one list."""

    __slots__ = ("exchange", "inode", "is_kept", "is_settled", "outer", "step")

    def __init__(self) -> None:
        self.exchange: PushExchange | None = None
        """The last push of them."""
        self.inode: int | None = None
        """The spool's file in which they may be."""
        self.is_kept = False
        """Whether the spool has them."""
        self.is_settled = False
        """Whether they were counted as queued, spooled, dropped or failed."""
        self.step: Step | None = None
        """What a thread does with them, or did last."""
        self.outer = sys.exception()
        """What the caller was handling as it called: none of what may end this call."""

    @property
    def is_out(self) -> bool:
        """Whether Redis may have them."""
        return self.exchange is not None and self.exchange.is_out

    @property
    def is_answered(self) -> bool:
        """Whether Redis has them for certain."""
        return self.exchange is not None and self.exchange.is_answered
