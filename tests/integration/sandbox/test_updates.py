import pytest

from mixrelay.sandbox import Options


def engage(client, *updates) -> dict:
    answer = client.post("/engage?verbose=1&strict=1&ip=0", list(updates))
    assert answer.status_code == 200
    return answer.json()


def test_each_operation_has_its_documented_effect(client, update) -> None:
    steps = [
        (update(set={"a": 1, "b": "x"}), {"a": 1, "b": "x"}),
        (update(set_once={"a": 9, "c": True}), {"a": 1, "b": "x", "c": True}),
        (update(add={"a": -3, "n": 2.5}), {"a": -2, "b": "x", "c": True, "n": 2.5}),
        (update(unset=["b", "c", "n", "missing"]), {"a": -2}),
        (update(append={"l": "p"}), {"a": -2, "l": ["p"]}),
        (update(append={"l": "p"}), {"a": -2, "l": ["p", "p"]}),
        (update(union={"l": ["p", "q", "q"]}), {"a": -2, "l": ["p", "p", "q"]}),
        (update(remove={"l": "p", "missing": 1}), {"a": -2, "l": ["q"]}),
        (update(append={"a": 1}), {"a": -2, "l": ["q"]}),
    ]
    for sent, expected in steps:
        assert engage(client, sent) == {"status": 1, "error": None}
        assert client.sandbox.profiles == {"user-1": expected}

    engage(client, update(delete="", ignore_alias=True))
    assert client.sandbox.profiles == {}
    assert len(client.sandbox.updates) == len(steps) + 1


def test_updates_of_one_request_take_effect_in_their_order(client, update) -> None:
    engage(client, *(update(set={"n": n}) for n in range(50)), update(add={"n": 1}))

    assert client.sandbox.profiles == {"user-1": {"n": 50}}
    assert [u["$set"]["n"] for u in client.sandbox.updates[:50]] == list(range(50))


def test_strict_engage_answers_200_with_the_failed_records_and_applies_the_others(
    client, update
) -> None:
    answer = engage(client, update(add={"n": "text"}), update("ok", set={"n": 1}), 5)

    assert answer == {
        "status": 0,
        "error": "some data points in the request failed validation",
        "failed_records": [
            {
                "index": 0,
                "field": "$add",
                "message": "'$add' is invalid: must be a JSON object of numbers",
            },
            {
                "index": 2,
                "field": "record",
                "message": "'record' is invalid: must be a JSON object",
            },
        ],
    }
    assert client.sandbox.profiles == {"ok": {"n": 1}}


def test_engage_that_is_not_strict_says_nothing_of_failed_records(client, update) -> None:
    assert client.post("/engage", [update(add={"n": "text"}), update(set={"n": 1})]).text == "1"
    assert client.sandbox.dropped[0].silent
    assert client.post("/engage", update(add={"n": "text"})).text == "0"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"$token": ""}, "$token"),
        ({"$distinct_id": None}, "$distinct_id"),
        ({"$distinct_id": ""}, "$distinct_id"),
        ({"$set": None}, "$set"),
        ({"$unset": "name"}, "$unset"),
        ({"$unset": []}, "$unset"),
        ({"$union": {"a": "b"}}, "$union"),
        ({"$union": {"a": []}}, "$union"),
        ({"$add": {"a": True}}, "$add"),
        ({"$add": {"a": 10**400}}, "$add"),
        ({"$append": ["a"]}, "$append"),
        ({"$set": {"a": "x" * 1_000_000}}, "event"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:30],
)
def test_engage_names_the_field_that_is_wrong(client, update, changes, field) -> None:
    record = {**update(set={"a": 1}), **changes}

    assert [failed["field"] for failed in engage(client, record)["failed_records"]] == [field]
    assert client.sandbox.profiles == {}


def test_an_unknown_operation_is_refused(client, update) -> None:
    assert engage(client, update(increment={"a": 1}))["status"] == 0


def test_groups_are_kept_by_key_and_id(client) -> None:
    acme = {"$token": "t", "$group_key": "Company", "$group_id": "Acme"}
    sent = [
        {**acme, "$set": {"plan": "Free"}},
        {**acme, "$add": {"seats": 3}},
        {**acme, "$group_id": 7, "$set_once": {"plan": "Paid"}},
        {**acme, "$append": {"list": 1}},
        {**acme, "$set": {"a": 1}, "$append": None},
    ]

    answer = client.post("/groups?verbose=1&strict=1", sent).json()

    # The group reference names no $append.
    assert [failed["index"] for failed in answer["failed_records"]] == [3, 4]
    assert client.sandbox.groups == {
        ("Company", "Acme"): {"plan": "Free", "seats": 3},
        ("Company", "7"): {"plan": "Paid"},
    }
    client.post("/groups", {**acme, "$delete": ""})
    assert client.sandbox.groups == {("Company", "7"): {"plan": "Paid"}}


