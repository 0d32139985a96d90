"""Mistakes of the caller raise at the call, and say where the culprit is and what to send."""

import json
import math
import pickle
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixrelay.producer import InvalidPropertyError, MixrelayError, Tracker

FAR_EAST = timezone(timedelta(hours=14))


class Wrong(Enum):
    VALUE = math.nan


@dataclass
class Box:
    content: object


@pytest.fixture
def pushed():
    return []


@pytest.fixture
def tracker(pushed):
    return Tracker("token", lambda *message: pushed.append(message))


def cycle():
    value = {"name": "loop"}
    value["self"] = [value]
    return value


def boxed_cycle():
    box = Box(None)
    box.content = {"again": box}
    return box


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "where", "what"),
    [
        ({"items": [1, 2, {"price": math.nan}]}, '["items"][2]["price"]', "NaN is not JSON; send"),
        ([math.inf], "[0]", "Infinity is not JSON"),
        ([-math.inf], "[0]", "Infinity is not JSON"),
        (Decimal("NaN"), "", "NaN is not JSON"),
        (Decimal("1E+400"), "", "beyond a float's range"),
        (Wrong.VALUE, "", "NaN is not JSON"),
        ({math.nan}, "[0]", "NaN is not JSON"),
        (Box([math.nan]), '["content"][0]', "NaN is not JSON"),
        (10**309, "", "beyond a float's range"),
        (b"text", "", "bytes is not JSON; send text"),
        ({"a": bytearray()}, '["a"]', "bytearray is not JSON"),
        ({"a": {1: 2}}, '["a"]', "1 is no str but int"),
        ({None: 2}, "", "None is no str but NoneType"),
        ({("secret",): 2}, "", "a key is no str but tuple"),
        ({"a": object()}, '["a"]', "an object cannot be written as JSON; convert it"),
        (Box, "", "a type cannot be written as JSON"),
        ((n for n in [1]), "", "a generator cannot be written as JSON"),
        (time(1), "", "a time cannot be written as JSON"),
        (datetime(1, 1, 1, tzinfo=FAR_EAST), "", "outside the years 1 to 9999"),
        ("ab\ud83d", "", "half of a surrogate pair at character 2"),
        ({"a\ud83d": 1}, '["a\\ud83d"]', "half of a surrogate pair"),
        (cycle(), '["self"][0]', "holds itself"),
        (boxed_cycle(), '["content"]["again"]', "holds itself"),
        (nested(200), "[0]" * 94, "nested over 95 levels deep"),
        (nested(100_000), "[0]" * 94, "nested over 95 levels deep"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:40],
)  # fmt: skip
def test_what_is_not_json_is_refused_with_its_path(tracker, pushed, value, where, what):
    with pytest.raises(InvalidPropertyError) as caught:
        tracker.track("1", "Event", {"cart": value})
    assert caught.value.path == f'properties["cart"]{where}'
    assert what in str(caught.value)
    assert not pushed


def test_nesting_that_rubys_reader_takes_is_taken(tracker, pushed):
    tracker.track("1", "Event", {"deep": nested(94)})
    assert json.loads(pushed[0][1])["data"]["properties"]["deep"] == nested(94)


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda t: t.track(math.nan, "Event"), "distinct_id"),
        (lambda t: t.track("1", "Event", ip=b"1.2.3.4"), "ip"),
        (lambda t: t.track("1", "Ev\ud83dent"), "event"),
        (lambda t: t.track("1", ""), "event"),
        (lambda t: t.track("1", None), "event"),
        (lambda t: t.track("1", {"event": "swapped"}), "event"),
        (lambda t: t.track("1", "Event", ["a"]), "properties"),
        (lambda t: t.track("1", "Event", "text"), "properties"),
        (lambda t: t.track("1", "Event", {1: 2}), "properties"),
        (lambda t: t.track("1", "Event", {"time": datetime(1, 1, 1, tzinfo=FAR_EAST)}),
         'properties["time"]'),
        (lambda t: t.import_event("1", "Event", api_key=b"key"), "api_key"),
        (lambda t: t.import_event("1", ""), "event"),
        (lambda t: t.identify(object(), "2"), "identified_id"),
        (lambda t: t.identify("1", b"2"), "anonymous_id"),
        (lambda t: t.alias(b"1", "2"), "alias_id"),
        (lambda t: t.alias("1", b"2"), "distinct_id"),
        (lambda t: t.generate_tracking_url("1", "Event", {"a": math.nan}), 'properties["a"]'),
        (lambda t: t.people.set(b"1", {}), "distinct_id"),
        (lambda t: t.people.set("1", None), "properties"),
        (lambda t: t.people.set("1", ["a"]), "properties"),
        (lambda t: t.people.set("1", {"a": b""}), 'properties["a"]'),
        (lambda t: t.people.append("1", {"a": [b""]}), 'properties["a"][0]'),
        (lambda t: t.people.track_charge("1", math.nan), "amount"),
        (lambda t: t.people.track_charge("1", 1, {"sku": b""}), 'properties["sku"]'),
        (lambda t: t.people.track_charge("1", 1, "sku"), "properties"),
        (lambda t: t.people.unset("1", None), "names"),
        (lambda t: t.people.unset("1", ["a", 2]), "names"),
        (lambda t: t.people.unset("1", ["a", "\ud83d"]), "names[1]"),
        (lambda t: t.people.set("1", {}, ignore_tiem=True), "ignore_tiem"),
        (lambda t: t.groups.set("Company", b"1", {}), "group_id"),
        (lambda t: t.groups.set("Company", "1", {"a": b""}), 'properties["a"]'),
    ],
)  # fmt: skip
def test_the_argument_at_fault_is_named(tracker, pushed, call, where):
    with pytest.raises(InvalidPropertyError) as caught:
        call(tracker)
    assert caught.value.path == where
    assert not pushed


def test_a_refusal_is_a_value_error_of_ours_and_survives_pickling(tracker):
    with pytest.raises(ValueError, match="event: is empty") as caught:
        tracker.track("1", "")
    assert isinstance(caught.value, MixrelayError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_path_in_an_error_is_escaped_and_short(tracker):
    with pytest.raises(InvalidPropertyError) as caught:
        tracker.track("1", "Event", {"\x1b[31m\n" + "x" * 10_000: math.nan})
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


culprits = st.sampled_from([math.nan, math.inf, -math.inf, b"", object(), "\udc00", 10**400])


@given(
    st.lists(st.sampled_from("adl"), max_size=20), culprits, st.none() | st.text("ab", max_size=3)
)
def test_a_culprit_is_found_wherever_it_is(way, culprit, beside):
    value, path = culprit, ""
    for turn in way:
        if turn == "l":
            value, path = [beside, value], "[1]" + path
        elif turn == "d":
            value, path = {"x": beside, "k": value}, '["k"]' + path
        else:
            value, path = (value, beside), "[0]" + path
    with pytest.raises(InvalidPropertyError) as caught:
        Tracker("token", lambda *_: None).track("1", "Event", {"p": value})
    assert caught.value.path == f'properties["p"]{path}'
