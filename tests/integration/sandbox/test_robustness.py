import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
