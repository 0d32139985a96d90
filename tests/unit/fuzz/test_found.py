"""What fuzzing found; each of these went wrong once."""

import pytest

from mixrelay.console.status.age import _own_time_ms
from mixrelay.producer.records.repeatable import is_safe_twice
from mixrelay.shared.mixpanel.rules import event_breach
from mixrelay.shared.queue.letters.letter import subjects
from mixrelay.shared.tuples import MalformedTupleError, read, write

RECORD = '{"event":"E","properties":{}}'


@pytest.mark.parametrize("ending", ['"KEY"]', '"KEY"x', '"KEY""', '"KEY"\\', "}", "null]"])
def test_a_message_that_does_not_end_in_its_brace_is_malformed(ending):
    with pytest.raises(MalformedTupleError, match="not JSON"):
        read(write("import", f'{{"data":{RECORD},"api_key":{ending}'))


def test_a_list_with_a_record_that_the_parser_gives_up_on_is_malformed_and_ends_no_listing():
    deep = "[" * 1_000 + "1" + "]" * 1_000
    record = "{\n\t" + ",".join(f'"d{number}":{deep}' for number in range(7)) + "\n\t}"
    for message in (record, f"[{record}]"):
        payload = write("event", message)
        assert list(subjects(payload)) in ([], [(None, None)])
        with pytest.raises(MalformedTupleError, match="nested too deep"):
            read(payload).records()


def test_the_field_of_a_broken_rule_is_one_line_of_bounded_length():
    deep = [[[[]]]]
    for name in ("a\nb", "\u2028", "\x1b[31m", "x" * 1_000_000):
        breach = event_breach({"event": "E", "properties": {name: deep}})
        assert breach is not None
        assert breach.field.isprintable()
        assert len(breach.field) < 1_100


@pytest.mark.parametrize("message", ["[1,2]", '["$add"]', "[null,{}]"])
def test_a_list_of_what_are_no_records_ends_neither_the_status_nor_the_spool(message):
    payload = write("people", message)
    assert _own_time_ms(payload) is None
    assert is_safe_twice(payload)


@pytest.mark.parametrize("depth", [200, 255, 900])
def test_a_letter_about_something_deep_is_about_nobody(depth):
    deep = "[" * depth + "]" * depth
    record = f'{{"event":"E","properties":{{"distinct_id":{deep}}}}}'
    assert list(subjects(write("event", f'{{"data":{record}}}'))) == [("E", None)]
