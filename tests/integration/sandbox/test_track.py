import time

import pytest

from mixrelay.sandbox import Options

DAY = 86_400


def test_one_valid_event_makes_track_answer_1_and_the_rest_vanishes(client, event) -> None:
    good, bad = event(), event("", **{"$insert_id": "other"})

    answer = client.post("/track", [bad, good])

    assert (answer.status_code, answer.text) == (200, "1")
    assert client.sandbox.events == [good]
    (drop,) = client.sandbox.dropped
    assert (drop.record, drop.field, drop.silent) == (bad, "event", True)


def test_track_answers_0_when_no_event_is_valid(client, event) -> None:
    assert client.post("/track", [event(token=...)]).text == "0"
    assert client.post("/track?verbose=1", event(token=...)).json() == {
        "status": 0,
        "error": "'properties.token' is invalid: must be the project token",
    }


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_an_event_of_over_five_days_vanishes_though_track_answers_1(client, event, unit) -> None:
    now = time.time()
    old = event(time=int((now - 5 * DAY - 60) * unit))
    young = event(time=int((now - 5 * DAY + 60) * unit))

    assert client.post("/track?verbose=1", [old]).json() == {"status": 1, "error": None}
    assert client.sandbox.events == []
    assert "5 days" in client.sandbox.dropped[0].reason
    client.post("/track", [young])
    assert client.sandbox.events == [young]


def test_identity_events_need_no_time_but_vanish_by_an_old_one(client, event) -> None:
    identify = {
        "event": "$identify",
        "properties": {"$identified_id": "a", "$anon_id": "b", "token": "t"},
    }
    alias = {
        "event": "$create_alias",
        "properties": {"distinct_id": "a", "alias": "b", "token": "t"},
    }
    late = {"event": "$identify", "properties": {**identify["properties"], "time": 1_600_000_000}}

    client.post("/track", [identify, alias, late])

    assert client.sandbox.events == [identify, alias]
    assert [drop.record for drop in client.sandbox.dropped] == [late]


def test_merge_is_lost_on_track_and_taken_by_import(client) -> None:
    merge = {"event": "$merge", "properties": {"$distinct_ids": ["a", "b"], "token": "t"}}

    client.post("/track", [merge])
    assert client.sandbox.events == []
    taken = client.post("/import?strict=1", [merge], auth=("an-account", "its-secret"))
    assert taken.json()["num_records_imported"] == 1
    assert client.sandbox.events == [merge]


def test_an_unknown_token_is_answered_1_and_dropped_as_documented(client_of, event) -> None:
    client = client_of(Options(tokens=["project-token"]))

    assert client.post("/track", [event(token="another")]).text == "1"
    assert client.sandbox.events == []
    assert client.sandbox.state["dropped_by_reason"] == {
        "/track: is not a token of this sandbox": 1
    }


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"time": "2011-07-08 07:49:25 UTC"}, "must be specified as seconds since epoch"),
        ({"time": True}, "must be specified as seconds since epoch"),
        ({"a": [1] * 255}, "arrays must have fewer than 255 elements"),
        ({"a": [[[[1]]]]}, "arrays must be nested at most 3 deep"),
        ({"a": {str(i): i for i in range(255)}}, "objects must have fewer than 255 keys"),
        ({"a": {"b": {"c": {"d": {}}}}}, "objects must be nested at most 3 deep"),
        ({str(i): i for i in range(251)}, "must have fewer than 255 properties"),
        ({"a": "x" * 1_000_000}, "must be smaller than 1MB of uncompressed JSON"),
        ({"a": "\ud83d"}, "string should be valid utf8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_track_drops_what_breaks_a_documented_limit(client, event, properties, reason) -> None:
    client.post("/track", [event(**properties)])

    assert client.sandbox.events == []
    assert [drop.reason for drop in client.sandbox.dropped] == [reason]


def test_track_takes_events_at_the_limits(client, event) -> None:
    at_limit = [
        event(a=[1] * 254),
        event(a={str(i): i for i in range(254)}),
        event(a={"b": [{"c": [{"d": [1]}]}]}),
        event(**{str(i): i for i in range(250)}),
        event(time=..., distinct_id="", **{"$insert_id": ...}),
    ]
    for index, each in enumerate(at_limit[:4]):
        each["properties"]["$insert_id"] = f"id-{index}"

    client.post("/track", at_limit)

    assert client.sandbox.events == at_limit
    assert client.sandbox.dropped == []
