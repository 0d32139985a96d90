"""Tuples and answers of any layout, from strategies that know their structure."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.shared.tuples import KINDS, MalformedTupleError, read, split, write
from mixrelay.worker.deliver.verdicts import Delivered, Partial, Split, judge
from tests.fuzz.checks import exactly, is_reason
from tests.fuzz.targets.answers import named

NOW = 1_795_520_500.0
THOROUGH = settings(max_examples=100, deadline=None, print_blob=True)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(TEXTS, JSON, max_size=5).filter(lambda record: "data" not in record)
SPACES = st.text(" \t\n\r", max_size=2)


@st.composite
def layouts(draw: st.DrawFn, value: Any) -> str:
    """A JSON text of a value with any white space between its parts, escaped or not."""
    text = json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        separators=(f"{draw(SPACES)},{draw(SPACES)}", f"{draw(SPACES)}:{draw(SPACES)}"),
        indent=draw(st.sampled_from([None, None, 2])),
    )
    return draw(SPACES) + text + draw(SPACES)


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, list[Any], str | None]:
    """A message's text, its records, and its api_key."""
    records = draw(st.lists(RECORDS, min_size=1, max_size=4))
    single = len(records) == 1 and draw(st.booleans())
    data: Any = records[0] if single else _nested(draw, records)
    if draw(st.booleans()):
        return draw(layouts(data)), records, None
    key = draw(st.none() | TEXTS)
    members = [("data", data), *draw(st.lists(st.tuples(st.just("x"), JSON), max_size=2))]
    if key is not None:
        members.append(("api_key", key))
    return draw(layouts(dict(draw(st.permutations(members))))), records, key or None


def _nested(draw: st.DrawFn, records: list[Any]) -> list[Any]:
    """Put some of the records into lists of their own, as buffers of buffers do."""
    return [[record] if draw(st.booleans()) else record for record in records]


@THOROUGH
@given(word=st.sampled_from(sorted(KINDS)), message=messages(), as_text=st.booleans())
def test_whatever_the_layout_the_same_records_are_read(word, message, as_text):
    text, records, key = message
    payload = write(word, text) if as_text else f'["{word}",{text}]'.encode()
    found = read(payload)
    assert (found.kind, found.api_key) == (KINDS[word], key)
    assert [exactly(one) for one in found.texts()] == [exactly(json.dumps(r)) for r in records]
    again = [read(one) for one in split(payload)]
    assert [one.text.strip() for one in again] == [one.strip() for one in found.texts()]
    assert {one.api_key for one in again} == {key}


@THOROUGH
@given(data=st.data())
def test_a_tuple_that_was_damaged_is_read_as_json_has_it_or_refused_with_a_reason(data):
    text, _, _ = data.draw(messages())
    payload = write("import", text)
    place = data.draw(st.integers(0, len(payload) - 1))
    damage = data.draw(st.sampled_from([b"", b"]", b"}", b'"', b"\\", b"\x00", b"\xff", b"NaN"]))
    damaged = payload[:place] + damage + payload[place + data.draw(st.integers(0, 2)) :]
    try:
        found = read(damaged)
    except MalformedTupleError as error:
        is_reason(error.reason)
        return
    inner = json.loads(damaged.decode())[1]
    inner = exactly(inner) if isinstance(inner, str) else exactly(damaged.decode())[1]
    wrapped = isinstance(inner, dict) and "data" in inner
    assert exactly(found.text) == (inner["data"] if wrapped else inner)


ENTRIES = st.fixed_dictionaries(
    {"index": st.integers(-2, 12) | JSON}, optional={"field": JSON, "message": JSON}
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from([0, 1, "OK", True, 1.0]),
        "code": st.sampled_from([200, 400, 500]),
        "error": JSON,
        "failed_records": st.lists(ENTRIES | JSON, max_size=6) | JSON,
    },
)


@THOROUGH
@given(
    status=st.sampled_from([200, 200, 400, 401, 413, 500, 503]) | st.integers(100, 999),
    body=BODIES | JSON,
    count=st.integers(1, 10),
    own=st.booleans(),
)
def test_no_record_that_an_answer_names_is_delivered(status, body, count, own):
    answer = Answer(status, {}, json.dumps(body).encode())
    verdict = judge(answer, count=count, own=own, now=NOW)
    indexes = named(answer, count)
    if indexes is not None:
        assert isinstance(verdict, Partial)
        assert set(verdict.failed) == indexes
    else:
        assert not isinstance(verdict, Partial)
    if isinstance(verdict, Delivered):
        assert status == 200
        assert not (isinstance(body, dict) and body.get("failed_records"))


@given(entries=st.lists(ENTRIES | JSON, min_size=1), count=st.integers(1, 10))
def test_what_names_a_record_that_was_not_sent_is_halved_and_never_taken_for_success(
    entries, count
):
    wrong = [*entries, {"index": count}]
    answer = Answer(200, {}, json.dumps({"status": 1, "failed_records": wrong}).encode())
    assert isinstance(judge(answer, count=count, own=True, now=NOW), Split)


@given(kind=st.sampled_from(FailureKind), sent=st.booleans(), count=st.integers(1, 2_000))
def test_an_exchange_without_an_answer_delivers_nothing(kind, sent, count):
    verdict = judge(Failure(kind, sent, "cut"), count=count, own=True, now=NOW)
    assert not isinstance(verdict, Delivered | Partial)
