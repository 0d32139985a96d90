"""What a view shows of a tuple: as much as can be read, and never an `api_key`."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixrelay.console.masking import pretty, readable

SECRET = "s3cret"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def documented(data: object, **beside: object) -> bytes:
    return json.dumps(["import", json.dumps({"data": data, **beside})]).encode()


@given(JSON)
def test_a_message_is_shown_parsed_and_whole(data: object) -> None:
    assert readable(documented(data), raw=True) == ["import", {"data": data}]


@given(JSON)
def test_a_key_is_masked_beside_any_data_and_at_any_depth(data: object) -> None:
    for payload in (
        documented(data, api_key=SECRET),
        documented([[{"api_key": SECRET, "x": data}]]),
        json.dumps(["import", {"data": data, "api_key": SECRET}]).encode(),
    ):
        assert SECRET not in json.dumps(readable(payload))
        assert SECRET not in pretty(payload)
        assert SECRET in json.dumps(readable(payload, raw=True))


@pytest.mark.parametrize(
    "payload",
    [
        b'["import","{\\"data\\":{\\"x\\":NaN},\\"api_key\\":\\"s3cret\\"}"]',
        b'["import","{\\"data\\":{},\\"api_key\\" : \\"s3cret',
        b'["import",{"api_key":"s3cret","data":{"x":NaN}}]',
        b'{"api_key": "s3cret" no JSON \xff',
        b'{"api_key": s3cret, no JSON',
        b'["import","{\\"api_key\\":\\"a\\\\\\"s3cret\\",NaN"]',
        b'{"api_key": "a\\"s3cret", no JSON',
    ],
)
def test_a_key_is_masked_in_text_that_does_not_parse(payload: bytes) -> None:
    shown = readable(payload)
    assert isinstance(shown, str)
    assert SECRET not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "payload", [b"[" * 100_000, b'["event",' + b"9" * 5_000 + b"]", b"\xff\xfe", b"", b"null"]
)
def test_nothing_that_is_pushed_breaks_a_view(payload: bytes) -> None:
    json.dumps(readable(payload))
    assert isinstance(pretty(payload), str)


def test_an_absent_key_is_not_shown_as_one() -> None:
    assert readable(documented({}, api_key=None)) == ["import", {"data": {}, "api_key": None}]
