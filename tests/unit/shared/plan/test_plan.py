"""Tracking plans in the form of Mixpanel's Lexicon Schemas API: read, refused, and held."""

import sys
from pathlib import Path

import orjson
import pytest

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.plan import TrackingPlan
from mixrelay.shared.tuples import Kind
from tests.support.processes import finished

SHOP = Path(__file__).parents[3] / "data" / "plan" / "shop.json"
STAMPED = {
    "token": "t",
    "distinct_id": "u",
    "time": 1_700_000_000,
    "$insert_id": "a1",
    "mp_lib": "mixrelay",
    "$lib_version": "1",
    "ip": 0,
}


@pytest.fixture(scope="module")
def plan():
    return TrackingPlan.of(SHOP)


def of(plan, name, kind=Kind.EVENT, /, **properties):
    record = {"event": name, "properties": {**STAMPED, **properties}}
    found = plan.breaches(kind, record)
    assert plan.all_hold(kind, [record, record]) is not bool(found)
    return [(one.field, one.rule) for one in found]


def test_what_the_plan_says_passes(plan):
    added = {"Item": "Tea", "Price": 9.5, "Pieces": 2, "Size": "m", "More": [1]}
    assert of(plan, "Item Added", **added, Listed="2026-01-02T03:04:05") == []
    assert of(plan, "Item Added", Item="Tea", Price=9, Listed="2015-03-05T15:25:23Z") == []
    assert of(plan, "Item Added", Kind.IMPORT, Item="Tea", Price=9, Pieces=2.0) == []
    assert of(plan, "Signed Up", Plan=None, Tags=["a"]) == []


@pytest.mark.parametrize(
    ("properties", "field", "rule"),
    [
        ({"Price": "9"}, "properties.Price", "the tracking plan says number; this is a text"),
        ({"Price": True}, "properties.Price", "the tracking plan says number; this is a boolean"),
        ({"Pieces": 2.5}, "properties.Pieces", "the tracking plan says integer; this is a number"),
        ({"Item": None}, "properties.Item", "the tracking plan says string; this is null"),
        ({"Size": "xl"}, "properties.Size", 'the tracking plan says enum ["s","m","l"]'),
        (
            {"Listed": "yesterday"},
            "properties.Listed",
            "the tracking plan says date-time; this is a text that is none",
        ),
    ],
)
def test_a_property_of_another_type_is_named(plan, properties, field, rule):
    assert of(plan, "Item Added", **{"Item": "Tea", "Price": 9, **properties}) == [(field, rule)]


def test_what_is_required_and_absent_is_named(plan):
    assert of(plan, "Item Added", Price=1) == [
        ("properties.Item", "the tracking plan requires it"),
    ]


def test_of_a_closed_event_other_names_are_named_but_not_mixpanels_own(plan):
    rule = "the tracking plan has no such property"
    assert of(plan, "Signed Up", Plan="a", plan="a") == [("properties.plan", rule)]
    assert of(plan, "Signed Up", **{"$browser": "Firefox", "mp_x": 1}) == []


def test_a_place_within_a_list_is_named(plan):
    [(field, rule)] = of(plan, "Signed Up", Tags=["a", 7])
    assert (field, rule) == (
        "properties.Tags[1]",
        "the tracking plan says string; this is a number",
    )


def test_everything_that_is_wrong_is_told(plan):
    assert len(of(plan, "Item Added", Price="9", Size="xl")) == 3


def test_an_event_that_the_plan_does_not_have_is_told(plan):
    assert of(plan, "Item added") == [("event", "the tracking plan has no event of this name")]
    assert plan.nearest("Item added") == "Item Added"
    assert plan.nearest("Paid") is None
    assert of(plan, "$experiment_started") == []  # Mixpanel's own


def test_no_value_of_a_record_is_ever_told(plan):
    secret = "ann@example.com"
    record = {
        "event": "Item Added",
        "properties": {"Item": {"x": secret}, "Price": secret, "Size": secret, "Listed": secret},
    }
    found = plan.breaches(Kind.EVENT, record)
    assert len(found) == 4
    assert secret not in repr(found)


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf", "allOf"])
def test_no_value_is_told_of_composed_schemas(keyword):
    schema = {"properties": {"a": {keyword: [{"type": "null"}, {"maxLength": 2}]}}}
    plan = TrackingPlan.of([{"entityType": "event", "name": "E", "schemaJson": schema}])
    found = plan.breaches(Kind.EVENT, {"event": "E", "properties": {"a": "secret"}})
    assert found
    assert "secret" not in repr(found)


