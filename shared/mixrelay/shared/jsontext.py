"""Finding values inside a JSON text without rewriting it.

Parsing and dumping changes what a client wrote: ``1.0e-07`` becomes ``1e-07``, an integer over
64 bits a float. So values are cut out of the text, and put into it, as they stand.

Every function here expects a text that ``orjson.loads`` has accepted.
"""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_value_at = JSONDecoder().raw_decode
_SPACE = " \t\n\r"
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]+|\\.)*"|[\[\]{}]')
_SCALAR_BEHIND_KEY = re.compile(
    r'[ \t\r\n]*:[ \t\r\n]*("[^"]*"|-?[0-9][0-9.eE+-]*|true|false|null)(?=[ \t\r\n]*[,}])'
)


class Member(NamedTuple):
    """A key of an object, and where its value stands in the text."""

    key: str
    start: int
    end: int


def members(text: str, position: int = 0) -> Iterator[Member]:
    """Yield the members of the object that begins at a position, doubled keys each time."""
    position = _skip(text, text.index("{", position) + 1, ",")
    while text[position] != "}":
        key, position = _value_at(text, position)
        start = _skip(text, position, ":")
        end = _end_of_value(text, start)
        yield Member(key, start, end)
        position = _skip(text, end, ",")


def last_member(text: str, key: str, position: int = 0) -> Member:
    """Return the member that counts where a key is doubled: the last."""
    return [member for member in members(text, position) if member.key == key][-1]


def sole_scalar(text: str, key: str) -> tuple[int, int] | None:
    """Return where the value of a key stands, quickly; None where that takes a closer look.

    It is sure where the text has the quoted key once, a colon behind it, and no backslash: then
    each key is written letter for letter, and no other value or key of that name is anywhere.
    Only numbers, texts, booleans and null are found.
    """
    quoted = f'"{key}"'
    if "\\" in text or text.count(quoted) != 1:
        return None
    found = _SCALAR_BEHIND_KEY.match(text, text.index(quoted) + len(quoted))
    return found.span(1) if found else None


def elements(text: str) -> list[str]:
    """Return the texts of a list's elements, in order, those of nested lists too."""
    found: list[str] = []
    depth, position = 0, _skip(text, 0)
    while True:
        mark = text[position]
        if mark in "[]":
            depth += 1 if mark == "[" else -1
            if depth == 0:
                return found
            position += 1
        else:
            end = _end_of_value(text, position)
            found.append(text[position:end])
            position = end
        position = _skip(text, position, ",")


def items(text: str) -> list[str]:
    """Return the texts of a list's own elements, in order; a list in it is one of them."""
    found: list[str] = []
    position = _skip(text, text.index("[") + 1)
    while text[position] != "]":
        end = _end_of_value(text, position)
        found.append(text[position:end])
        position = _skip(text, end, ",")
    return found


def second_element(text: str) -> str:
    """Return the text of the second element of a list that has one."""
    first = _skip(text, text.index("[") + 1)
    second = _skip(text, _end_of_value(text, first), ",")
    return text[second : _end_of_value(text, second)]


def _end_of_value(text: str, start: int) -> int:
    try:
        return _value_at(text, start)[1]
    except RecursionError:
        # orjson follows 1,024 levels, Python about 990 less the caller's: match the brackets.
        return _end_of_nest(text, start)


def _end_of_nest(text: str, start: int) -> int:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text, start):
        mark = found.group()[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth == 0:
            return found.end()
    raise ValueError("a JSON text that was accepted has brackets that do not match")


def _skip(text: str, position: int, mark: str = "") -> int:
    """Return the position past white space and the mark."""
    while position < len(text) and (text[position] in _SPACE or text[position] == mark):
        position += 1
    return position
