"""Reading the times that clients write: seconds or milliseconds, numbers or text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# Below it a number is seconds (to the year 5138), from it on milliseconds (since March 1973).
_FIRST_MILLISECONDS = 100_000_000_000
# Milliseconds end where seconds do; microseconds and nanoseconds lie beyond.
_END_OF_MILLISECONDS = _FIRST_MILLISECONDS * 1_000

# What JSON calls a number, so that the text can be sent as one, digit for digit.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")


_NUMBERS = frozenset({int, float})


def number_in(text: str) -> str | None:
    """Return the JSON number that a text is, or None."""
    stripped = text.strip()
    return stripped if _NUMBER.fullmatch(stripped) else None


def milliseconds(value: Any) -> float | None:
    """Return a time as milliseconds since the epoch, or None where it is none.

    Whether it is seconds or milliseconds is told by its size; a number in text counts.
    """
    if isinstance(value, str):
        number = number_in(value)
        value = None if number is None else float(number)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    size = abs(value)
    if size < _FIRST_MILLISECONDS:
        return value * 1_000
    return value if size < _END_OF_MILLISECONDS else None


def span(times: Sequence[Any]) -> tuple[float, float] | None:
    """Return the first and the last of times in milliseconds; None where not all are alike.

    Alike are positive numbers of one unit: then no other of them is beyond the two.
    """
    if not _NUMBERS.issuperset(map(type, times)):
        return None
    first, last = min(times), max(times)
    began, ended = milliseconds(first), milliseconds(last)
    one_unit = (first < _FIRST_MILLISECONDS) == (last < _FIRST_MILLISECONDS)
    return None if began is None or ended is None or first <= 0 or not one_unit else (began, ended)


def in_milliseconds(times: Sequence[Any]) -> list[float] | None:
    """Return times in milliseconds, each as `milliseconds` has it; None where one is unusual.

    Usual are positive numbers that are not beyond milliseconds.
    """
    if not _NUMBERS.issuperset(map(type, times)):
        return None
    if min(times) <= 0 or max(times) >= _END_OF_MILLISECONDS:
        return None
    return [time if time >= _FIRST_MILLISECONDS else time * 1_000 for time in times]
