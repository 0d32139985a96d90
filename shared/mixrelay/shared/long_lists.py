"""Cutting a long list of records into short lists, without parsing it into objects.

A list of 200,000 records is one element of the queue. Parsed into objects it takes some ten times
its bytes, and cutting a thousand records off at a time copies the rest as often. Here it is read
once, from its first record to its last: each is skipped over by a parser that forgets it, and each
slice is checked by the strict one as it is written.
"""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import TYPE_CHECKING, NamedTuple

import orjson

from mixrelay.shared.tuples import KINDS, Kind, join

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of a number only its end is wanted: Python refuses to make an int of 5,000 digits.
_value_at = JSONDecoder(parse_int=float).raw_decode
_HEAD = re.compile(rb'[ \t\n\r]*\[[ \t\n\r]*"([a-z_/]{1,40})"[ \t\n\r]*,[ \t\n\r]*')
_LIST = re.compile(rb'(?:"[ \t\n\r]*)?(?:\{[ \t\n\r]*\\?"data\\?"[ \t\n\r]*:[ \t\n\r]*)?\[')
_SPACE = re.compile(r"[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_NEXT = re.compile(r"[ \t\n\r]*([,\]}])[ \t\n\r]*")
_END = re.compile(r"[ \t\n\r]*\][ \t\n\r]*")
_DEEPEST = 900
"""Lists within lists; orjson follows 1,024 levels, and what is deeper is nobody's records."""


class Slice(NamedTuple):
    """A part of a list, as a message of its own."""

    payload: bytes
    records: int


class _Doubtful(Exception):
    """The text is not what it seems: whoever reads it whole says why."""


class _Span(NamedTuple):
    """Records in a row; and how many."""

    start: int
    end: int
    records: int


def begins_as_list(payload: bytes) -> bool:
    """Whether a payload is a list of records by its first bytes; False where these do not tell."""
    head = _HEAD.match(payload)
    return bool(head and head[1].decode() in KINDS and _LIST.match(payload, head.end()))


def cut(payload: bytes, *, most: int, most_characters: int) -> list[Slice] | None:
    """Cut a list into lists of at most so many records and characters, in order.

    None where the payload is no list, or is written in a way that is not known here; then reading
    it whole tells. Nested lists are flattened, as ``Message.texts`` does. A record that is longer
    than ``most_characters`` has a slice of its own.
    """
    try:
        kind, text, start = _message(payload)
        walk = _Walk(text, most, most_characters)
        if text.startswith("{", start):
            api_key, end = _members(walk, start)
        else:
            api_key, end = None, walk.over(start)
        if not (_SPACE if start == 0 else _END).fullmatch(text, end):
            return None
        return [_written(kind, api_key, text, spans) for spans in walk.found]
    except (_Doubtful, ValueError, StopIteration, IndexError, RecursionError):
        return None


def _message(payload: bytes) -> tuple[Kind, str, int]:
    """Return the text in which the message lies, and where; 0 where it is a text of its own."""
    head = _HEAD.match(payload)
    kind = KINDS.get(head[1].decode()) if head else None
    if head is None or kind is None:
        raise _Doubtful
    if payload[head.end() : head.end() + 1] != b'"':
        return kind, payload.decode(), head.end()
    pair = orjson.loads(payload)
    if len(pair) != 2 or not isinstance(pair[1], str):  # noqa: PLR2004 - a type and a message
        raise _Doubtful
    return kind, pair[1].lstrip(" \t\n\r"), 0


def _members(walk: _Walk, start: int) -> tuple[str | None, int]:
    """Walk over a message's list; return its api_key, and where the message ends."""
    text, api_key, mark = walk.text, None, ","
    position = _after(_SPACE, text, start + 1)
    while mark == ",":
        key, end = _value_at(text, position)
        position = _after(_COLON, text, end)
        if key == "data":
            end = walk.over(position)
        elif key == "api_key":
            end = _value_at(text, position)[1]
            api_key = _text_or_none(text[position:end])
        else:
            raise _Doubtful
        mark, position = _next(text, end)
    if mark != "}" or not walk.found:
        raise _Doubtful
    return api_key, position


def _text_or_none(text: str) -> str | None:
    value = orjson.loads(text)
    if value is not None and not isinstance(value, str):
        raise _Doubtful
    return value or None


class _Walk:
    """Finds where the slices of a list lie."""

    def __init__(self, text: str, most: int, most_characters: int) -> None:
        self.text = text
        self._most = most
        self._most_characters = most_characters
        self.found: list[list[_Span]] = []
        """For each slice the texts that it is made of; of the last list where there are two."""

    def over(self, start: int) -> int:
        """Go over a list; return where it ends."""
        text, depth, position = self.text, 0, start
        self.found = [[]]
        self._records = self._characters = 0
        if text[start] != "[":
            raise _Doubtful
        while True:
            is_opened = text[position] == "["
            while text[position] == "[":
                depth += 1
                position = _after(_SPACE, text, position + 1)
                self._is_new = True
            if depth > _DEEPEST:
                raise _Doubtful
            end = position
            if text[position] != "]" or not is_opened:  # else an empty list
                end = _value_at(text, position)[1]
                self._add(position, end)
            mark, position = _next(text, end)
            while mark == "]":
                depth -= 1
                self._is_new = True
                if depth == 0:
                    return self._ended(position)
                mark, position = _next(text, position)
            if mark != ",":
                raise _Doubtful

    def _ended(self, position: int) -> int:
        if not self.found[-1]:
            raise _Doubtful
        return position

    def _add(self, start: int, end: int) -> None:
        characters = self._characters + end - start
        if self._records and (self._records == self._most or characters > self._most_characters):
            self.found.append([])
            self._records, characters, self._is_new = 0, end - start, True
        self._records, self._characters = self._records + 1, characters
        spans = self.found[-1]
        if self._is_new:
            spans.append(_Span(start, end, 1))
        else:  # behind its neighbour, with a comma between
            spans[-1] = _Span(spans[-1].start, end, spans[-1].records + 1)
        self._is_new = False


def _next(text: str, position: int) -> tuple[str, int]:
    """Return the mark behind a value, and where what follows it begins."""
    found = _NEXT.match(text, position)
    if found is None:
        raise _Doubtful
    return found[1], found.end()


def _after(what: re.Pattern[str], text: str, position: int) -> int:
    found = what.match(text, position)
    if found is None:
        raise _Doubtful
    return found.end()


def _written(kind: Kind, api_key: str | None, text: str, spans: Sequence[_Span]) -> Slice:
    texts = [text[span.start : span.end] for span in spans]
    orjson.loads(f"[{','.join(texts)}]")
    return Slice(join(kind, api_key, texts), sum(span.records for span in spans))
