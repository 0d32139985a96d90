"""Tuples and records in forms that clients write, and damaged ones: structure first, bytes then.

A parser refuses most of what a blind fuzzer makes of its bytes; these get past it.
"""

from __future__ import annotations

import json

from mixrelay.shared.tuples import KINDS, Kind
from tests.fuzz.source import Source
from tests.fuzz.targets.reading import jsontext, tuples
from tests.fuzz.targets.records import records

_SPACES = ("", "", " ", "\n\t", "\r")
_NUMBERS = ("0", "-0", "1.0e-07", "1e2", "18446744073709551616", "1795520500", "1795520500000.5")
_NAMES = (
    *("event", "properties", "time", "$insert_id", "distinct_id", "token", "ip", "$device_id"),
    *("$token", "$distinct_id", "$group_key", "$group_id", "$time", "$set", "$add", "$unset"),
    *("data", "api_key", "a", 'quo"te', "back\\slash", "new\nline", "\u2028", "\\u0065vent"),
)
_TEXTS = (
    *('"u1"', '""', '"null"', '"}},\\"api_key\\":{"', '"\\ud83d\\ude00"', '"\\u0000"', '"1.7e9"'),
    *('"E"', '"$merge"', '"$identify"', '"\u00e4\U0001f600"', '"KEY"', '" 1795520500 "', "null"),
)
_DEEP = (*range(251, 257), 900, 980, *range(1_016, 1_028))
_DAMAGE = (
    b"",
    b"]",
    b"}",
    b'"',
    b"\\",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b",",
    b"NaN",
    b"\\ud83d",
)


def forms(data: bytes) -> None:
    """The tuple reader on every layout that a JSON writer may choose, and on damaged ones."""
    source = Source(data)
    message = _message(source)
    text = json.dumps(message, ensure_ascii=source.flag()) if source.flag() else message
    word = json.dumps(source.pick(list(KINDS)))
    space = source.pick(_SPACES)
    payload = f"{space}[{space}{word}{space},{space}{text}{space}]{space}".encode()
    tuples(_damaged(source, payload) if source.flag() else payload)
    jsontext(message.encode())


def fields(data: bytes) -> None:
    """The record rules on records with the names that they look at, and values of any type."""
    source = Source(data)
    head = bytes([source.byte(), source.byte(), source.byte()])
    is_event = list(Kind)[head[0] % len(Kind)] in {Kind.EVENT, Kind.IMPORT}
    records(head + (_event(source) if is_event else _update(source)).encode())


def _message(source: Source) -> str:
    record = source.pick([_event, _update, _value])
    data = record(source)
    if source.below(4) == 1:
        data = f"[{','.join(record(source) for _ in range(source.below(5)))}]"
    kind = source.below(4)
    if kind == 0:
        return data
    members = [f'"data":{data}']
    if source.flag():
        members.append(f'"api_key":{source.pick(_TEXTS)}')
    if kind == 1:
        members.insert(source.below(3), f'"{source.pick(("data", "x", "api_key"))}":{data}')
    space = source.pick(_SPACES)
    text = f"{{{f'{space},{space}'.join(members)}}}"
    # Written by hand or cut: what follows the last value is not always a brace.
    return text[:-1] + source.pick(["]", "x", "", "}}", " }"]) if source.below(8) == 1 else text


def _damaged(source: Source, payload: bytes) -> bytes:
    place = source.below(len(payload))
    kept = place + source.below(3)
    return payload[:place] + source.pick(_DAMAGE) + payload[kept:]


def _event(source: Source) -> str:
    space = source.pick(_SPACES)
    properties = _object(source, depth=2)
    name = source.pick(_TEXTS) if source.flag() else '"E"'
    pair = [f'"event":{space}{name}', f'"properties"{space}:{properties}']
    if source.flag():
        pair.reverse()
    if source.below(4) == 1:
        pair.append(f"{json.dumps(source.pick(_NAMES))}:{_value(source)}")
    return f"{{{space}{','.join(pair)}{space}}}"


def _update(source: Source) -> str:
    target = '"$token":"token","$distinct_id":"u","$group_key":"team","$group_id":1'
    if source.below(4) == 1:
        target = f'"$token":{_value(source)},"$distinct_id":{_value(source)}'
    time = f',"$time":{source.pick(_NUMBERS + _TEXTS)}' if source.flag() else ""
    operation = source.pick(["$set", "$add", "$unset", "$delete", "$nothing"])
    return f'{{{target}{time},"{operation}":{_value(source)}}}'


def _value(source: Source, depth: int = 2) -> str:
    kind = source.below(6)
    if kind < 2:
        return source.pick(_NUMBERS if kind else _TEXTS)
    if kind == 2 and depth:
        return _object(source, depth - 1)
    if kind == 3 and depth:
        if source.below(16) == 1:
            return f"[{','.join(['1'] * source.pick([254, 255]))}]"
        return f"[{','.join(_value(source, depth - 1) for _ in range(source.below(3)))}]"
    if kind == 4:
        deep = source.below(6) if source.below(16) else source.pick(_DEEP)
        return "[" * deep + "1" + "]" * deep
    return source.pick(["true", "false", "null", "{}", "[]"])


def _object(source: Source, depth: int) -> str:
    many = 0 if source.below(32) else source.pick([249, 250, 251, 252, 253, 254])
    members = [f'"p{number}":1' for number in range(many)]
    members += [
        f"{json.dumps(source.pick(_NAMES))}:{_value(source, depth)}" for _ in range(source.below(6))
    ]
    return f"{{{','.join(members)}}}"
