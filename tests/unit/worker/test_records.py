"""What an event gets before it is sent, and what is refused."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixrelay.shared.mixpanel.endpoints import Endpoint
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.tuples import read, write
from mixrelay.worker.deliver.prepare import Preparation, Refused
from tests.support.records import (
    ACCOUNT,
    DAY,
    FULL,
    NOW,
    RECEIVED,
    TOKEN,
    event,
    prepare,
    sent,
)


@pytest.mark.parametrize("options", [{}, {"account": ACCOUNT}])
def test_an_event_that_lacks_nothing_goes_as_its_client_wrote_it(options):
    record = (
        '{ "properties" : {"ip":"1.2.3.4", "$insert_id":"a-1","time":1795520419.25, '
        '"distinct_id":12345, "token":"0011223344556677","n":1.0e-07,"big":18446744073709551616,'
        '"\\u00f6":"\\u003c"},"event" : "E" }'
    )
    ready = prepare("event", None, text=f'{{"data":{record}}}', **options)
    assert ready.body.decode() == record


def test_what_an_event_lacks_is_added_behind_what_its_client_wrote():
    record = '{"event":"E","properties":{"token":"0011223344556677","n":1.0e-07}}'
    ready = prepare("event", None, text=f'{{"data":{record}}}')
    start = record.removesuffix("}}")
    body = ready.body.decode()
    assert body.startswith(start + ",")
    assert sent(ready)["properties"] == {
        "token": TOKEN,
        "n": 1e-07,
        "time": RECEIVED,
        "distinct_id": "",
        "ip": 0,
        "$insert_id": sent(ready)["properties"]["$insert_id"],
    }


def test_an_insert_id_is_the_same_at_every_redelivery_and_another_for_every_message():
    ids = [
        sent(event(without=["$insert_id"], number=number, now=now))["properties"]["$insert_id"]
        for number, now in (("7", NOW), ("7", NOW + DAY), ("8", NOW), ("7.1", NOW))
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert all(len(one) == 32 and one.isalnum() for one in ids)


def test_two_queues_make_different_insert_ids():
    text = json.dumps({"data": {"event": "E", "properties": {"token": TOKEN}}})
    bodies = {
        Preparation(queue_id=queue, base="https://h")
        .prepare(read(write("event", text)), number="1", received_ms=NOW, now_ms=NOW)
        .body
        for queue in ("q1", "q2")
    }
    assert len(bodies) == 2


@pytest.mark.parametrize("wrong", ["a" * 37, "white space", "ü", 12345, 1.5, [1]])
def test_an_insert_id_of_the_wrong_form_becomes_a_hash_of_itself(wrong):
    first, second = (
        sent(event(properties={"$insert_id": wrong}, number=number))["properties"]["$insert_id"]
        for number in ("7", "8")
    )
    assert first == second
    assert len(first) == 32
    other = sent(event(properties={"$insert_id": "another wrong one"}))
    assert other["properties"]["$insert_id"] != first


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (str(2**128 - 2), str(2**128 - 1)),
        ("0.12345678901234567891", "0.12345678901234567892"),
        (f"[{2**64 + 1}]", f"[{2**64 + 2}]"),
    ],
)
def test_numbers_as_insert_ids_differ_by_every_digit(first, second):
    def stamped(written):
        properties = f'"$insert_id":0,"token":"{TOKEN}","time":{NOW},"\\u0024insert_id" : {written}'
        record = f'{{"properties":{{{properties}}},"event":"E"}}'
        ready = prepare("event", None, text=f'{{"data":{record}}}')
        return sent(ready)["properties"]["$insert_id"]

    assert len({stamped(one) for one in (first, second, "0")}) == 3
    assert stamped(first) == stamped(first)


@pytest.mark.parametrize("empty", [None, "", "null", "anonymous", 0, -1, True, [], {}])
def test_an_empty_insert_id_and_a_placeholder_are_none(empty):
    assert sent(event(properties={"$insert_id": empty})) == sent(
        event(without=["$insert_id"], properties={})
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (RECEIVED, str(RECEIVED)),
        (1795520419, "1795520419"),
        (1795520418.8345659, "1795520418.8345659"),
        ("1795520418", "1795520418"),
        (" 1795520418.8345659", "1795520418.8345659"),
        (None, str(RECEIVED)),
        # Ahead: Mixpanel would put the present there, another one at each delivery.
        (RECEIVED + 1, str(RECEIVED)),
        (1795520499.5, str(RECEIVED)),
        (f"{NOW + 2 * DAY}", str(RECEIVED)),
    ],
)
def test_a_time_is_sent_as_a_number_digit_for_digit(value, expected):
    assert f'"time": {expected},' in event(properties={"time": value}).body.decode()


def test_where_a_key_is_doubled_the_last_counts_and_all_are_replaced():
    text = '{"data":{"event":"E","properties":{"time":"x","token":"t","time":"1795520419"}}}'
    ready = prepare("event", None, text=text)
    assert ready.body.decode().count('"time":1795520419') == 2


WAYS = [
    {},
    {"account": ACCOUNT},
    {"kind": "import"},
    {"kind": "import", "account": ACCOUNT},
    {"events": Endpoint.TRACK},
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("properties", "users"),
    [
        ({}, {"distinct_id": ""}),
        ({"distinct_id": None}, {"distinct_id": ""}),
        ({"distinct_id": "u"}, {"distinct_id": "u"}),
        ({"distinct_id": 12345}, {"distinct_id": 12345}),
        ({"distinct_id": ""}, {"distinct_id": ""}),
        ({"$device_id": "d"}, {"$device_id": "d"}),
        ({"$user_id": "u"}, {"$user_id": "u"}),
        ({"distinct_id": None, "$user_id": "u"}, {"$user_id": "u"}),
        ({"$device_id": "d", "distinct_id": None}, {"$device_id": "d"}),
        ({"$device_id": "d", "distinct_id": ""}, {"$device_id": "d", "distinct_id": ""}),
        ({"$device_id": ""}, {"$device_id": "", "distinct_id": ""}),
        ({"$user_id": None}, {"$user_id": None, "distinct_id": ""}),
        ({"$distinct_id": "u"}, {"distinct_id": "u"}),
        ({"distinct_id": None, "$distinct_id": 7}, {"distinct_id": 7}),
        ({"$distinct_id": None}, {"distinct_id": ""}),
        ({"distinct_id": "u", "$distinct_id": "v"}, {"distinct_id": "u", "$distinct_id": "v"}),
    ],
)  # fmt: skip
def test_an_event_says_whose_it_is_or_that_it_is_nobodys(properties, users, way):
    record = sent(event(without=["distinct_id"], properties=properties, **way))
    keys = ("distinct_id", "$distinct_id", "$device_id", "$user_id")
    found = {key: record["properties"][key] for key in keys if key in record["properties"]}
    assert found == users


def test_what_is_left_out_takes_its_comma_along_and_nothing_else():
    def written(properties):
        text = f'{{"data":{{"event":"E","properties":{properties}}}}}'
        return prepare("event", None, text=text).body.decode()

    rest = f'"$user_id":"u","token":"t","time":{RECEIVED},"$insert_id":"a","ip":0'
    for before, after in [
        (f'{{ "distinct_id" : null , {rest} }}', f"{{  {rest} }}"),
        (f'{{{rest},"distinct_id":null}}', f"{{{rest}}}"),
        (f'{{{rest},"distinct_id":null,"n":1.0e-7}}', f'{{{rest},"n":1.0e-7}}'),
        (f'{{"distinct_id":null,"distinct_id":null,{rest}}}', f"{{{rest}}}"),
    ]:  # fmt: skip
        assert written(before) == f'{{"event":"E","properties":{after}}}'


@pytest.mark.parametrize(
    ("properties", "time"),
    [
        ({"$time": RECEIVED - 5}, RECEIVED - 5),
        ({"$time": "1795520418.5"}, 1795520418.5),
        ({"$time": RECEIVED + DAY}, RECEIVED),
        ({"time": None, "$time": 1795520418}, 1795520418),
        ({"$time": None}, RECEIVED),
    ],
)
def test_the_other_name_of_a_time_is_understood(properties, time):
    record = sent(event(without=["time"], properties=properties))["properties"]
    assert record["time"] == time
    assert "$time" not in record


def test_a_time_ahead_is_the_same_at_every_delivery():
    bodies = {event(properties={"time": NOW + DAY}, now=NOW + later).body for later in (0, 9, DAY)}
    assert len(bodies) == 1


def test_a_clock_of_redis_that_was_set_back_buries_nothing():
    received = NOW + 3 * 3_600_000
    record = sent(event(without=["time"], received=received, now=NOW))
    assert record["properties"]["time"] == NOW


@pytest.mark.parametrize("ip", [0, "0", "203.0.113.7"])
def test_an_ip_that_is_given_stays(ip):
    assert sent(event(properties={"ip": ip}))["properties"]["ip"] == ip


@pytest.mark.parametrize("ip", ["", None])
def test_an_empty_ip_asks_for_no_place(ip):
    assert sent(event(properties={"ip": ip}))["properties"]["ip"] == 0


IDENTITY_EVENTS = {
    "$identify": '"$identified_id":"u","$anon_id":"a"',
    "$create_alias": '"distinct_id":"u","alias":"a"',
    "$merge": '"$distinct_ids":["a","b"]',
}


@pytest.mark.parametrize("name", IDENTITY_EVENTS)
def test_identity_events_go_as_they_are(name):
    record = f'{{"event":"{name}","properties":{{"token":"{TOKEN}",{IDENTITY_EVENTS[name]}}}}}'
    assert prepare("event", None, text=record).body.decode() == record


@pytest.mark.parametrize("name", IDENTITY_EVENTS)
def test_identity_events_without_a_token_get_the_workers(name):
    record = f'{{"event":"{name}","properties":{{{IDENTITY_EVENTS[name]}}}}}'
    mended = f'{{"event":"{name}","properties":{{{IDENTITY_EVENTS[name]},"token":"{TOKEN}"}}}}'
    assert prepare("event", None, text=record).body.decode() == mended


def test_an_event_without_a_token_gets_the_workers_where_track_looks_for_one():
    assert sent(event(without=["token"], events=Endpoint.TRACK))["properties"]["token"] == TOKEN
    assert "token" not in sent(event(without=["token"]))["properties"]


INVALID = Reason.INVALID
TIME, PROJECT, USER = "properties.time", "properties.token", "properties.distinct_id"


@pytest.mark.parametrize(
    ("options", "reason", "field"),
    [
        ({"name": ""}, INVALID, "event"),
        ({"properties": {"time": "2011-07-08 07:49:25 UTC"}}, INVALID, TIME),
        ({"properties": {"time": NOW * 1000}}, INVALID, TIME),
        ({"properties": {"time": 0}}, INVALID, TIME),
        ({"events": Endpoint.TRACK, "properties": {"time": 0}}, INVALID, TIME),
        ({"without": ["time"], "properties": {"$time": "yesterday"}}, INVALID, TIME),
        ({"properties": {"distinct_id": ["u"]}}, INVALID, USER),
        ({"properties": {"distinct_id": True}}, INVALID, USER),
        ({"properties": {"distinct_id": {"id": 1}}}, INVALID, USER),
        ({"without": ["distinct_id"], "properties": {"$distinct_id": "null"}}, INVALID, USER),
        ({"events": Endpoint.TRACK, "properties": {"distinct_id": "null"}}, INVALID, USER),
        ({"properties": {"distinct_id": 0}}, INVALID, USER),
        ({"kind": "import", "properties": {"distinct_id": "anonymous"}}, INVALID, USER),
        ({"account": ACCOUNT, "properties": {"distinct_id": "null"}}, INVALID, USER),
        ({"without": ["token"], "token": None}, INVALID, PROJECT),
        ({"properties": {"token": ""}, "token": None}, INVALID, PROJECT),
        ({"properties": {"token": ["t"]}}, INVALID, PROJECT),
        ({"name": "$identify"}, INVALID, "properties.$identified_id"),
        ({"kind": "import", "without": ["token"], "token": None}, INVALID, PROJECT),
        ({"properties": {"x": {"a": {"b": {"c": {}}}}}}, INVALID, "properties.x"),
        ({"properties": {f"p{n}": n for n in range(250)}}, INVALID, "properties"),
        ({"properties": {"x": "a" * 1_000_000}}, Reason.TOO_LARGE, ""),
        ({"properties": {"x": "é" * 500_000}, "kind": "import"}, Reason.TOO_LARGE, ""),
    ],
)  # fmt: skip
def test_what_breaks_a_documented_rule_is_refused_with_field_and_rule(options, reason, field):
    refused = event(**options)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.field) == (reason, field)
    assert refused.message


def test_the_limit_of_properties_holds_with_what_is_stamped():
    filler = {f"p{n}": n for n in range(254 - len(FULL))}
    assert len(sent(event(without=["ip"], properties=filler))["properties"]) == 254
    refused = event(without=["ip"], properties=filler | {"one": "more"})
    assert refused.field == "properties"
    assert "this has 254, and 1 that workers add" in refused.message


def test_a_nest_too_deep_for_python_beside_the_properties_goes_as_it_is():
    nest = '{"k":["]",' + "[" * 1_000 + "]" * 1_000 + "]}"
    text = f'{{"data":{{"event":"E","x":{nest},"properties":{{"token":"t"}},"y":1}}}}'
    body = prepare("event", None, text=text).body.decode()
    assert body.startswith(f'{{"event":"E","x":{nest},"properties":{{"token":"t","time":')
    assert body.endswith('},"y":1}')


def test_what_is_refused_or_ready_shows_no_secret():
    shown = f"{event('import', api_key='S3CRET-KEY', account=ACCOUNT)!r}"
    assert "S3CRET" not in shown
    assert TOKEN not in f"{event()!r}"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner),
    max_leaves=6,
)  # fmt: skip
USER_KEYS = ["distinct_id", "$distinct_id", "$device_id"]
KEYS = st.sampled_from(["time", "$time", "token", "$insert_id", "ip", *USER_KEYS, "x", ""])


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is
@given(
    st.dictionaries(KEYS, VALUES, max_size=6),
    st.sampled_from(["event", "import"]),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.permutations(["event", "properties", "more"]).flatmap(
        lambda order: st.sampled_from([order, [key for key in order if key != "more"]])
    ),
)
def test_an_event_is_refused_or_sent_with_its_own_values_and_only_stamps_beside(
    properties, kind, with_account, indent, order
):
    members = {"event": "E", "properties": properties, "more": {}}
    record = {key: members[key] for key in order}
    outcome = prepare(
        kind,
        None,
        account=ACCOUNT if with_account else None,
        text=json.dumps({"data": record}, indent=indent),
    )
    if isinstance(outcome, Refused):
        assert outcome.field.startswith(("properties", "event"))
        return
    result = sent(outcome)
    assert {key: result[key] for key in record if key != "properties"} == {
        key: record[key] for key in record if key != "properties"
    }
    stamped = {"time", "$insert_id", "ip", "distinct_id"}
    left_out = set(properties) - set(result["properties"])
    assert left_out <= {"distinct_id", "$distinct_id", "$time"}
    for key, value in result["properties"].items():
        if key not in properties:
            assert key in stamped
        elif key not in stamped:
            assert value == properties[key]
    assert len(result["properties"]["$insert_id"]) <= 36
    assert isinstance(result["properties"]["time"], int | float)
