"""Calls that would do nothing, or something else than they say, are refused."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from mixrelay.producer import InvalidPropertyError, Tracker
from mixrelay.producer.dispatch import reporting as telling

OTHER = {"token": "another project's"}


@pytest.fixture
def pushed():
    return []


@pytest.fixture
def tracker(pushed):
    return Tracker("token", lambda *message: pushed.append(message))


def records(pushed):
    return [json.loads(message)["data"] for _, message in pushed]


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda t: t.track("1", "E", OTHER), 'properties["token"]'),
        (lambda t: t.track("1", "E", {"token": None}), 'properties["token"]'),
        (lambda t: t.import_event("1", "E", OTHER), 'properties["token"]'),
        (lambda t: t.generate_tracking_url("1", "E", OTHER), 'properties["token"]'),
        (lambda t: t.with_properties(OTHER), 'properties["token"]'),
        (lambda t: t.track("1", "E", groups=OTHER), 'groups["token"]'),
        (lambda t: t.people.set("1", {}, **{"$token": "other"}), "$token"),
        (lambda t: t.groups.set("Company", "1", {}, **{"$token": "other"}), "$token"),
        (lambda t: t.people.update({"$token": "x", "$distinct_id": "1", "$set": {}}),
         'record["$token"]'),
        (lambda t: t.groups.update({"$set": {}}, {"$token": "x"}), 'record["$token"]'),
    ],
)  # fmt: skip
def test_no_data_of_the_callers_goes_to_another_project(tracker, pushed, call, path):
    with pytest.raises(InvalidPropertyError) as caught:
        call(tracker)
    assert caught.value.path == path
    assert pushed == []


def test_a_token_elsewhere_is_a_property_like_any_other(tracker, pushed):
    tracker.track("1", "E", {"card": {"token": "t-1"}, "Token": "t-2"})
    tracker.people.set("1", {"token": "t-3"})
    event, update = records(pushed)
    assert event["properties"]["card"] == {"token": "t-1"}
    assert (event["properties"]["token"], update["$token"]) == ("token", "token")
    assert update["$set"] == {"token": "t-3"}


def test_a_hook_changes_no_project(pushed):
    def mask(kind, record):
        if kind == "profile_update":
            return {**record, "$token": "***"}
        record["properties"]["token"] = "***"
        return record

    def drop(kind, record):
        record.pop("$token", None)
        record.get("properties", {}).pop("token", None)
        return record

    for hook in (mask, drop):
        hooked = Tracker("token", lambda *message: pushed.append(message), before_send=hook)
        assert hooked.track("1", "E") is True
        assert hooked.people.set("1", {}) is True
    tokens = [one.get("$token") or one["properties"]["token"] for one in records(pushed)]
    assert tokens == ["token"] * 4


@pytest.mark.parametrize("call", ["track", "import_event"])
def test_an_own_insert_id_needs_a_time_of_its_own(tracker, pushed, call):
    track = getattr(tracker, call)
    with pytest.raises(InvalidPropertyError, match=r"give timestamp= or \"time\"") as caught:
        track("1", "Paid", insert_id="invoice-17")
    assert caught.value.path == "insert_id"
    assert pushed == []


@pytest.mark.parametrize("call", ["track", "import_event"])
def test_calls_with_one_insert_id_and_one_time_are_one_event(tracker, pushed, call):
    track = getattr(tracker, call)
    paid_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    track("1", "Paid", insert_id="invoice-17", timestamp=paid_at)
    track("1", "Paid", {"time": paid_at}, insert_id="invoice-17")
    tracker.with_properties({"time": paid_at}).track("1", "Paid", insert_id="invoice-17")
    first, *others = records(pushed)
    assert others == [first, first]
    assert first["properties"]["time"] == 1_767_323_045_000


NO_TIMES = [None, True, "yesterday", "", "2026-01-02", [1], {}, 1e18, 10**400, float("nan")]


@pytest.mark.parametrize("time", NO_TIMES, ids=repr)
def test_a_time_that_is_none_is_refused(tracker, pushed, time):
    calls = {
        'properties["time"]': lambda: tracker.track("1", "E", {"time": time}),
        "time": lambda: tracker.people.set("1", {}, time=time),
        'record["$time"]': lambda: tracker.people.update(
            {"$distinct_id": "1", "$set": {}, "$time": time}
        ),
    }
    if time is not None:
        calls["timestamp"] = lambda: tracker.track("1", "E", timestamp=time)
    for path, call in calls.items():
        with pytest.raises(InvalidPropertyError, match="no time; give a datetime") as caught:
            call()
        assert caught.value.path == path
    assert pushed == []


@pytest.mark.parametrize(
    ("time", "written"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000.5, 1_700_000_000.5),
        (1_700_000_000_000, 1_700_000_000_000),
        (Decimal(1_700_000_000), 1_700_000_000),
        (date(1970, 1, 2), 86_400_000),
        ("1700000000", "1700000000"),
    ],
)
def test_times_are_taken_in_every_form(tracker, pushed, time, written):
    tracker.track("1", "E", {"time": time})
    tracker.track("1", "E", {"time": 5}, timestamp=time)
    assert [one["properties"]["time"] for one in records(pushed)] == [written, written]


@pytest.mark.parametrize("amount", ["9.99", True, None, [1], {"a": 1}], ids=repr)
def test_what_is_added_to_a_number_is_a_number(tracker, pushed, amount):
    calls = {
        "amount": lambda: tracker.people.track_charge("1", amount),
        'properties["Credits"]': lambda: tracker.people.increment("1", {"Credits": amount}),
        'record["$add"]["Credits"]': lambda: tracker.people.update(
            {"$distinct_id": "1", "$add": {"Credits": amount}}
        ),
    }
    for path, call in calls.items():
        with pytest.raises(InvalidPropertyError, match="must be a number") as caught:
            call()
        assert caught.value.path == path
    assert pushed == []


def test_numbers_of_every_kind_are_added(tracker, pushed):
    given = {"a": 1, "b": -2.5, "c": Decimal("0.5"), "d": 2**64}
    tracker.people.increment("1", given)
    tracker.people.track_charge("1", Decimal("9.99"))
    added, charged = records(pushed)
    assert added["$add"] == {"a": 1, "b": -2.5, "c": 0.5, "d": 2**64}
    assert charged["$append"] == {"$transactions": {"$amount": 9.99}}


def test_a_union_of_one_value_is_a_list_of_one(tracker, pushed):
    given = {"a": "Apple", "b": 7, "c": ["x", "y"], "d": ("x",), "e": {"x"}}
    tracker.people.union("1", given)
    tracker.groups.union("Company", "1", given)
    tracker.people.update({"$distinct_id": "1", "$union": given})
    wanted = {"a": ["Apple"], "b": [7], "c": ["x", "y"], "d": ["x"], "e": ["x"]}
    assert [one["$union"] for one in records(pushed)] == [wanted] * 3


@pytest.mark.parametrize("value", [[], (), set(), None, {"a": 1}], ids=repr)
def test_a_union_of_nothing_is_refused(tracker, pushed, value):
    for update in (tracker.people.union, lambda one, given: tracker.groups.union("C", one, given)):
        with pytest.raises(InvalidPropertyError) as caught:
            update("1", {"Fruits": value})
        assert caught.value.path == 'properties["Fruits"]'
    assert pushed == []


@pytest.mark.parametrize("names", [[], (), "", ["a", ""]], ids=repr)
def test_an_unset_of_nothing_is_refused(tracker, pushed, names):
    for unset in (tracker.people.unset, lambda one, given: tracker.groups.unset("C", one, given)):
        with pytest.raises(InvalidPropertyError) as caught:
            unset("1", names)
        assert caught.value.path == "names"
    assert pushed == []


@pytest.mark.parametrize("group", [True, {"id": 1}, [["a"]], ["a", False]], ids=repr)
def test_the_groups_of_an_event_are_ids(tracker, pushed, group):
    with pytest.raises(InvalidPropertyError, match="give one id or a list of ids") as caught:
        tracker.track("1", "E", groups={"Company": group})
    assert caught.value.path == 'groups["Company"]'
    assert pushed == []


@pytest.mark.parametrize(
    "call",
    [
        lambda t, text: t.track("1", "E", {"text": text}),
        lambda t, text: t.import_event("1", "E", {"text": text}, api_key="x" * 100),
        lambda t, text: t.people.set("1", {"text": text}),
        lambda t, text: t.groups.set("C", "1", {"text": text}),
    ],
    ids=["track", "import", "people", "groups"],
)
@pytest.mark.parametrize("letter", ["x", "ü", "😀"])
def test_a_record_of_1_mb_is_refused_and_a_smaller_one_sent(tracker, pushed, call, letter):
    size = len(letter.encode())
    call(tracker, letter * (999_000 // size))
    with pytest.raises(InvalidPropertyError, match=r"1,00\d,\d\d\d bytes") as caught:
        call(tracker, letter * (1_000_000 // size + 1))
    assert caught.value.path == "properties"
    assert len(pushed) == 1


def test_what_stands_beside_an_event_is_written_beside_it(tracker, pushed):
    tracker.track("1", "E", {"a": 1}, meta={"member": [1]})
    tracker.import_event("1", "E", {"time": 1}, meta={"member": 2})
    assert [one["member"] for one in records(pushed)] == [[1], 2]
    assert records(pushed)[0]["properties"]["a"] == 1


@pytest.mark.parametrize(
    ("meta", "path"),
    [
        ({"event": "Other"}, 'meta["event"]'),
        ({"properties": {}}, 'meta["properties"]'),
        (["a"], "meta"),
        ({1: 2}, "meta"),
        ({"\ud83d\x1b": 1}, 'meta["\\ud83d\\u001b"]'),
        ({"member": b""}, 'meta["member"]'),
    ],
)
def test_what_stands_beside_an_event_replaces_nothing_of_it(tracker, pushed, meta, path):
    with pytest.raises(InvalidPropertyError) as caught:
        tracker.track("1", "E", meta=meta)
    assert caught.value.path == path
    assert pushed == []


def test_an_update_of_several_operations_is_one_record(tracker, pushed):
    given = {"$distinct_id": "1", "$set": {"a": 1}, "$add": {"n": 2}, "$unset": "old", "$ip": "0"}
    tracker.people.update(given, meta={"$ignore_time": True})
    tracker.groups.update({"$group_key": "Company", "$group_id": 7, "$set_once": {"a": 1}})
    person, group = records(pushed)
    assert type(person.pop("$time")) is int
    assert person == {
        **given,
        "$token": "token",
        "$unset": ["old"],
        "$ignore_time": True,
    }
    assert group["$set_once"] == {"a": 1}
    assert [kind for kind, _ in pushed] == ["profile_update", "group_update"]
    assert given["$unset"] == "old"


@pytest.mark.parametrize(
    ("record", "path"),
    [
        ({"$distinct_id": "1"}, "record"),
        ({"$distinct_id": "1", "$new": {}}, "record"),
        ({"$distinct_id": "1", "$set": ["a"]}, 'record["$set"]'),
        ({"$distinct_id": "1", "$set": {"a": b""}}, 'record["$set"]["a"]'),
        ({"$distinct_id": "1", "$unset": []}, 'record["$unset"]'),
        ({"$distinct_id": "1", "$union": {"a": []}}, 'record["$union"]["a"]'),
        ({"$set": {}}, 'record["$distinct_id"]'),
        ("text", "record"),
        ({"$distinct_id": "1", "$set": {}, 5: 1}, "record"),
        ({"$distinct_id": "1", "$set": {}, "\ud83d": 1}, 'record["\\ud83d"]'),
    ],
)
def test_an_update_that_mixpanel_cannot_carry_out_is_refused(tracker, pushed, record, path):
    with pytest.raises(InvalidPropertyError) as caught:
        tracker.people.update(record)
    assert caught.value.path == path
    assert pushed == []


@pytest.mark.parametrize("name", ["$distinct_id", "$set", "$add", "$group_id"])
def test_a_special_property_is_no_second_operation(tracker, pushed, name):
    with pytest.raises(InvalidPropertyError, match=r"update\(\) takes") as caught:
        tracker.people.set("1", {"a": 1}, **{name: {"b": 2}})
    assert caught.value.path == name
    assert pushed == []


def test_a_users_place_stands_beside_what_is_set(tracker, pushed):
    home = {"$latitude": 52.5, "$longitude": 13.4, "Plan": "Basic"}
    tracker.people.set("1", home)
    tracker.people.set_once("1", home, latitude=48.1)
    tracker.people.set("1", {"Plan": "Basic"}, latitude=52.5, longitude=13.4)
    tracker.people.update({"$distinct_id": "1", "$set": home})
    found = [
        (one.get("$set") or one.get("$set_once"), one["$latitude"], one["$longitude"])
        for one in records(pushed)
    ]
    plan = {"Plan": "Basic"}
    assert found == [(plan, 52.5, 13.4), (plan, 48.1, 13.4), (plan, 52.5, 13.4), (plan, 52.5, 13.4)]
    assert home == {"$latitude": 52.5, "$longitude": 13.4, "Plan": "Basic"}


def test_that_project_secrets_end_is_said_once_in_a_process(tracker, caplog):
    telling.say_that_secrets_end.cache_clear()
    for _ in range(3):
        tracker.import_event("1", "E", {"time": 1}, api_key="a-secret-to-keep")
    tracker.import_event("1", "E", {"time": 1})
    (said,) = [one.getMessage() for one in caplog.records]
    assert "2027-03-03" in said
    assert "MIXPANEL_SERVICE_ACCOUNT_USERNAME" in said
    assert "a-secret-to-keep" not in said
