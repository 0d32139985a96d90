"""What becomes of Python's values, whichever way a message takes through the encoder."""

import copy
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixrelay.producer import Tracker
from mixrelay.shared.tuples import read, write


class Plan(Enum):
    FREE = "free"
    SINCE = datetime(2013, 1, 2, tzinfo=UTC)


class Level(IntEnum):
    HIGH = 3


class Color(StrEnum):
    RED = "red"


class Odd(str, Enum):  # noqa: UP042 - StrEnum's members cannot be odd
    """Its text is not its value; what counts is the text."""

    def __new__(cls, text):
        member = str.__new__(cls, "shown")
        member._value_ = text
        return member

    ONE = "one"


@dataclass
class Item:
    sku: str
    price: Decimal
    tags: set = field(default_factory=set)
    _seen: date | None = None


class Point(NamedTuple):
    x: int
    y: float


class Text(str):
    __slots__ = ()


def written(value):
    """Return how a property's value arrives, after checking that both ways write the same,
    and that a worker reads it."""
    pushed = []
    Tracker("token", lambda _, message: pushed.append(message)).track("1", "Event", {"p": value})
    quick = json.loads(pushed[0])["data"]["properties"]["p"]
    # The same beside an integer over 64 bits, which sends the record on the exact walk.
    Tracker("token", lambda _, message: pushed.append(message)).track(
        "1", "Event", {"p": value, "big": 2**64}
    )
    exact = json.loads(pushed[1])["data"]["properties"]["p"]
    assert json.dumps(quick) == json.dumps(exact)
    for message in pushed:
        assert f'{{"data":{read(write("event", message)).text}}}' == message
    return quick


EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (datetime(2013, 1, 2, 3, 4, 5, 678901, EAST), "2013-01-02T01:04:05"),
        (datetime(2013, 1, 2, 3, 4, 5), "2013-01-02T03:04:05"),  # noqa: DTZ001 - that is the case
        (datetime(13, 1, 2, tzinfo=UTC), "0013-01-02T00:00:00"),
        (date(2013, 1, 2), "2013-01-02T00:00:00"),
        ([date(2013, 1, 2), {"at": datetime(2013, 1, 2, tzinfo=EAST)}],
         ["2013-01-02T00:00:00", {"at": "2013-01-01T22:00:00"}]),
        (Decimal("30.50"), 30.5),
        (Decimal("3.00"), 3),
        (Decimal("1E+2"), 100),
        (Decimal(2**70), 2**70),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Plan.FREE, "free"),
        (Plan.SINCE, "2013-01-02T00:00:00"),
        (Level.HIGH, 3),
        (Color.RED, "red"),
        (Odd.ONE, "shown"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b"}), ["b"]),
        ({}.keys(), []),
        ((1, (2, 3)), [1, [2, 3]]),
        (Point(1, 2.5), [1, 2.5]),
        (Item("A", Decimal("9.99"), {"x"}),
         {"sku": "A", "price": 9.99, "tags": ["x"], "_seen": None}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (MappingProxyType({"a": {1}}), {"a": [1]}),
        (Text("text"), "text"),
        ({Text("key"): 1, Color.RED: 2}, {"key": 1, "red": 2}),
        (2**64, 2**64),
        (-(2**63) - 1, -(2**63) - 1),
        (10**300, 10**300),
        ("\x00\u2028 null", "\x00\u2028 null"),
        (-0.0, -0.0),
        (True, True),
    ],
    ids=repr,
)  # fmt: skip
def test_becomes_json(value, arrives):
    assert json.dumps(written(value)) == json.dumps(arrives)


def test_sets_of_mixed_members_arrive_whole():
    assert sorted(written({1, "a"}), key=str) == [1, "a"]


def test_a_list_of_nulls_and_many_braces_arrives():
    value = {"items": [{"id": n, "none": None} for n in range(200)]}
    assert written(value) == value


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
plain_json = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=30,
)
zones = st.sampled_from([None, UTC, EAST, timezone(-timedelta(hours=11, minutes=30))])
rich = st.recursive(
    leaves
    | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001
    | st.dates()
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
    | st.uuids()
    | st.sampled_from([*Plan, *Level, *Color, *Odd])
    | st.sets(st.integers()),
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text("aä\n", max_size=3), inner)
    ),
    max_leaves=20,
)  # fmt: skip


@given(plain_json)
def test_json_comes_back_exactly_as_it_was(value):
    assert json.dumps(written(value)) == json.dumps(value)


@given(rich)
def test_the_callers_objects_are_never_changed(value):
    before = copy.deepcopy(value)
    written(value)
    assert value == before


@given(rich)
def test_both_ways_agree_and_what_arrives_is_plain(value):
    result = written(value)
    assert written(result) == result
