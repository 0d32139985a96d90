"""Which partition of a queue a message belongs to: that of the profile it is about.

All of a profile's messages go to one list, so that its updates keep their order. The rule is
public (docs/other-languages.md): producers in other languages may follow it.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson

from mixrelay.shared.tuples import KINDS, Kind, MalformedTupleError, read, write

_MULTIPLIER = 2_862_933_555_777_941_757
_BITS = 2**64 - 1

# What our own producers write, and most others.
_COMMON = '{"data":{'


def partition_of_tuple(payload: bytes, partitions: int) -> int:
    """Return the partition of a tuple; 0 of bytes that are none."""
    if partitions == 1:
        return 0
    try:
        message = read(payload)
    except MalformedTupleError:
        return 0
    return partition_of_key(_key(message.kind, message.data, message.text), partitions)


def partition_of_message(word: str, message: str, partitions: int) -> int:
    """Return the partition of a tuple's two parts, faster where they are as we write them."""
    kind = KINDS.get(word)
    if kind is None or not message.startswith(_COMMON):
        return partition_of_tuple(write(word, message), partitions)
    try:
        record = orjson.loads(message)["data"]
    except orjson.JSONDecodeError:
        # Not only what is no JSON: of what is as deep as the parser goes, the parts can be read.
        return partition_of_tuple(write(word, message), partitions)
    return partition_of_key(_key(kind, record, message), partitions)


def partition_of_key(key: str, partitions: int) -> int:
    """Return a profile's partition; one partition more takes its even share from each, no more.

    Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014), of the CRC-32
    of the key's UTF-8; with integers where they divide floats, so that all languages agree.
    """
    state, found, jump = crc32(key.encode()), 0, 0
    while jump < partitions:
        found = jump
        state = (state * _MULTIPLIER + 1) & _BITS
        jump = ((found + 1) << 31) // ((state >> 33) + 1)
    return found


def _key(kind: Kind, data: Any, text: str) -> str:
    """Return whose a message is; of a list, the first record decides.

    Events of nobody need no order: each goes by its own text, so that they spread.
    """
    record = data if type(data) is dict else _first(data)
    return (_who(kind, record) if isinstance(record, dict) else "") or text


def _first(data: Any) -> Any:
    while isinstance(data, list):
        data = next((one for one in data if one != []), None)
    return data


def _who(kind: Kind, record: dict[str, Any]) -> str:
    if kind is Kind.PROFILE_UPDATE:
        return _text(record.get("$distinct_id"))
    if kind is Kind.GROUP_UPDATE:
        return f"{_text(record.get('$group_key'))} {_text(record.get('$group_id'))}"
    properties = record.get("properties")
    return _text(properties.get("distinct_id")) if isinstance(properties, dict) else ""


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    return str(value) if isinstance(value, int | float) else ""
