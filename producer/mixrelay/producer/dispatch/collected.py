"""What a block collects, whose calls have returned True."""

from __future__ import annotations


class Collected(list[tuple[str, str]]):
    """Types and messages, in the order of their calls.

    Its block sees to it until somebody takes it over: an ending of the application's may come
    between any two steps of that.
    """

    is_taken = False
    """Whether a sink delivers, keeps or reports each of them, whatever comes."""
