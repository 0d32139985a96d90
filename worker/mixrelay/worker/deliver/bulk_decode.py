r"""Many tuples parsed by two calls in place of two for each: those that are framed alike.

A frame is what stands around the record in the commonest form, `["event","{\"data\":` and `}"]`,
or with an `api_key` behind the record. Whatever is written otherwise, or cannot be read, is not
read here: `read_alike` returns None, and `mixrelay.shared.tuples.read` decides about each message
and says why.

Why it finds exactly what reading them one by one would: what lies between the frames is one JSON
string, and that string one JSON object, in every tuple. To show this of all by one call, they
are parsed as one list, with a number between each two that nobody who wrote a message could know
(63 bits, drawn when the messages lie here). The numbers must then stand at every second place of
the list. A text that closes the list, swallows its neighbour or holds two values moves a number
from its place, or into another value. So each text is one value, the one in its place.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import orjson

from mixrelay.shared.tuples import KINDS, Kind, Message

_FRAMED = re.compile(
    rb"""(\["([a-z_/]+)", ?"\{\\"data\\":)\{.*\}((?:,\\"api_key\\":\\"(\w+)\\")?\}"\])""", re.DOTALL
)
_MARK_BITS = 63
_MOST_BYTES = 2_000_000
"""Of all payloads: a huge one is read by itself, since each step here makes one more copy."""
_EVENTS = (Kind.EVENT, Kind.IMPORT)


class Frame(NamedTuple):
    """What stands before and behind the record, and what it says.

    Attributes:
        closing: how every record ends: a brace, or that of an event behind that of an object.
    """

    head: bytes
    closing: bytes
    tail: bytes
    kind: Kind
    api_key: str | None


class Alike(NamedTuple):
    """What was read, in columns.

    Attributes:
        records: objects, as parsed; for looking, since a number over 64 bits is a float in it.
        texts: the same as they were written, for sending.
    """

    frame: Frame
    records: list[dict[str, Any]]
    texts: list[str]

    def part(self, first: int, end: int) -> Alike:
        """Some of them in a row."""
        return Alike(self.frame, self.records[first:end], self.texts[first:end])

    def messages(self) -> Iterator[Message]:
        kind, api_key = self.frame.kind, self.frame.api_key
        for record, text in zip(self.records, self.texts, strict=True):
            yield Message(kind, api_key, record, text)


def read_alike(payloads: Sequence[bytes]) -> Alike | None:
    """Read tuples that are framed alike; None where one of them is not."""
    frame = _frame(payloads[0]) if sum(map(len, payloads)) <= _MOST_BYTES else None
    if frame is None or not _are_framed(payloads, frame):
        return None
    inner = slice(len(frame.head), -len(frame.tail))
    texts = _strings([payload[inner] for payload in payloads])
    records = texts and _objects(texts)
    return Alike(frame, records, texts) if texts and records else None


def _frame(payload: bytes) -> Frame | None:
    found = _FRAMED.fullmatch(payload)
    kind = found and KINDS.get(found[2].decode())
    if not found or not kind:
        return None
    closing = b"}}" if kind in _EVENTS else b"}"
    return Frame(found[1], closing, found[3], kind, found[4].decode() if found[4] else None)


def _are_framed(payloads: Sequence[bytes], frame: Frame) -> bool:
    head, tail = frame.head + b"{", frame.closing + frame.tail
    return all(map(bytes.startswith, payloads, repeat(head))) and all(
        map(bytes.endswith, payloads, repeat(tail))
    )


def _strings(bodies: Sequence[bytes]) -> list[str] | None:
    """Parse JSON strings, given without their quotes."""
    mark = secrets.randbits(_MARK_BITS)
    return _values(b'["%b"]' % (b'",%d,"' % mark).join(bodies), mark, len(bodies))


def _objects(texts: Sequence[str]) -> list[dict[str, Any]] | None:
    """Parse texts that each begin with a brace."""
    mark = secrets.randbits(_MARK_BITS)
    return _values(f"[{f',{mark},'.join(texts)}]", mark, len(texts))


def _values(listed: bytes | str, mark: int, count: int) -> list[Any] | None:
    """Parse a list of so many values with the mark between each two; None where it is not that."""
    try:
        values = orjson.loads(listed)
    except orjson.JSONDecodeError:
        return None
    fits = len(values) == 2 * count - 1 and values[1::2].count(mark) == count - 1
    return values[::2] if fits else None