def test_updates_of_an_unknown_token_vanish(client_of, update) -> None:
    client = client_of(Options(tokens=["mine"]))

    assert engage(client, update(set={"a": 1})) == {"status": 1, "error": None}
    assert client.sandbox.profiles == {}
    assert client.sandbox.dropped[0].silent


def test_profiles_of_two_tokens_are_kept_apart(client, update) -> None:
    engage(client, update(set={"a": 1}), {**update(set={"a": 2}), "$token": "other"})

    rows = client.get("/_sandbox/profiles").json()["profiles"]
    assert [(row["token"], row["properties"]) for row in rows] == [
        ("project-token", {"a": 1}),
        ("other", {"a": 2}),
    ]


def test_a_copy_of_a_profile_stays_what_it_was(client, update) -> None:
    engage(client, update(append={"l": 1}))
    before = client.sandbox.profiles
    engage(client, update(append={"l": 2}), update(set={"a": 1}))

    assert before == {"user-1": {"l": [1]}}


def notes(client) -> list[tuple[str, str]]:
    return [(note.kind, note.field) for note in client.sandbox.arrivals[-1].notes]


def test_texts_and_names_of_a_profile_are_cut_at_255_characters(client, update) -> None:
    engage(client, update(set={"a": "x" * 300, "n" * 300: 1}, append={"l": "y" * 300}))

    assert client.sandbox.profiles == {"user-1": {"a": "x" * 255, "n" * 255: 1, "l": ["y" * 255]}}
    assert notes(client) == [
        ("cut_text", "$set.a"),
        ("cut_name", f"$set.{'n' * 255}"),
        ("cut_text", "$append.l"),
    ]
    assert client.sandbox.state["notes"] == {"cut_text": 2, "cut_name": 1}


@pytest.mark.parametrize("way", ["set", "append", "union"])
def test_a_list_of_a_profile_ends_at_256_kb(client, update, way) -> None:
    item = "i" * 97  # 100 bytes with its quotes and its comma
    items = [f"{n:04}{item[4:]}" for n in range(3_000)]
    if way == "append":
        engage(client, update(set={"l": items[:2_621]}))
        engage(client, update(append={"l": items[0]}))
    else:
        engage(client, update(**{way: {"l": items}}))

    kept = client.sandbox.profiles["user-1"]["l"]
    assert kept == items[:2_621]
    assert notes(client) == [("cut_list", f"${way}.l")]


def test_a_profile_holds_2000_properties_and_no_more_are_added(client, update) -> None:
    engage(client, update(set={f"p{n}": n for n in range(2_000)}))
    answer = engage(client, update(set={"p0": "changed", "one-more": 1}, add={"another": 1}))

    profile = client.sandbox.profiles["user-1"]
    assert answer == {"status": 1, "error": None}
    assert len(profile) == 2_000
    assert profile["p0"] == "changed"
    assert notes(client) == [
        ("many_properties", "$set.one-more"),
        ("many_properties", "$add.another"),
    ]
    engage(client, update(unset=["p1"]), update(set={"one-more": 1}))
    assert client.sandbox.profiles["user-1"]["one-more"] == 1


def test_bucket_is_hidden_in_profiles_too(client, update) -> None:
    engage(client, update(set={"bucket": 1, "a": 1}, set_once={"$bucket": 2}))

    assert client.sandbox.profiles == {"user-1": {"a": 1}}
    assert notes(client) == [
        ("hidden_property", "$set.bucket"),
        ("hidden_property", "$set_once.$bucket"),
    ]


def test_ip_and_place_stand_beside_the_operation(client, update) -> None:
    place = {"$ip": "203.0.113.9", "$latitude": 53.3, "$longitude": -6.2}
    beside = {**update(set={"a": 1}), **place}
    inside = update("two", set={"$latitude": 53.3, "$longitude": -6.2})

    engage(client, beside, inside)

    assert client.sandbox.updates == [beside, inside]
    first, second = client.sandbox.arrivals
    assert first.notes == ()
    assert [(note.kind, note.field) for note in second.notes] == [
        ("location_in_set", "$set.$latitude"),
        ("location_in_set", "$set.$longitude"),
    ]


def test_profiles_and_groups_are_bounded_by_keep(client_of, update) -> None:
    client = client_of(Options(keep=3))

    engage(client, *(update(f"u{n}", set={"n": n}) for n in range(5)), update("u3", set={"a": 1}))
    engage(client, update("u9", set={"n": 9}))

    assert list(client.sandbox.profiles) == ["u4", "u3", "u9"]
    assert client.sandbox.profiles["u3"] == {"n": 3, "a": 1}
