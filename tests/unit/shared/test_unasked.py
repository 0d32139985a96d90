"""What Mixpanel does to a record without an error, with the pages that say so."""

import json

import orjson
import pytest

from mixrelay.shared.mixpanel import unasked
from mixrelay.shared.mixpanel.unasked import Finding, NoticeKind


def event(properties, name="Bought"):
    return {"event": name, "properties": properties}


def found(properties, name="Bought"):
    findings = unasked.event_findings(event(properties, name))
    return [(one.kind, one.field, one.detail) for one in findings]


@pytest.mark.parametrize(
    ("value", "dropped"),
    [
        (True, True),
        ("true", True),
        ("false", True),
        (" ", True),
        (False, False),
        ("", False),
        (None, False),
        (1, False),
        (0, False),
        ([True], False),
        ({}, False),
    ],
)
def test_an_event_is_dropped_for_true_or_a_text(value, dropped):
    """Mixpanel: Bot Traffic, "if set to true or a non-empty string"."""
    assert unasked.is_ignored(event({"$ignore": value})) is dropped


@pytest.mark.parametrize("record", [{}, {"properties": None}, {"properties": "$ignore"}])
def test_what_is_no_event_is_not_ignored(record):
    assert not unasked.is_ignored(record)


def test_texts_and_names_over_255_characters_are_cut():
    assert found({"Cart": "x" * 255}) == []
    assert found({"Cart": "x" * 412}) == [
        (NoticeKind.CUT_TEXT, "properties.Cart", "412 characters, 255 kept")
    ]
    assert found({"x": 1}, name="n" * 300) == [
        (NoticeKind.CUT_TEXT, "event", "300 characters, 255 kept")
    ]
    [(kind, field, detail)] = found({"k" * 256: 1})
    assert (kind, detail) == (NoticeKind.CUT_TEXT, "a name of 256 characters, 255 kept")
    assert field == "properties." + "k" * 80 + "…"


def test_lists_and_objects_of_an_event_over_8_kb_are_cut():
    assert found({"l": [1] * 200, "o": {"a": 1}}) == []
    assert found({"l": ["x" * 100] * 80}) == [
        (NoticeKind.CUT_LIST, "properties.l", "8241 bytes, Mixpanel takes 8 KB")
    ]
    assert [kind for kind, *_ in found({"o": {"a": "ü" * 4_000}})] == [NoticeKind.CUT_LIST]


def test_bucket_is_a_name_that_hides_other_events():
    for name in ("bucket", "$bucket"):
        [(kind, field, _)] = found({name: 1})
        assert (kind, field) == (NoticeKind.HIDDEN_NAME, f"properties.{name}")
    assert found({"Bucket": 1, "bucket list": 2}) == []


def test_each_kind_is_found_once_a_record_at_its_first_place():
    first, second = found({"a": "x" * 300, "b": "x" * 301, "bucket": 1})
    assert (first[1], second[1]) == ("properties.a", "properties.bucket")


def test_updates_of_profiles():
    def of(**operations):
        record = {"$token": "t", "$distinct_id": "u"} | {f"${k}": v for k, v in operations.items()}
        return unasked.update_findings(record)

    assert of(set={"a": "x" * 255, "l": ["x" * 100] * 2_000}, unset=["x" * 300]) == []
    assert of(append={"a": "x" * 256}) == [
        Finding(NoticeKind.CUT_TEXT, "$append", "$append.a", "256 characters, 255 kept")
    ]
    [cut] = of(union={"l": ["x" * 100] * 2_600})
    assert (cut.kind, cut.field) == (NoticeKind.CUT_LIST, "$union.l")
    assert of(set={f"p{n}": n for n in range(1_799)}) == []
    [many] = of(set_once={f"p{n}": n for n in range(1_800)})
    assert (many.kind, many.field) == (NoticeKind.MANY_PROPERTIES, "$set_once")
    [hidden] = of(add={"$bucket": 1})
    assert (hidden.kind, hidden.name) == (NoticeKind.HIDDEN_NAME, "$add")


def test_no_value_is_shown():
    secret = "s3cret" * 100
    for one in unasked.event_findings(event({"a": secret, "l": [secret] * 30, "bucket": secret})):
        assert "s3cret" not in f"{one}"


@pytest.mark.parametrize(
    "properties",
    [
        {"a": "x" * 256},
        {"a": '"' + "x" * 100 + '"' + "y" * 200},
        {"a": "\\" * 256},
        {"a": "ü" * 256},
        {"x" * 256: 1},
        {"l": ["x" * 100] * 90},
        {"l": ["\u2028😀" * 20] * 200},
        {"bucket": 1},
        {"z": 1, "a": "x" * 256},
    ],
)
@pytest.mark.parametrize("ascii_", [True, False])
def test_the_quick_look_overlooks_nothing(properties, ascii_):
    record = event(properties)
    assert unasked.event_findings(record)
    assert unasked.may_be_changed(json.dumps(record, ensure_ascii=ascii_))


def test_the_quick_look_passes_over_most_records():
    record = event({f"Property {n}": "a common text " * 10 for n in range(12)})
    text = orjson.dumps(record).decode()
    assert not unasked.may_be_changed(text[:2_000])
    assert not unasked.may_one_be_cut([orjson.dumps(event({"a": "x" * 255})).decode()] * 9)


@pytest.mark.parametrize(
    ("body", "expected", "missing"),
    [
        ({"num_records_imported": 3}, 3, 0),
        ({"num_records_imported": 1}, 3, 2),
        ({"num_records_imported": 0}, 2, 2),
        ({"num_records_imported": 4}, 3, 0),
        ({"num_records_imported": -1}, 3, 0),
        ({"num_records_imported": "1"}, 3, 0),
        ({"num_records_imported": True}, 3, 0),
        ({"num_records_imported": None}, 3, 0),
        ({}, 3, 0),
        (1, 3, 0),
        (None, 3, 0),
    ],
)
def test_what_an_answer_does_not_confirm(body, expected, missing):
    """Mixpanel: 400 Bad Request, "num_records_imported tells you how many events landed"."""
    assert unasked.unconfirmed(body, expected) == missing
