"""The tuple reader, and what cuts values out of a JSON text."""

from __future__ import annotations

import json
from typing import Any

import orjson

from mixrelay.console.status.age import _own_time_ms
from mixrelay.producer.records.repeatable import is_safe_twice
from mixrelay.shared.jsontext import elements, last_member, members, second_element
from mixrelay.shared.queue.letters.letter import subjects
from mixrelay.shared.tuples import MalformedTupleError, Message, join, read, split, take
from tests.fuzz.checks import exactly, is_deep, is_reason, loaded


def tuples(payload: bytes) -> None:
    """A payload is a message whose records can be written and read again, or has a reason."""
    about = list(subjects(payload))
    is_safe_twice(payload)
    _own_time_ms(payload)
    try:
        message = read(payload)
    except MalformedTupleError as error:
        is_reason(error.reason)
        assert not about
        return
    assert len(about) <= len(message.texts())
    _is_what_another_parser_reads(payload, message)
    texts = message.texts()
    assert texts
    parts = split(payload)
    assert len(parts) == len(texts)
    for part, text in zip(parts, texts, strict=True):
        _is_one_record(part, text, message)
    _parts_are_the_whole(payload, message, parts)


def _is_what_another_parser_reads(payload: bytes, message: Message) -> None:
    if is_deep(payload.decode(), message.text):
        return
    inner = exactly(payload.decode())[1]
    if isinstance(inner, str) and isinstance(json.loads(payload.decode())[1], str):
        inner = exactly(inner)
    wrapped = isinstance(inner, dict) and "data" in inner
    assert exactly(message.text) == (inner["data"] if wrapped else inner)
    key = inner.get("api_key") if wrapped else None
    assert message.api_key == (key or None)


def _is_one_record(part: bytes, text: str, message: Message) -> None:
    try:
        again = read(part)
    except MalformedTupleError as error:
        is_reason(error.reason)
        assert not isinstance(loaded(text), dict)
        return
    assert (again.kind, again.api_key) == (message.kind, message.api_key)
    assert again.text.strip() == text.strip()
    assert not again.is_list
    assert split(part) == [part]


def _parts_are_the_whole(payload: bytes, message: Message, parts: list[bytes]) -> None:
    first, rest = take(payload, 1)
    assert first == parts[:1]
    assert (rest is None) == (len(parts) == 1)
    if rest is not None and not is_deep(message.text):
        assert split(rest) == parts[1:]
        assert split(join(message.kind, message.api_key, message.texts())) == parts


def jsontext(data: bytes) -> None:
    """What is cut out of a text is what a parser finds there."""
    try:
        text = data.decode()
        value = orjson.loads(text)
    except (UnicodeDecodeError, orjson.JSONDecodeError):
        return
    if isinstance(value, dict):
        _members(text, value)
    elif isinstance(value, list):
        found = [loaded(one) for one in elements(text)]
        flat = _flat(value)
        assert len(found) == len(flat)
        second = loaded(second_element(text)) if len(value) > 1 else None
        if not is_deep(text):
            assert found == flat
            assert second is None or second == value[1]


def _members(text: str, value: dict[str, Any]) -> None:
    found = list(members(text))
    # Of a doubled key the last counts, as in the parser.
    last = {key: loaded(text[start:end]) for key, start, end in found}
    assert last.keys() == value.keys()
    for key in value:
        _, start, end = last_member(text, key)
        loaded(text[start:end])
    if is_deep(text):
        return
    assert last == value
    pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs, parse_int=str, parse_float=str)
    assert [key for key, _, _ in found] == [key for key, _ in pairs]


def _flat(values: list[Any]) -> list[Any]:
    flat: list[Any] = []
    waiting = values[::-1]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value[::-1]
        else:
            flat.append(value)
    return flat
