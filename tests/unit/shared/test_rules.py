"""The documented rules of a record, and the reading of times."""

import pytest

from mixrelay.shared.mixpanel import rules
from mixrelay.shared.mixpanel.times import milliseconds, number_in


def nested(make, depth):
    value = make(1)
    for _ in range(depth - 1):
        value = make(value)
    return value


def as_object(value):
    return {"k": value}


def as_list(value):
    return [value]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (nested(as_object, 3), None),
        (nested(as_object, 4), "objects nest at most 3 deep"),
        (nested(as_list, 3), None),
        (nested(as_list, 4), "lists nest at most 3 deep"),
        (nested(as_list, 1_000), "lists nest at most 3 deep"),
        (nested(lambda inner: [{"k": inner}], 3), None),
        (nested(lambda inner: [{"k": inner}], 4), "nest at most 3 deep"),
        (list(range(254)), None),
        (list(range(255)), "a list has fewer than 255 elements; this has 255"),
        ({str(n): n for n in range(254)}, None),
        ({str(n): n for n in range(255)}, "an object has fewer than 255 keys; this has 255"),
        ([{"deep": list(range(300))}], "fewer than 255 elements; this has 300"),
    ],
)
def test_a_propertys_structure_has_limits(value, rule):
    breach = rules.event_breach({"event": "E", "properties": {"p": value}})
    assert (breach is None) == (rule is None)
    if breach:
        assert breach.field == "properties.p"
        assert rule in breach.rule


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({}, "event"),
        ({"event": "", "properties": {}}, "event"),
        ({"event": None, "properties": {}}, "event"),
        ({"event": 5, "properties": {}}, "event"),
        ({"event": "E"}, "properties"),
        ({"event": "E", "properties": []}, "properties"),
        ({"event": "E", "properties": {"token": 5}}, "properties.token"),
    ],
)
def test_an_event_needs_a_name_and_properties(record, field):
    assert rules.event_breach(record).field == field


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("5d958f87-542d-4c10-9422-0ed75893dc81", True),
        ("a" * 36, True),
        ("a" * 37, False),
        ("", False),
        ("a_b", False),
        ("ä", False),
        ("a\n", False),
        ("null", False),
        ("00000000-0000-0000-0000-000000000000", False),
        ("-1", False),
        (None, False),
        (12345, False),
    ],
)
def test_an_insert_id_has_a_form(value, is_one):
    assert rules.is_insert_id(value) is is_one


PLACEHOLDERS = [
    *("00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null", "n/a"),
    *("na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}"),
]


@pytest.mark.parametrize("value", [*PLACEHOLDERS, 0, -1, 0.0, -1.0, True, False, [], ["u"], {}])
def test_mixpanel_refuses_placeholders_and_other_types_as_distinct_id(value):
    breach = rules.distinct_id_breach(value)
    assert breach.field == "properties.distinct_id"
    update = {"$token": "t", "$set": {}, "$distinct_id": value}
    assert rules.profile_breach(update).field == "$distinct_id"


@pytest.mark.parametrize("value", ["Anonymous Co", "Null", " null", "01", 1, 12345, 2.5, 1.8e19])
def test_mixpanel_takes_other_distinct_ids(value):
    assert rules.distinct_id_breach(value) is None
    assert rules.profile_breach({"$token": "t", "$set": {}, "$distinct_id": value}) is None


@pytest.mark.parametrize("value", ["", None])
def test_an_event_may_be_of_nobody(value):
    assert rules.distinct_id_breach(value) is None


YEAR_1971 = 31_536_000_000


@pytest.mark.parametrize(("time_ms", "taken"), [(YEAR_1971 - 1, False), (YEAR_1971, True)])
def test_mixpanel_takes_times_from_1971_on(time_ms, taken):
    assert (rules.time_breach(time_ms) is None) is taken


IDENTIFY = {"$identified_id": "u", "$anon_id": "a"}
ALIAS = {"distinct_id": "u", "alias": "a"}
NO_IDS = [None, "", 17, 1.5, True, ["u"], {"id": 1}]


