"""What an operation of `dlq fix` makes of a record's text, and how it is written."""

import json

import pytest

from mixrelay.console.dlq.operations import READERS, UnfitError, same
from mixrelay.console.dlq.paths import Path
from mixrelay.shared.jsontext import items

DEEP = '{"properties":{"Cart":[[[[1]],2]],"o":{"a":{"b":{"c":{"d":1}},"k":2}}}}'


def of(properties: str) -> str:
    return f'{{"properties":{{{properties}}}}}'


def applied(record: str, *operations: tuple[str, str]) -> str:
    for name, text in operations:
        record = READERS[name](text).apply(record)
    return record


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        (("set", "properties.a=1"), of('"b":2'), of('"b":2,"a":1')),
        (("set", 'event="Play"'), '{"event":"Pley"}', '{"event":"Play"}'),
        (("set", "properties.x.y=[1]"), "{}", of('"x":{"y":[1]}')),
        (("set", r"properties.a\.b=1"), of(""), of('"a.b":1')),
        (("set", r"properties.a\=b=1"), of(""), of('"a=b":1')),
        (("set", '$set.email="a=b"'), '{"$set":{}}', '{"$set":{"email":"a=b"}}'),
        (("delete", "properties.a"), of('"a":1,"b":2'), of('"b":2')),
        (("delete", "properties.no"), '{"properties": {"a":1}}', '{"properties": {"a":1}}'),
        (("delete", "properties.a.b"), of('"a":"x"'), of('"a":"x"')),
        (("rename", "properties.a=b"), of('"a":1,"c":2'), of('"b":1,"c":2')),
        (("rename", "properties.a=properties.b"), of('"a":1'), of('"b":1')),
        (("rename", "$set.a=$set_once.a"), '{"$set":{"a":1}}', '{"$set":{},"$set_once":{"a":1}}'),
        (("rename", "$set=$set_once"), '{"$set":{"a":1}}', '{"$set_once":{"a":1}}'),
        (("rename", "properties.a=$email"), of('"a":1'), of('"$email":1')),
        (("truncate", "properties.t=3"), of('"t":"ééééé"'), of('"t":"ééé"')),
        (("truncate", "properties.l=2"), of('"l":[[1],{},3]'), of('"l":[[1],{}]')),
        (("truncate", "properties.o=1"), of('"o":{"a":1,"b":2}'), of('"o":{"a":1}')),
        (("truncate", "properties.n"), of('"n":1.0e-07'), of('"n":1.0e-07')),
        (("truncate", "properties.Cart"), DEEP, DEEP.replace("[[[[1]],2]]", "[[[],2]]")),
        (("truncate", "properties.o"), DEEP, DEEP.replace('"c":{"d":1}', "")),
    ],
)
def test_an_operation_changes_its_value_and_no_other(
    operation: tuple[str, str], before: str, after: str
) -> None:
    assert applied(before, operation) == after


def test_a_list_and_a_text_are_cut_to_what_mixpanel_takes() -> None:
    record = json.dumps({"properties": {"l": list(range(300)), "t": "x" * 300}})
    cut = json.loads(applied(record, ("truncate", "properties.l"), ("truncate", "properties.t")))
    assert (len(cut["properties"]["l"]), len(cut["properties"]["t"])) == (254, 255)


def test_what_is_not_touched_stays_as_it_was_written() -> None:
    record = f'{{"properties":{{"big":{2**70},"f":1.0e-07,"u":"\\u00e9","a":1}}}}'
    assert applied(record, ("delete", "properties.a")) == record.replace(',"a":1', "")


def test_operations_follow_one_another() -> None:
    steps = ("set", "properties.a=1"), ("rename", "properties.a=b"), ("set", "properties.a=2")
    assert applied('{"properties":{}}', *steps) == '{"properties":{"b":1,"a":2}}'
    assert applied('{"properties":{}}', steps[0], ("delete", "properties.a")) == '{"properties":{}}'


def test_of_a_doubled_key_the_one_that_counts_is_kept() -> None:
    assert applied('{"properties":{"a":1,"a":2,"b":3}}', ("delete", "properties.b")) == (
        '{"properties":{"a":2}}'
    )


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (("rename", "properties.a=b"), "properties.b is there already"),
        (("set", "properties.a.b=1"), "a is no object"),
    ],
)
def test_what_would_lose_a_value_is_refused(operation: tuple[str, str], said: str) -> None:
    with pytest.raises(UnfitError, match=said):
        applied('{"properties":{"a":1,"b":2}}', operation)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("set", "properties.a", "write PATH=JSON"),
        ("set", "properties.a=x", "a text stands in double quotes"),
        ("set", "properties.a=NaN", "no JSON"),
        ("set", "price=1", "a property of an event is properties.price"),
        ("delete", "properties..a", "no path"),
        ("delete", "", "no path"),
        ("rename", "properties.a", "write OLD=NEW"),
        ("rename", "properties.a=a", "to itself"),
        ("rename", "properties.a=properties.a.b", "within itself"),
        ("truncate", "properties.a=-1", "no number of characters"),
        ("delete", "properties.\udcff", "no UTF-8"),
    ],
)
def test_what_cannot_be_an_operation_is_refused_with_what_to_write(
    name: str, text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        READERS[name](text)


def test_a_path_is_written_as_it_is_read() -> None:
    for text in ("properties.a", r"properties.a\.b\=c", "$set.email"):
        assert str(Path.parse(text)) == text


def test_numbers_of_other_kinds_are_other_values() -> None:
    assert same('{"a":1, "b":2}', '{"b":2,"a":1}')
    assert not any(same("1", other) for other in ("1.0", "true", '"1"'))
    assert items('[ [1,2], {"a":[3]} ,4]') == ["[1,2]", '{"a":[3]}', "4"]
    assert items("[]") == []
