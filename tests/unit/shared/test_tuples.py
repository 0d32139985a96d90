"""The tuple: written in one form, read in every form that real clients write."""

import json
import random
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixrelay.shared.tuples import KINDS, Kind, MalformedTupleError, join, read, split, take, write

DATA = Path(__file__).parents[2] / "data"
SAMPLES = [
    line
    for name in ("mixpanel-ruby.jsonl", "mixpanel-ruby-old-versions.jsonl")
    for line in (DATA / name).read_bytes().split(b"\n")
    if line
]
RECORD = '{"event":"E","properties":{"token":"t"}}'


def test_what_is_written_is_the_documented_form_with_the_message_as_text():
    payload = write("event", '{"data":{"event":"Größe"}}')
    assert json.loads(payload) == ["event", '{"data":{"event":"Größe"}}']


def test_a_message_that_is_no_utf8_is_refused_at_writing():
    with pytest.raises(TypeError):
        write("event", '{"data":"\ud83d"}')


@pytest.mark.parametrize(("word", "kind"), KINDS.items())
def test_each_type_word_of_ruby_python_and_node_is_read(word, kind):
    assert read(write(word, f'{{"data":{RECORD}}}')).kind is kind


def test_the_type_words_are_these():
    assert set(KINDS) == {
        *("event", "import", "profile_update", "group_update"),
        *("events", "imports", "people", "groups"),
        *("/track", "/import", "/engage", "/groups"),
    }


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(write("event", f'{{"data":{RECORD}}}'), id="text"),
        pytest.param(write("event", f' {{ "data" : {RECORD} }} '), id="text with spaces"),
        pytest.param(write("event", f'{{"sent_at":[1],"data":{RECORD}}}'), id="other keys"),
        pytest.param(write("event", RECORD), id="bare record"),
        pytest.param(f'["event",{{"data":{RECORD}}}]'.encode(), id="object"),
        pytest.param(f' [ "event" , {{"data":{RECORD}}} ] '.encode(), id="object with spaces"),
        pytest.param(f'["event",{RECORD}]'.encode(), id="bare record as object"),
        pytest.param(f'["event",{{"data":1,"data":{RECORD}}}]'.encode(), id="doubled data"),
    ],
)
def test_the_message_may_be_text_or_object_with_or_without_data(payload):
    message = read(payload)
    assert message.text == RECORD
    assert message.data == json.loads(RECORD)
    assert not message.is_list
    assert split(payload) == [write("event", f'{{"data":{RECORD}}}')]


@pytest.mark.parametrize(
    ("beside", "api_key"),
    [
        (',"api_key":"KEY"', "KEY"),
        (', "api_key": "K\\"},\\"api_key\\":EY" ', 'K"},"api_key":EY'),
        (',"api_key":""', None),
        (',"api_key":null', None),
        ("", None),
        (',"api_key":"KEY","x":{}', "KEY"),
    ],
)
def test_an_api_key_beside_data_is_the_messages_own_where_it_is_not_empty(beside, api_key):
    message = read(write("import", f'{{"data":{RECORD}{beside}}}'))
    assert (message.api_key, message.text) == (api_key, RECORD)


def test_an_api_key_does_not_show_when_a_message_is_printed():
    assert "S3CRET" not in repr(read(write("import", f'{{"data":{RECORD},"api_key":"S3CRET"}}')))


NUMBERS = '{"event":"E","properties":{"a":18446744073709551616,"b":1.0e-07,"c":-0.0,"d":1e2}}'


@pytest.mark.parametrize(
    "message",
    [f'{{"data":{NUMBERS}}}', NUMBERS, f'{{"data":[{NUMBERS}]}}', f'{{"x":1,"data":{NUMBERS}}}'],
)
def test_numbers_stay_digit_for_digit_in_every_form(message):
    assert read(write("event", message)).texts() == [NUMBERS]
    assert read(f'["event",{message}]'.encode()).texts() == [NUMBERS]


def test_a_list_is_split_in_order_with_its_nested_lists_and_keeps_its_api_key():
    payload = write("import", '{"data":[[{"n":1},[{"n": 2}]],{"n":3}],"api_key":"K\\u00e9"}')
    assert split(payload) == [
        write("import", f'{{"data":{record},"api_key":"Ké"}}')
        for record in ('{"n":1}', '{"n": 2}', '{"n":3}')
    ]


def test_a_list_of_one_is_split_too():
    assert split(write("event", f'{{"data":[{RECORD}]}}')) == [
        write("event", f'{{"data":{RECORD}}}')
    ]


def test_the_rest_of_a_long_list_stays_one_tuple_till_its_turn():
    payload = join(Kind.EVENT, "K", [f'{{"n":{n}}}' for n in range(2_500)])
    taken, turns = [], 0
    while payload:
        first, payload = take(payload, 1_000)
        taken += first
        turns += 1
    assert turns == 3
    assert [read(one).data["n"] for one in taken] == list(range(2_500))
    assert {read(one).api_key for one in taken} == {"K"}


