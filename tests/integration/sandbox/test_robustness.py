import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixrelay.sandbox.bodies import is_plain
from mixrelay.sandbox.cutting import HIDDEN, MAX_TEXT, fits

NAMES = st.sampled_from(
    [
        "event",
        "properties",
        "token",
        "time",
        "distinct_id",
        "$insert_id",
        "$user_id",
        "$device_id",
        "$time",
        "$ignore",
        "bucket",
        "$identified_id",
        "$distinct_ids",
        "alias",
        "$anon_id",
        "$token",
        "$distinct_id",
        "$group_key",
        "$group_id",
        "$set",
        "$set_once",
        "$add",
        "$append",
        "$union",
        "$remove",
        "$unset",
        "$delete",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.sampled_from(["$merge", "$identify", "t", "u", "\ud83d", 1_795_520_000, "x" * 300])
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner), max_leaves=20
)
EVENT = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["a", "$merge", "$identify", "$create_alias"]) | JSON,
        "properties": st.dictionaries(NAMES, JSON),
    }
)
UPDATE = st.fixed_dictionaries(
    {"$token": st.just("t"), "$distinct_id": st.just("u"), "$group_key": st.just("k")}
    | {"$group_id": st.just("g")},
    optional={
        name: JSON | st.dictionaries(st.sampled_from("ab"), JSON)
        for name in ("$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset")
    },
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=st.lists(EVENT | UPDATE | JSON, min_size=1, max_size=4))
def test_no_records_make_the_sandbox_stumble(client, records) -> None:
    body = json.dumps(records)
    for path in ("/track", "/import?strict=1", "/engage?strict=1", "/groups?verbose=1"):
        assert client.post(path, data=body, auth=("t", "secret")).status_code in {200, 400}
    for path in (
        "/",
        "/_sandbox/users",
        "/_sandbox/events",
        "/_sandbox/updates",
        "/_sandbox/dropped",
    ):
        assert client.get(path).status_code == 200
    assert client.get("/_sandbox/profiles").status_code == 200


def is_whole(record) -> bool:
    properties = record["properties"]
    if any(isinstance(value, (dict, list)) for value in properties.values()):
        return False
    return len(record["event"]) <= MAX_TEXT and fits(properties) and HIDDEN.isdisjoint(properties)


LONG = st.integers(240, 270).flatmap(lambda size: st.text('a"\\é{[', min_size=size, max_size=size))
SIMPLE = st.none() | st.integers() | st.text('ab"\\', max_size=5) | LONG | st.just(["b"])
PLAIN = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["a", "a" * 256]),
        "properties": st.dictionaries(
            st.sampled_from(["a", "bucket", "$bucket", "n" * 256]), SIMPLE | st.just({"c": 1})
        ),
    }
)


@settings(max_examples=400, deadline=None)
@given(
    records=st.lists(PLAIN | st.just({"event": "a"}) | st.just(1), min_size=1, max_size=3),
    spaces=st.booleans(),
    ascii_only=st.booleans(),
)
def test_a_request_that_is_plain_at_a_look_has_nothing_to_cut(records, spaces, ascii_only) -> None:
    separators = (", ", ": ") if spaces else (",", ":")
    lines = [json.dumps(one, separators=separators, ensure_ascii=ascii_only) for one in records]

    texts = [f"[{separators[0].join(lines)}]", "\n".join(lines)]
    if any(is_plain(text.encode(), records) for text in texts):
        assert all(map(is_whole, records))


@pytest.mark.parametrize("text", [[], "[%s]", " [ %s ]\n", "%s"], ids=repr)
def test_ordinary_events_are_plain_at_a_look(text) -> None:
    event = {"event": "a", "properties": {"b": "x" * 255, "c": 1.5, "d": None, "token": "t"}}
    line = json.dumps(event)

    if text:
        assert is_plain((text % line).encode(), [event])
    else:
        assert is_plain(json.dumps([event] * 2_000).encode(), [event] * 2_000)
