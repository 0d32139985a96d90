"""Finding values in a JSON text: quickly, and then only where it is sure."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixrelay.shared.jsontext import members, sole_scalar

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(
    ["time", '"time"', "time:", '","time":1,"', "\\u0074ime"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


@given(
    st.dictionaries(TEXTS | st.just("time"), VALUES, max_size=5),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:  ")]),
    st.booleans(),
)
def test_what_is_found_quickly_is_where_a_closer_look_finds_it(fields, separators, ascii_only):
    text = json.dumps(fields, separators=separators, ensure_ascii=ascii_only)
    found = sole_scalar(text, "time")
    if found and "time" in fields:
        assert [(one.start, one.end) for one in members(text) if one.key == "time"] == [found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"time":12,"a":"b"}', "12"),
        ('{"a":{"b":1},"time": 1.5e3 }', "1.5e3"),
        ('{"time":null}', "null"),
        ('{"time":"12"}', '"12"'),
        ('{"Time":1,"time":true}', "true"),
    ],
)
def test_the_common_forms_are_found(text, value):
    start, end = sole_scalar(text, "time")
    assert text[start:end] == value


@pytest.mark.parametrize(
    "text",
    [
        '{"time":1,"time":2}',
        '{"time":1,"a":"time"}',
        '{"time":1,"a":{"time":2}}',
        '{"a":"time"}',
        '{"time":1,"a":"\\n"}',
        '{"\\u0074ime":1}',
        '{"time":[1]}',
        '{"time":{"a":1}}',
        '{"timer":1}',
    ],
)
def test_what_leaves_something_open_is_not(text):
    assert sole_scalar(text, "time") is None
