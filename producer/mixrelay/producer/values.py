"""The JSON value that stands for a Python value, one level at a time.

========================  =====================================================================
``datetime``              UTC, ``YYYY-MM-DDTHH:MM:SS``: an aware one is converted, a naive one is
                          taken as UTC; what is below a second is cut off (Mixpanel: property
                          data types)
``date``                  its midnight, ``YYYY-MM-DDT00:00:00``
``Decimal``               a number: an int when it is whole, else the nearest float
``UUID``                  its text, with dashes
``Enum``                  its value
set, frozenset, tuple     a list; a set is sorted where its members can be
dataclass, mapping        an object
========================  =====================================================================
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID


class NotJSONError(ValueError):
    """No JSON value stands for this one; the text says what to send instead."""


def simplify(value: object) -> object:
    """Return what stands for a value that is no JSON: plain, or plainer by one level.

    Raises:
        NotJSONError: nothing does.
    """
    if isinstance(value, date):
        return utc_text(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, AbstractSet):
        return _in_order(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, float):  # a subclass, such as numpy.float64
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise NotJSONError(_advice(value))


def utc_text(value: date) -> str:
    """Return a point in time as Mixpanel's properties hold it, in UTC without a zone.

    Raises:
        NotJSONError: it lies outside the years 1 to 9999 in UTC.
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


def _in_order(value: AbstractSet[object]) -> list[object]:
    try:
        return sorted(value)  # type: ignore[type-var]
    except TypeError:
        return list(value)


def _advice(value: object) -> str:
    name = type(value).__name__
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{name} is not JSON; send text, as by .decode() or .hex()"
    return f"{name} is not JSON; send a str, a number, a bool, None, a list or a dict"
