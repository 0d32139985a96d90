"""The JSON value that stands for a Python value, one level at a time.

========================  =====================================================================
``datetime``              UTC, ``YYYY-MM-DDTHH:MM:SS``: an aware one is converted, a naive one is
                          taken as UTC; what is below a second is cut off (Mixpanel: property
                          data types)
``date``                  its midnight, ``YYYY-MM-DDT00:00:00``
``timedelta``             seconds: an int when they are whole, else a float
``Decimal``               a number: an int when it is whole, else the nearest float
``UUID``, ``Path``        its text
``Enum``                  its value
set, sequence, view       a list; a set is sorted where its members can be
dataclass, mapping        an object; of a mapping with several values a key (``QueryDict``) each
                          value is a list
========================  =====================================================================

``foreign.py`` has the values of other libraries.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

from mixrelay.producer.records.foreign_values import UNKNOWN, foreign, stood_for
from mixrelay.producer.records.snapshots import as_dict, as_list
from mixrelay.producer.records.unwritable import NotJSONError

__all__ = ["Default", "NotJSONError", "milliseconds", "simplify", "utc_text"]

Default: TypeAlias = Callable[[Any], Any]
"""A converter of the caller's, for types that are not known here: as ``json.dumps(default=…)``."""


def simplify(value: object, default: Default | None = None) -> object:
    """Return what stands for a value that is no exact JSON type: plain, or plainer by one level.

    Every list and dict that it returns is new, and nobody else's.

    Args:
        value: any object; not of an exact JSON type.
        default: called with what is not known here.

    Raises:
        NotJSONError: nothing stands for it.
    """
    kind = type(value)
    convert = _EXACT.get(kind)
    if convert is not None:
        return convert(value)
    # Of the type, since a proxy says by its __class__ to be what it stands for.
    for base, convert in _BASES:
        if issubclass(kind, base):
            return convert(value)
    found = stood_for(value)
    if found is UNKNOWN:
        found = _structure(value)
    if found is UNKNOWN:
        found = foreign(value)
    if found is not UNKNOWN:
        return found
    if default is not None:
        return _converted(value, default)
    raise NotJSONError(_advice(value))


def utc_text(value: date) -> str:
    """Return a point in time as Mixpanel's properties hold it, in UTC without a zone.

    Raises:
        NotJSONError: it lies outside the years 1 to 9999 in UTC, or is pandas' NaT.
    """
    if not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00"
    return _as_utc(value).replace(tzinfo=None).isoformat(timespec="seconds")


def milliseconds(value: date) -> int:
    """Return a point in time as an event's own ``time``: milliseconds since 1970 in UTC.

    Raises:
        NotJSONError: as ``utc_text``.
    """
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    # Whole numbers all the way: a float would be off by one now and then.
    since = _as_utc(value) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _as_utc(value: datetime) -> datetime:
    if value != value:  # noqa: PLR0124 - as pandas' NaT, which is a datetime too, and no time
        raise NotJSONError("NaT is not JSON; send None or leave it out")
    if value.utcoffset() is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise NotJSONError("is outside the years 1 to 9999 in UTC") from None


def _number(value: Decimal) -> int | float:
    if not value.is_finite():
        raise NotJSONError(f"{value} is not JSON; send None or leave it out")
    near = float(value)
    # Digits beyond a float's range are nobody's property, and 10**(10**18) would fill the memory.
    if math.isinf(near):
        raise NotJSONError("a Decimal beyond a float's range is not JSON; send it as a str")
    return int(value) if value == value.to_integral_value() else near


def _seconds(value: timedelta) -> int | float:
    seconds = value.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _in_order(value: Iterable[Any]) -> list[Any]:
    members = as_list(value)
    try:
        return sorted(members)
    except TypeError:
        return members


def _structure(value: Any) -> object:
    """Return what stands for a container by its protocol, or UNKNOWN."""
    kind = type(value)
    if issubclass(kind, AbstractSet):
        return _in_order(value)
    if issubclass(kind, Mapping):
        return as_dict(value)
    if issubclass(kind, _LISTS) and not issubclass(kind, _BYTES):
        return as_list(value)
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    if issubclass(kind, os.PathLike):
        return os.fspath(value)
    return UNKNOWN


def _converted(value: object, default: Default) -> object:
    try:
        found = default(value)
    except TypeError as error:
        # How a converter of json's says that it does not know a type.
        raise NotJSONError(f"{_named(value)} cannot be written as JSON: {error}") from error
    if isinstance(found, Coroutine):
        found.close()
        raise NotJSONError("default= returned a coroutine, which nothing awaits; write it with def")
    if found is value:
        raise NotJSONError(f"default= returned {_named(value)} as it was, which is not JSON")
    return found


_BYTES = (bytes, bytearray, memoryview)
_LISTS = (Sequence, ValuesView)

_EXACT: dict[type, Callable[[Any], object]] = {
    datetime: utc_text,
    date: utc_text,
    Decimal: _number,
    UUID: str,
    tuple: list,
    set: _in_order,
    frozenset: _in_order,
    timedelta: _seconds,
}

_BASES: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),  # such as numpy.float64
    (dict, as_dict),
    (list, as_list),
    (date, utc_text),
    (Decimal, _number),
    (Enum, lambda value: value.value),
    (UUID, str),
    (timedelta, _seconds),
)


def _advice(value: object) -> str:
    if isinstance(value, _BYTES):
        return f"{type(value).__name__} is not JSON; send text, as by .decode() or .hex()"
    if isinstance(value, Coroutine):
        return "a coroutine is not JSON; await it, and send what it returns"
    return f"{_named(value)} cannot be written as JSON; convert it, or give Tracker(default=…)"


def _named(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
