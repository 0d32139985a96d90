"""A list cut into shorter ones holds what reading it whole finds, or is not cut."""

import sys

import pytest

from mixrelay.shared.long_lists import begins_as_list, cut
from mixrelay.shared.tuples import MalformedTupleError, read, write

FORMS = [
    lambda text: write("event", f'{{"data":{text}}}'),
    lambda text: write("people", f' {{ "api_key" : "k", "data" : {text} }} '),
    lambda text: write("event", f'{{"data":[1],"data":{text},"api_key":null}}'),
    lambda text: write("event", text),
    lambda text: f' [ "event" , {text} ] '.encode(),
    lambda text: f'["/track",{{"data":{text}}}]'.encode(),
    lambda text: f'["event",{text}]]'.encode(),
    lambda text: f'["event",{{"data":{text},"else":1}}]'.encode(),
]
TEXTS = [
    '[{"a":1},{"b":[1,2]} , {"c":"]["}]',
    '[[{"a":1}],[[{"b":2},{"x":1}]],{"c":3},[],[{"d":4}]]',
    '["é☃",{"k":"\\"]"}]',
    '[{"a":1e5}, -0, 12345678901234567890123, 1.0e-07]',
    "[null,true]",
    "[]",
    "[[]]",
    "[1,,2]",
    "[1 2]",
    "[1,]",
    "[,1]",
    "[[1],]",
    "[1,2",
    "[1,2]]",
    "[[1]2]",
    "[1[2]]",
    '[{"a":NaN}]',
    '["\\ud800"]',
    "[" * 2_000 + "1" + "]" * 2_000,
    f"[{'9' * 5_000}]",
    '{"a":1}',
]


@pytest.mark.parametrize("most", [1, 2, 100])
@pytest.mark.parametrize("text", TEXTS, ids=[text[:20] for text in TEXTS])
def test_what_is_cut_is_what_would_be_read(text: str, most: int) -> None:
    for form in FORMS:
        payload = form(text)
        try:
            whole = read(payload)
        except MalformedTupleError:
            assert cut(payload, most=most, most_characters=10_000) is None
            continue
        slices = cut(payload, most=most, most_characters=10_000)
        if slices is None:
            assert not whole.is_list or b'"else"' in payload
            continue
        parts = [read(one.payload) for one in slices]
        assert [text for part in parts for text in part.texts()] == whole.texts()
        assert {(part.kind, part.api_key) for part in parts} == {(whole.kind, whole.api_key)}
        assert [len(part.texts()) for part in parts] == [one.records for one in slices]
        assert all(one.records <= most for one in slices)


def test_a_slice_ends_before_it_is_too_long_but_for_a_record_that_is() -> None:
    long, short = f'"{"x" * 500}"', '"y"'
    payload = write("event", f"[{','.join([short] * 300 + [long] + [short])}]")
    slices = cut(payload, most=1_000, most_characters=400)
    assert slices
    assert [one.records for one in slices] == [133, 133, 34, 1, 1]


def test_no_list_is_parsed_into_objects_as_a_whole() -> None:
    record = '{"event":"e","properties":{"token":"t","distinct_id":"u","a":[1,2,3]}}'
    payload = write("event", f'{{"data":[{",".join([record] * 20_000)}]}}')
    made = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event == "c_call"

    sys.setprofile(count)
    try:
        slices = cut(payload, most=1_000, most_characters=400_000)
    finally:
        sys.setprofile(None)
    assert slices
    assert sum(one.records for one in slices) == 20_000
    assert sum(len(one.payload) for one in slices) < 1.1 * len(payload)
    assert max(len(one.payload) for one in slices) < 200_000
    assert made < 20 * 20_000, "the calls grow faster than the records"


@pytest.mark.parametrize("form", FORMS[:1] + FORMS[2:6])
def test_a_list_is_known_by_its_first_bytes(form) -> None:
    assert begins_as_list(form('[{"a":1}]'))
    assert not begins_as_list(form('{"a":1}')) or b'"data":[1]' in form("{}").replace(b"\\", b"")