def test_an_element_that_is_no_record_is_split_off_and_alone_malformed():
    good, bad = split(write("event", '[{"event":"E"},5]'))
    assert read(good).data == {"event": "E"}
    with pytest.raises(MalformedTupleError, match="a record is an object; this is a number"):
        read(bad)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "the tuple is not JSON"),
        (b"not json", "the tuple is not JSON"),
        (b'["event"', "the tuple is not JSON"),
        (b'["event","\xff"]', "no UTF-8"),
        (b'\xef\xbb\xbf["event","{}"]', "the tuple is not JSON"),
        (b'["event",NaN]', "NaN at character 9"),
        (b'["event","{\\"a\\":NaN}"]', "message is not JSON: NaN at character 5"),
        (b'["event","{\\"a\\":-Infinity}"]', "-Infinity at character"),
        (b'["event","{\\"a\\":1e999}"]', "a number too large"),
        (b'["event","{\\"data\\":{\\"a\\":' + b"9" * 400 + b'}}"]', "a number too large"),
        (b'["event","\\ud83d"]', "lone surrogate"),
        (b'["event","{\\"data\\":{\\"a\\":\\"\\\\ud83d\\"}}"]', "message is not JSON: a lone surr"),
        (b"[" * 100_000, "nested too deep"),
        (b'["event",' + b'{"a":' * 100_000, "nested too deep"),
        (b'["event","' + b"[" * 100_000 + b'"]', "nested too deep"),
        (b"5", "not a tuple .* but a number"),
        (b'"event"', "but a text"),
        (b"null", "but null"),
        (b"true", "but a boolean"),
        (b'{"type":"event"}', "but an object"),
        (b"[]", "this has 0"),
        (b'["event"]', "this has 1"),
        (b'["event","{}",null]', "this has 3"),
        (b'["Event","{}"]', "unknown type 'Event': one of event, import"),
        (b'["track","{}"]', "unknown type 'track'"),
        (b'[null,"{}"]', "unknown type null"),
        (b'[["event"],"{}"]', "unknown type a list"),
        (b'["event",5]', "a record is an object; this is a number"),
        (b'["event",null]', "this is null"),
        (b'["event","text"]', "the message is not JSON"),
        (b'["event",""]', "the message is not JSON"),
        (b'["event","5"]', "this is a number"),
        (b'["event","{\\"data\\":\\"x\\"}"]', "this is a text"),
        (b'["event","{\\"data\\":null}"]', "this is null"),
        (b'["event","[]"]', "the list of records is empty"),
        (b'["event","{\\"data\\":[[],[[]]]}"]', "the list of records is empty"),
        (
            b'["import","{\\"data\\":{},\\"api_key\\":[\\"K\\",null]}"]',
            "api_key is text; .* a list",
        ),
    ],
)
def test_what_is_no_message_is_malformed_with_a_reason(payload, reason):
    with pytest.raises(MalformedTupleError, match=reason) as caught:
        read(payload)
    assert len(caught.value.reason) < 200


def test_a_nest_that_the_parser_takes_is_read_in_every_form():
    record = '{"a":["\\"[",' + "[" * 1_015 + "]" * 1_015 + "]}"
    for message in (f'{{"x":1,"data":{record}}}', f"[{record},{record}]"):
        assert set(read(write("event", message)).texts()) == {record}
        assert set(read(f'["event",{message}]'.encode()).texts()) == {record}


def test_a_reason_shows_no_more_than_the_beginning_of_a_wrong_word():
    with pytest.raises(MalformedTupleError) as caught:
        read(orjson.dumps(["\x1b[31m" + "x" * 1_000_000, "{}"]))
    assert len(caught.value.reason) < 200
    assert caught.value.reason.isprintable()


def test_every_sample_of_the_ruby_library_is_read_with_its_records_text():
    assert len(SAMPLES) == 116
    for payload in SAMPLES:
        word, inner = json.loads(payload)
        message = read(payload)
        assert message.kind == word
        assert message.data == orjson.loads(inner)["data"]
        for text in message.texts():
            assert text in inner


def _survives(payload):
    try:
        message = read(payload)
        for one in split(payload):
            assert isinstance(one, bytes)
    except MalformedTupleError:
        return
    assert isinstance(message.kind, Kind)


@given(st.binary(max_size=200))
@example(b'["event","{\\"data\\":{"]')
def test_arbitrary_bytes_raise_nothing_but_malformed(payload):
    _survives(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(st.sampled_from([*KINDS, "x", ""]), JSON, st.booleans(), st.booleans(), JSON)
def test_any_json_in_any_place_raises_nothing_but_malformed(word, data, in_data, as_text, key):
    message = {"data": data, "api_key": key} if in_data else data
    pair = [word, json.dumps(message) if as_text else message]
    _survives(json.dumps(pair).encode())


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=4))),
    st.sampled_from([None, ",", ", ", " ,\n"]),
)
def test_splitting_gives_each_record_its_own_text(records, separator):
    texts = [json.dumps(record, indent=separator and 1) for record in records]
    payload = write("event", f"[{(separator or ',').join(texts)}]")
    if records:
        assert read(payload).texts() == texts
        assert [read(one).text for one in split(payload)] == texts


def test_mutated_samples_raise_nothing_but_malformed():
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    alphabet = b'{}[]":,\\0e-. \xff\x00nNu'
    for _ in range(5_000):
        payload = bytearray(chance.choice(SAMPLES))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(payload))
            match chance.randrange(3):
                case 0:
                    payload[at] = chance.choice(alphabet)
                case 1:
                    del payload[at : at + chance.randint(1, 8)]
                case _:
                    payload[at:at] = bytes([chance.choice(alphabet)])
            payload = payload or bytearray(b"[")
        _survives(bytes(payload))