@pytest.mark.parametrize(
    ("name", "properties", "field"),
    [
        ("$identify", IDENTIFY, None),
        ("$create_alias", ALIAS, None),
        ("$merge", {"$distinct_ids": ["a", "b"]}, None),
        *[("$identify", IDENTIFY | {key: one}, key) for key in IDENTIFY for one in NO_IDS],
        *[("$create_alias", ALIAS | {key: one}, key) for key in ALIAS for one in NO_IDS],
        *[("$merge", {"$distinct_ids": ["a", one]}, "$distinct_ids") for one in NO_IDS],
        *[("$merge", {"$distinct_ids": one}, "$distinct_ids") for one in NO_IDS],
        ("$merge", {"$distinct_ids": ["a", "b", "c"]}, "$distinct_ids"),
        ("$merge", {"$distinct_ids": ["a", "a"]}, "$distinct_ids"),
        ("$merge", {}, "$distinct_ids"),
        ("$identify", {"$anon_id": "a"}, "$identified_id"),
        ("$create_alias", {"alias": "a"}, "distinct_id"),
    ],
)
def test_an_identity_event_needs_two_ids_that_are_texts(name, properties, field):
    breach = rules.identity_breach(name, properties)
    assert (breach and breach.field) == (field and f"properties.{field}")


SET = {"$token": "t", "$set": {}}


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (SET | {"$distinct_id": "1"}, None),
        (SET | {"$distinct_id": 13254}, None),
        (SET | {"$distinct_id": "1", "$time": 1795520420.83}, None),
        (SET | {"$distinct_id": "1", "$time": "1795520420"}, None),
        (SET | {"$distinct_id": "1", "$time": None}, None),
        (SET | {"$distinct_id": "1", "$time": "2026-01-02T03:04:05"}, "$time"),
        (SET, "$distinct_id"),
        (SET | {"$distinct_id": ""}, "$distinct_id"),
        (SET | {"$distinct_id": None}, "$distinct_id"),
        (SET | {"$distinct_id": True}, "$distinct_id"),
        (SET | {"$distinct_id": "1", "$token": ""}, "$token"),
        ({"$distinct_id": "1", "$set": {}}, "$token"),
        ({"$distinct_id": "1", "$token": "t"}, ""),
        ({"$distinct_id": "1", "$token": "t", "$increment": {}}, ""),
    ],
)
def test_an_update_of_a_profile_needs_token_id_and_operation(record, field):
    breach = rules.profile_breach(record)
    assert (breach and breach.field) == field


@pytest.mark.parametrize("operation", sorted(rules.OPERATIONS))
def test_every_operation_is_known(operation):
    record = {"$token": "t", "$distinct_id": "1", operation: "as clients write it"}
    assert rules.profile_breach(record) is None


@pytest.mark.parametrize("missing", ["$group_key", "$group_id", "$token", "$set"])
def test_an_update_of_a_group_needs_key_and_id(missing):
    record = {"$token": "t", "$group_key": "Company", "$group_id": 13254, "$set": {}}
    assert rules.group_breach(record) is None
    del record[missing]
    assert rules.group_breach(record).field == missing.replace("$set", "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1795520419, 1795520419000),
        (1795520419833, 1795520419833),
        (1795520420.5, 1795520420500),
        ("1310111365", 1310111365000),
        (" 1310111365.25 ", 1310111365250),
        ("1795520419833", 1795520419833),
        ("1.795520419833e12", 1795520419833),
        (0, 0),
        (-5, -5000),
        (1795520419833000, None),
        (1.8e300, None),
        ("9" * 31, None),
        ("9" * 400, None),
        ("2011-07-08 07:49:25 UTC", None),
        ("0123", None),
        ("NaN", None),
        ("1_000", None),
        ("", None),
        (True, None),
        ([], None),
        (None, None),
    ],
)
def test_a_time_is_seconds_or_milliseconds_by_its_size(value, expected):
    assert milliseconds(value) == expected


def test_a_number_in_text_keeps_its_digits():
    assert number_in(" 1795520420.8345659 ") == "1795520420.8345659"
    assert number_in("1.0e-07") == "1.0e-07"
    assert number_in("tomorrow") is None
