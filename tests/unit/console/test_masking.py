"""What a view shows of a tuple: as much as can be read, and never an `api_key`."""

import base64
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixrelay.console.dashboard.payloads import editable, edited
from mixrelay.console.dashboard.payloads import shown as on_the_page
from mixrelay.console.dlq.letter_json import line
from mixrelay.console.masking import pretty, readable
from mixrelay.shared.queue import Letter, Number

SECRET = "s3cret"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def letter_of(payload: bytes) -> Letter:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Letter(
        Number("1"), "unknown", "odd", "malformed", 0, "no JSON", "", 0, 0, now, now, payload
    )


def documented(data: object, **beside: object) -> bytes:
    return json.dumps(["import", json.dumps({"data": data, **beside})]).encode()


@given(JSON)
def test_a_message_is_shown_parsed_and_whole(data: object) -> None:
    assert readable(documented(data), raw=True) == ["import", {"data": data}]


@settings(deadline=None)  # a busy machine is no fault
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


def unpacked(text: str) -> Iterator[str]:
    """All that its base64 may say."""
    for run in re.findall(r"[A-Za-z0-9+/_-]{16,}", text):
        for shift in range(4):
            part = run[shift:].replace("-", "+").replace("_", "/")
            yield base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1")


def twice(text: str) -> str:
    return json.dumps(json.dumps(text))


RECORD = {"data": {"event": "E", "properties": {"distinct_id": "ann"}}, "api_key": SECRET}
TEXT = json.dumps(RECORD)
SHAPES = {
    "JSON in JSON in JSON": json.dumps(["import", json.dumps(TEXT)]),
    "thrice quoted and cut": twice(json.dumps(["import", TEXT]))[:-9],
    "single quotes": str(["import", RECORD]),
    "single quotes, escaped": json.dumps(str(RECORD))[:-1],
    "a form": urlencode({"type": "import", "api_key": SECRET, "data": "{}"}),
    "a form of JSON": urlencode({"data": TEXT}),
    "a form of a form": quote(urlencode({"data": TEXT}), safe=""),
    "a form as the message": json.dumps(["import", urlencode({"api_key": SECRET, "data": 1})]),
    "escaped letters": TEXT.replace("api_key", r"\u0061pi_key")[:-1],
    "escaped letters, quoted": json.dumps(TEXT.replace("api_key", r"\u0061p\u0069_key"))[:-1],
    "escaped by x": r"{'\x61pi_key': 's3cret', ...",
    "percent and escapes": quote(TEXT.replace("a", r"\u0061"))[:-1].replace(
        quote(r"s3cret"), "s3cret"
    ),
    "a list of pairs": json.dumps(["import", [["api_key", SECRET], ["data", 1]]]),
    "a list of pairs, cut": json.dumps(["import", [["api_key", SECRET], ["data", 1]]])[:-3],
    "name and value": json.dumps(["import", {"name": "api_key", "value": SECRET}]),
    "a flat list": json.dumps(["import", "{}", "api_key", SECRET]),
    "cut within the value": TEXT[: TEXT.index(SECRET) + len(SECRET)],
    "another case": json.dumps(["import", json.dumps({"apiKey": SECRET, "API_KEY": SECRET})]),
    "another case, cut": json.dumps({"API-Key": SECRET})[:-1],
    "XML": f"<import><api_key>{SECRET}</api_key></import>",
    "entities": f"{{&quot;api_key&quot;:&quot;{SECRET}&quot;",
    "a call": f"import(api_key={SECRET}, data=1)",
    "an object's text": f'#<Import @api_key="{SECRET}", @data={{}}>',
    "Ruby's hash": f'{{:api_key=>"{SECRET}", "data"=>{{}}}}',
    "YAML": f"type: import\napi_key: {SECRET}\ndata: 1",
    "base64": base64.b64encode(TEXT.encode()).decode(),
    "base64 in a path": "/data/" + base64.urlsafe_b64encode(b"xy" + TEXT.encode()).decode(),
    "base64 in a form": urlencode({"data": base64.b64encode(TEXT.encode())}),
    "base64 as the message": json.dumps(["import", base64.b64encode(TEXT.encode()).decode()]),
    "a secret of an account": f"{{service_account_secret: {SECRET}",
    "a token": f"{{'token': '{SECRET}', 'event': 'E'",
    "basic authentication": f"Authorization: Basic {SECRET}",
    "a value with marks": f'{{"api_key": "a,b}}c{SECRET}", cut',
}
PAYLOADS = {
    **{name: text.encode() for name, text in SHAPES.items()},
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16, cut": TEXT.encode("utf-16-le")[:-2],
    "bytes that are no text": b"\xff\x00" + TEXT.encode() + b"\xfe",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_secret_is_masked_whatever_the_shape(payload: bytes) -> None:
    letter = letter_of(payload)
    views = (
        json.dumps(readable(payload)),
        pretty(payload),
        line(letter),
        on_the_page(payload, mask=False),
        on_the_page(payload, mask=True),
        editable(letter) or "",
    )
    for view in views:
        for shown in (view, view.replace("\\u0000", "").replace("\\x00", "")):
            assert SECRET not in shown, view
            assert not any(SECRET in one for one in unpacked(shown)), view


@pytest.mark.parametrize(
    "text",
    [
        "hello, this is no JSON",
        '{"event": "Signup", "properties": {"plan": "gold", "n": 1',
        "type=event&data=1",
    ],
)
def test_text_without_a_secret_is_shown_as_it_is(text: str) -> None:
    assert readable(text.encode()) == text


def test_what_stands_beside_a_secret_is_still_shown() -> None:
    payload = b"type=import&api_key=s3cret&event=Signup"
    assert readable(payload) == "type=import&api_key=***&event=Signup"
    assert readable(b'{"api_key": "s3cret", "event": "Signup"') == (
        '{"api_key": "***", "event": "Signup"'
    )


@pytest.mark.parametrize(
    "unit", ["api_key", "api_key,", '"', "%25", "\\", "a" * 60 + ",", "&quot;", " ", "A", "=", "'"]
)
def test_masking_takes_time_in_proportion(unit: str) -> None:
    began = time.process_time()
    pretty(("api_key" + unit * (400_000 // len(unit))).encode())
    assert time.process_time() - began < 8


def test_an_edit_cannot_write_a_mask_into_a_message() -> None:
    inner = json.dumps({"data": [{"api_key": SECRET}]})
    assert editable(letter_of(json.dumps(["import", inner]).encode())) is None
    own = letter_of(json.dumps(["import", TEXT]).encode())
    text = editable(own)
    assert text is not None
    assert SECRET not in text
    assert json.loads(json.loads(edited(own, text))[1])["api_key"] == SECRET
