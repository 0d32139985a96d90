"""Defects as one might make them where records are read together; each must be seen."""

from collections.abc import Callable
from typing import Any
from unittest.mock import _patch, patch

from mixrelay.shared.mixpanel import rules
from mixrelay.worker.deliver import bulk_decode as alike
from mixrelay.worker.deliver import classification as sorting
from mixrelay.worker.deliver import fast_path as plain

Defect = Callable[[], "_patch[Any]"]


def _part(read: alike.Alike, first: int, end: int) -> alike.Alike:
    """Takes the neighbour's texts."""
    first = max(first - 1, 0)
    return alike.Alike(read.frame, read.records[first:end], read.texts[first:end])


def _all_in_seconds(times: list[Any]) -> list[float]:
    return [time * 1_000 for time in times]


DEFECTS: dict[str, Defect] = {
    "no record is too deep": lambda: patch.object(plain, "_nest_well", lambda *_: True),
    "no time is ahead": lambda: patch.object(plain, "_are_past", lambda *_: True),
    "every time is in seconds": lambda: patch.object(plain, "in_milliseconds", _all_in_seconds),
    "any user will do": lambda: patch.object(plain, "_are_users", lambda _users: True),
    "any id of an update will do": lambda: patch.object(
        plain, "_are_identifiers", lambda _values: True
    ),
    "any $insert_id will do": lambda: patch.object(rules, "are_insert_ids", lambda _ids: True),
    "an ignored event is sent": lambda: patch.object(sorting, "has_ignored", lambda _read: False),
    "nothing counts twice": lambda: patch.object(
        plain, "_as_one", lambda route, text, _doubtful=0: _as_one(route, text)
    ),
    "halves overlap": lambda: patch.object(alike.Alike, "part", _part),
    "the first token is everyone's": lambda: patch.object(
        plain, "_the_one_text", lambda values: next(iter(values))
    ),
    "any name will do": lambda: patch.object(plain, "_are_texts", lambda _values: True),
    "nothing is noticed": lambda: patch.object(sorting, "findings_together", lambda *_: ()),
}
_as_one = plain._as_one
