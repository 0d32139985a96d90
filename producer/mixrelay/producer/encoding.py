"""From a record to the JSON text of its message, or to an error with the path to the culprit.

orjson does the work and decides most of it. What it lets through or cannot write sends a record
on a second, slow and exact walk: NaN and Infinity (it writes ``null``), integers over 64 bits,
keys that are no plain ``str``, and nesting that ends Ruby's reader.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from mixrelay.producer.plain import MAX_DEPTH, Names, Walk, surely_finite
from mixrelay.producer.values import simplify

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def message_text(
    record: dict[str, Any],
    names: Names,
    api_key: str | None = None,
    traceparent: str | None = None,
) -> str:
    """Return the documented message ``{"data": record}``, with what else is given after it.

    Reads the caller's objects and changes none.

    Raises:
        InvalidPropertyError: something in the record is not JSON.
    """
    message: dict[str, Any] = {"data": record}
    if api_key is not None:
        message["api_key"] = api_key
    if traceparent is not None:
        message["traceparent"] = traceparent
    try:
        text = orjson.dumps(message, simplify, _OPTIONS).decode()
    except TypeError:
        return _exact_text(message, names)
    # Counting what opens bounds the depth, and costs next to nothing.
    deep = text.count("{") + text.count("[") > MAX_DEPTH
    if deep or ("null" in text and not surely_finite(record)):
        return _exact_text(message, names)
    return text


def record_text(record: dict[str, Any], names: Names) -> bytes:
    """Return the record alone, as a tracking URL carries it.

    Raises:
        InvalidPropertyError: something in the record is not JSON.
    """
    return orjson.dumps(Walk(names).plain(record, ()))


def plain_copy(record: dict[str, Any], names: Names) -> dict[str, Any]:
    """Return the record as it will be sent, for others to change: nothing of it is the caller's.

    Raises:
        InvalidPropertyError: something in the record is not JSON.
    """
    copied: Any = Walk(names).plain(record, ())
    return cast("dict[str, Any]", copied)


def _exact_text(message: dict[str, Any], names: Names) -> str:
    walk = Walk(names)
    record = walk.plain(message.pop("data"), ())
    beside = {key: walk.plain(value, (key,)) for key, value in message.items()}
    return orjson.dumps({"data": record, **beside}).decode()