def test_what_is_set_on_users_is_held_and_nothing_is_required_of_one_update(plan):
    def update(**operations):
        record = {"$token": "t", "$distinct_id": "u", **operations}
        found = plan.breaches(Kind.PROFILE_UPDATE, record)
        assert plan.all_hold(Kind.PROFILE_UPDATE, [record]) is not bool(found)
        return [(one.name, one.field) for one in found]

    assert update(**{"$set": {"Plan": "a", "Visits": 1, "$name": "Ann", "Other": 1}}) == []
    assert update(**{"$set": {"Visits": "1"}, "$set_once": {"Plan": 1}}) == [
        ("$set", "$set.Visits"),
        ("$set_once", "$set_once.Plan"),
    ]
    assert update(**{"$add": {"Visits": 1}, "$unset": ["Plan"]}) == []
    assert plan.breaches(Kind.GROUP_UPDATE, {"$set": {"Plan": 1}}) == []


@pytest.mark.parametrize("record", [{}, {"event": []}, {"event": "Signed Up"}])
def test_a_record_that_is_none_is_left_to_who_judges_it(plan, record):
    assert plan.all_hold(Kind.EVENT, [record]) is False


def test_a_bomb_ends_nothing(plan):
    deep = leaf = {}
    for _ in range(5_000):
        leaf["a"] = {}
        leaf = leaf["a"]
    assert (
        plan.all_hold(Kind.EVENT, [{"event": "Signed Up", "properties": {"Tags": deep}}]) is False
    )


ENTRY = {"entityType": "event", "name": "E", "schemaJson": {}}


@pytest.mark.parametrize("document", [[ENTRY], {"entries": [ENTRY], "truncate": True}])
def test_the_form_of_an_upload_and_a_list_are_taken_too(document):
    assert TrackingPlan.of(document).events == ["E"]


def schema(**of_properties):
    return {**ENTRY, "schemaJson": {"properties": of_properties}}


REFUSED = {
    "a type that is none": (
        [ENTRY, {**schema(Price={"type": "nmber"}), "name": "Paid"}],
        "event 'Paid': [1].schemaJson.properties.Price.type: 'nmber' is no type; one of array, ",
    ),
    "a pattern that is none": (
        [schema(Code={"pattern": "("})],
        "event 'E': [0].schemaJson.properties.Code.pattern",
    ),
    "properties that are none": (
        [{**ENTRY, "schemaJson": {"properties": []}}],
        "event 'E': [0].schemaJson.properties: is no object",
    ),
    "what is required is no list": (
        [{**ENTRY, "schemaJson": {"required": "Price"}}],
        "event 'E': [0].schemaJson.required",
    ),
    "a schema elsewhere": (
        [schema(Price={"$ref": "http://127.0.0.1:1/price"})],
        "http://127.0.0.1:1/price is not looked up",
    ),
    "a file elsewhere": ([schema(Price={"$ref": "file:///etc/passwd"})], "is not looked up"),
    "a draft that is none": (
        [{**ENTRY, "schemaJson": {"$schema": "http://json-schema.org/draft-99/schema"}}],
        "event 'E': [0].schemaJson: Unknown meta-schema",
    ),
    "an event twice": ([ENTRY, ENTRY], "event 'E': [1] is a second one"),
    "no schema": ([{**ENTRY, "schemaJson": "{}"}], "event 'E': [0].schemaJson is no object"),
    "no name": ([{**ENTRY, "name": ""}], "[0].name is missing, or no text"),
    "no kind": ([{"name": "E", "schemaJson": {}}], "[0].entityType is missing"),
    "no entry": ({"results": [7]}, "results[0] is 7, not an object"),
    "no events": ({"results": []}, "it has no events"),
    "no list": ({"error": "no such project"}, "it has no list of schemas. Save what Mixpanel's"),
    "a text": ("plan", "it has no list of schemas"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_plan_that_cannot_be_used_says_where(tmp_path, what):
    document, said = REFUSED[what]
    path = tmp_path / "plan.json"
    path.write_bytes(orjson.dumps(document))
    with pytest.raises(ConfigurationError) as caught:
        TrackingPlan.of(path)
    assert str(caught.value).startswith(f"The tracking plan {path} cannot be used: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"), [(b"event,name\n", "it is no JSON"), (None, "No such file")]
)
def test_a_file_that_is_none_says_so(tmp_path, text, said):
    path = tmp_path / "lexicon.csv"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ConfigurationError, match=f"{path}.*{said}"):
        TrackingPlan.of(str(path))


def test_without_the_validator_the_extra_is_named():
    code = (
        "import sys; sys.modules['jsonschema_rs'] = None\n"
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "from mixrelay.shared.errors import ConfigurationError\n"
        "from mixrelay.shared.plan import TrackingPlan\n"
        "try:\n    TrackingPlan.of([])\n"
        "except ConfigurationError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", code]
    done = finished(command, capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'mixrelay[plan]'" in done.stdout
