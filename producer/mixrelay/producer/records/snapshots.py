"""Copies of the caller's containers, each of one moment.

Another thread may change a list or a dict while a call reads it, and so may a value of it that is
converted. orjson walks containers in C and must never see one that can change meanwhile: it would
read freed memory, and the process would die. So each container is copied before anything in it is
looked at.

A built-in list, dict, set or tuple is copied by one call into C, in which no other thread and no
signal handler runs. Whatever iterates in Python may notice a change and raise; it is read again.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from mixrelay.producer.bounds import BUILT_IN, bounded, check_count
from mixrelay.producer.records.unwritable import NotJSONError

T = TypeVar("T")

ATTEMPTS = 50
"""At one container. A copy takes microseconds, so that two in a row are rarely disturbed."""

_CHANGED = re.compile("(changed size|mutated) during")
"""Of a dict, a set, a deque, an OrderedDict."""

_OF_THEIR_LENGTH = frozenset({dict.__iter__, OrderedDict.__iter__})
"""How dicts iterate that have as many members as their length says."""

_PANIC = "PanicException"
"""What pydantic's Rust raises where a dict changes under it; no Exception, but no ending either."""


def as_dict(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a mapping's copy; of one with several values a key (``QueryDict``), their lists.

    Raises:
        NotJSONError: it changes faster than it can be read, or is larger than a record may be.
    """
    kind = type(value)
    if kind is dict:
        check_count(len(value))
        return value.copy()  # type: ignore[attr-defined, no-any-return]
    all_of = getattr(kind, "getlist", None) or getattr(kind, "getall", None)
    if all_of is not None:
        return _looked_up(value, lambda key: [*bounded(all_of(value, key))])
    if issubclass(kind, dict) and kind.__iter__ in _OF_THEIR_LENGTH:
        check_count(len(value))
        return steadily(dict, value)
    return _looked_up(value, value.__getitem__)


def as_list(value: Iterable[Any]) -> list[Any]:
    """Return the members of a sequence, a set or a view.

    Raises:
        NotJSONError: as ``as_dict``.
    """
    if type(value) in BUILT_IN:
        check_count(len(value))  # type: ignore[arg-type]
        return steadily(list, value)
    return steadily(_bounded_list, value)


def steadily(copy: Callable[[Any], T], value: object) -> T:
    """Return a copy; try again where the value was changed while it was made.

    Raises:
        NotJSONError: it was, each time.
    """
    for _ in range(ATTEMPTS):
        try:
            return copy(value)
        except RecursionError:
            raise
        except RuntimeError as error:
            if not _CHANGED.search(str(error)):
                raise
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
    raise NotJSONError("was changed by another thread each time it was read; copy it under a lock")


def _bounded_list(value: Iterable[Any]) -> list[Any]:
    return [*bounded(value)]


def _looked_up(value: Mapping[Any, Any], get: Callable[[Any], Any]) -> dict[Any, Any]:
    found = {}
    for key in as_list(value):
        try:
            found[key] = get(key)
        except KeyError:  # another thread removed it meanwhile
            continue
    return found
