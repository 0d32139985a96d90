"""Every Python value through the tracker: a refusal that says where, or a tuple that is read."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Any
from uuid import UUID

from mixrelay.producer import Tracker
from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.encoding import message_text, record_text
from mixrelay.shared.tuples import read, write
from tests.fuzz.checks import exactly
from tests.fuzz.source import Source

TOKEN = "token"
_DEEPEST = 120


class Colour(Enum):
    RED = "red"
    NOTHING = float("nan")


@dataclasses.dataclass
class Point:
    x: object
    y: object = 1


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Opaque:
    pass


_MOMENTS = (
    datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-9))),
    datetime(2026, 1, 2),  # noqa: DTZ001 - callers write it
    date(1969, 12, 31),
)
_ODDITIES = (
    *(float("nan"), float("inf"), float("-inf"), -0.0, 1e308, 5e-324, 10**400, 10**308, -(2**63)),
    *(Decimal("1.0"), Decimal("NaN"), Decimal("1e999999"), Decimal("-0"), Fraction(1, 3), 1j),
    *(b"bytes", bytearray(b"x"), memoryview(b"x"), Colour.RED, Colour.NOTHING, Colour, object),
    *(Text("text"), Text("\ud83d"), Whole(7), Opaque(), Opaque, len, ..., NotImplemented),
    *(UUID(int=7), range(3), frozenset({1, "a"}), {3, 1, 2}, (1, (2, 3)), OrderedDict(a=1)),
    *(MappingProxyType({"a": 1}), Point(1), Point(Opaque()), {1: 2}, {None: 1}, {("a",): 1}),
)


def value(source: Source, depth: int = 4) -> Any:
    """Return any Python value that a caller may hand over by mistake."""
    kind = source.below(10)
    if kind < 4:
        return source.json(depth)
    if kind == 4:
        return source.pick(_ODDITIES)
    if kind == 5:
        return source.pick(_MOMENTS)
    if kind == 6:
        return _cycle(source)
    if kind == 7:
        return _deep(source)
    inner = [value(source, depth - 1) for _ in range(source.below(4))] if depth else []
    return inner if source.flag() else {source.text(): one for one in inner}


def _cycle(source: Source) -> Any:
    around: list[Any] = [source.number()]
    around.append({"again": around} if source.flag() else around)
    return around


def _deep(source: Source) -> Any:
    inner: Any = source.number()
    for _ in range(source.below(_DEEPEST)):
        inner = [inner] if source.flag() else {"in": inner}
    return inner


def producer(data: bytes) -> None:
    """Nothing but InvalidPropertyError is raised; what is pushed is read back as it was given."""
    source = Source(data)
    taken: list[tuple[str, str]] = []
    tracker = Tracker(TOKEN, sink=lambda kind, message: taken.append((kind, message)))
    given = value(source)
    try:
        _called(source, tracker, given)
    except InvalidPropertyError as error:
        _says_where(error)
        refused = True
    else:
        refused = False
    assert len(taken) == (not refused), "pushed once, or refused"
    if refused:
        return
    kind, text = taken[0]
    message = read(write(kind, text))
    assert message.kind == kind
    assert not message.is_list
    _says_the_same(given, text)
    _is_told_alike_by_both_ways(given)


def _says_where(error: InvalidPropertyError) -> None:
    assert error.path
    assert error.reason
    assert str(error).isprintable(), repr(str(error))


def _called(source: Source, tracker: Tracker[Any], given: Any) -> None:
    people, groups = tracker.people, tracker.groups
    properties = given if source.flag() and isinstance(given, dict) else {"given": given}
    word = source.text()
    source.pick(
        [
            lambda: tracker.track("u", "E", properties),
            lambda: tracker.track("u", "E", {"given": given}, ip=0, insert_id="i-1"),
            lambda: tracker.track(given, word, None),
            lambda: tracker.track("u", given),
            lambda: tracker.track("u", "E", given),
            lambda: tracker.track("u", "E", groups={"team": given}),
            lambda: tracker.track("u", "E", insert_id=given),
            lambda: tracker.import_event("u", "E", properties, api_key=word or None),
            lambda: tracker.identify(given, word),
            lambda: tracker.merge(word, given),
            lambda: people.set(given, {"a": 1}),
            lambda: people.set("u", properties, ignore_time=True),
            lambda: people.set_once("u", given),
            lambda: people.increment("u", properties),
            lambda: people.append("u", properties, time=given),
            lambda: people.union("u", properties, ip=given),
            lambda: people.remove("u", properties),
            lambda: people.unset("u", given),
            lambda: people.track_charge("u", given),
            lambda: people.delete(given, ignore_alias=True),
            lambda: groups.set("team", given, properties),
            lambda: groups.union(given, "a", {"b": [given]}),
            lambda: groups.unset("team", "a", given),
            lambda: groups.delete("team", given),
            lambda: tracker.track(event="E", user_id=given, timestamp=1),
            lambda: tracker.track("u", "E", device_id=word, timestamp=given),
            lambda: tracker.track("u", "E", meta=given),
            lambda: people.update({"$distinct_id": "u", "$set": given, "$add": {"n": 1}}),
            lambda: people.update(given, meta={"$distinct_id": "u", "$set": {"a": 1}}),
            lambda: groups.update({"$group_key": "team", "$group_id": given, "$set": properties}),
        ]
    )()


def _says_the_same(given: Any, text: str) -> None:
    """Assert of plain JSON that its every value is in the message, to the digit."""
    try:
        plain = json.dumps(given, allow_nan=False)
        if json.loads(plain) != given or not isinstance(given, dict):
            return
    except (TypeError, ValueError, RecursionError):
        return
    told = json.loads(text)
    if "$unset" in told["data"]:  # of a dict the names alone
        return
    if "distinct_id" in given and given["distinct_id"] is None:  # nobody's: an empty text
        return
    places = [told["data"], *(one for one in told["data"].values() if isinstance(one, dict))]
    wanted = json.loads(plain)
    assert any(_holds(place, wanted) for place in places) or not wanted or _is_nested(told, wanted)


def _holds(place: dict[str, Any], wanted: dict[str, Any]) -> bool:
    # A union of one value is written as a list of one.
    return all(name in place and place[name] in (one, [one]) for name, one in wanted.items())


def _is_nested(told: Any, wanted: Any) -> bool:
    waiting = [told]
    while waiting:
        one = waiting.pop()
        if one == wanted or (isinstance(one, dict) and _holds(one, wanted)):
            return True
        if isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
    return False


def _is_told_alike_by_both_ways(given: Any) -> None:
    """Assert that orjson's way and the exact walk write the same, and change nothing."""
    record = {"given": given}
    try:
        before = copy.deepcopy(record)
    except (TypeError, RecursionError):
        return
    try:
        exact = record_text(record, {}).decode()
    except InvalidPropertyError:
        return
    assert exactly(message_text(record, {})) == {"data": exactly(exact)}
    assert repr(record) == repr(before)
