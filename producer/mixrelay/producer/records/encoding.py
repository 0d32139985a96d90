"""From a record to the JSON text of its message, or to an error with the path to the culprit.

What a caller gave is copied container by container (``snapshots.py``), its values made plain on
the way; then orjson writes the copy. It never sees an object of the caller's but texts and
numbers, and never calls back into Python: in between another thread could change what it walks.

What the quick copy or orjson cannot do sends a record on a second, slow and exact walk: NaN and
Infinity (orjson writes ``null``), integers over 64 bits, keys that are no plain ``str``, nesting
that ends Ruby's reader, and everything that is to be refused.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, cast

import orjson

from mixrelay.producer.bounds import FEW, MOST_VALUES, Room, counted, too_much
from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.records.strict_json import MAX_DEPTH, Names, Walk, surely_finite
from mixrelay.producer.records.values import simplify

if TYPE_CHECKING:
    from mixrelay.producer.records.values import Default

_FLAT = frozenset({str, int, float, bool, NoneType})
"""Types whose values nobody can change; orjson reads them without running Python."""


def message_text(
    record: dict[str, Any],
    names: Names,
    api_key: str | None = None,
    traceparent: str | None = None,
    default: Default | None = None,
) -> str:
    """Return the documented message ``{"data": record}``, with what else is given after it.

    Reads the caller's objects and changes none; other threads may change them meanwhile.

    Raises:
        InvalidPropertyError: something in the record is not JSON.
    """
    beside = {}
    if api_key is not None:
        beside["api_key"] = api_key
    if traceparent is not None:
        beside["traceparent"] = traceparent
    try:
        message = {"data": _own(record, default, 0), **beside}
        text = orjson.dumps(message).decode()
    except Exception as error:
        if is_ending(error):
            raise
        # It says where, or can do it.
        return _exact_text(record, beside, names, default)
    if "null" in text and not surely_finite(message):
        return _exact_text(record, beside, names, default)
    return text


def record_text(record: dict[str, Any], names: Names, default: Default | None = None) -> bytes:
    """Return the record alone, as a tracking URL carries it.

    Raises:
        InvalidPropertyError: something in the record is not JSON.
    """
    return orjson.dumps(Walk(names, default).plain(record, ()))


def plain_copy(
    record: dict[str, Any], names: Names, default: Default | None = None
) -> dict[str, Any]:
    """Return the record as it will be sent, for others to change: nothing of it is the caller's.

    Raises:
        InvalidPropertyError: something in the record is not JSON.
    """
    copied: Any = Walk(names, default, wide=False).plain(record, ())
    return cast("dict[str, Any]", copied)


def _own(value: Any, default: Default | None, depth: int, room: Room | None = None) -> Any:
    """Return a value made of exact JSON types, in containers that nobody else has.

    What a record holds is counted from its properties on, and only where they hold containers, or
    many values: most are a few texts and numbers.
    """
    kind = type(value)
    if kind in _FLAT:
        return value
    if depth > MAX_DEPTH:
        raise RecursionError  # before Python's own limit, which may be near; the exact walk says it
    if kind is dict:
        if len(value) > MOST_VALUES:
            raise too_much()
        copied = value.copy()
        # One look at all of them in C, since most dicts hold texts and numbers alone.
        flat = _FLAT.issuperset(map(type, copied.values()))
        if depth and (room or not flat or len(copied) > FEW):
            room = counted(copied, room)
        if not flat:
            for key, item in copied.items():
                if type(item) not in _FLAT:
                    copied[key] = _own(item, default, depth + 1, room)
        return copied
    if kind is list:
        return _own_list(value, default, depth, room)
    return _own(simplify(value, default), default, depth + 1, room)


def _own_list(
    value: list[Any], default: Default | None, depth: int, room: Room | None
) -> list[Any]:
    if len(value) > MOST_VALUES:
        raise too_much()
    copied = [*value]
    room = counted(copied, room)
    if not _FLAT.issuperset(map(type, copied)):
        copied = [_own(item, default, depth + 1, room) for item in copied]
    return copied


def _exact_text(
    record: dict[str, Any], beside: dict[str, Any], names: Names, default: Default | None
) -> str:
    walk = Walk(names, default)
    message = {"data": walk.plain(record, ())}
    for key, value in beside.items():
        message[key] = walk.plain(value, (key,))
    return orjson.dumps(message).decode()
