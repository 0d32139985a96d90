"""Mixpanel's two systems of merging identifiers."""

import uuid

import pytest

from mixrelay.sandbox import Options
from mixrelay.sandbox.identity import Original, Simplified

TOKEN = "project-token"


@pytest.fixture
def original(client_of):
    return client_of(Options(id_merge="original", merge_by_token=True))


@pytest.fixture
def tracks(event):
    """Makes a tracker of numbered events by client."""

    def of(client):
        def track(name: str, **ids):
            names = {"device": "$device_id", "user": "$user_id", "distinct": "distinct_id"}
            properties = {names[key]: value for key, value in ids.items()}
            properties = {"distinct_id": ..., "$insert_id": name, **properties}
            client.strict(event(name, **properties))

        return track

    return of


def who(client) -> dict[str, list[str]]:
    return {
        person: [event["event"] for event in user.events]
        for person, user in client.sandbox.users.items()
    }


def identity(client, name, **properties):
    sent = {"event": name, "properties": {**properties, "token": TOKEN}}
    if name == "$merge":
        return client.strict(sent)
    return client.post("/track", sent)


def reasons(client) -> list[str]:
    notes = [note for arrival in client.sandbox.arrivals for note in arrival.notes]
    return [note.text for note in notes if note.kind == "not_merged"]


class TestSimplified:
    """The flows are those of Mixpanel's page Identifying Users (Simplified)."""

    def test_a_new_user_signs_up(self, client, tracks) -> None:
        track = tracks(client)
        track("one", device="D1")
        track("two", device="D1")
        assert who(client) == {"$device:D1": ["one", "two"]}

        track("three", device="D1", user="U1")

        assert who(client) == {"U1": ["one", "two", "three"]}
        assert set(client.sandbox.users["U1"].ids) == {"U1", "$device:D1"}

    def test_a_user_returns_on_another_device(self, client, tracks) -> None:
        track = tracks(client)
        track("one", device="D1", user="U1")
        track("two", device="D2")
        assert who(client) == {"U1": ["one"], "$device:D2": ["two"]}

        track("three", device="D2", user="U1")

        assert who(client) == {"U1": ["one", "two", "three"]}

    def test_two_users_on_one_device_with_a_reset_between(self, client, tracks) -> None:
        track = tracks(client)
        track("one", device="D1", user="U1")
        track("two", device="D2")
        track("three", device="D2", user="U2")

        assert who(client) == {"U1": ["one"], "U2": ["two", "three"]}

    def test_a_device_belongs_to_its_first_user(self, client, tracks) -> None:
        track = tracks(client)
        track("one", device="D1", user="U1")
        track("two", device="D1", user="U2")
        track("three", device="D1")

        assert who(client) == {"U1": ["one", "three"], "U2": ["two"]}
        assert "errAnonDistinctIdAssignedAlready" in reasons(client)[0]

    def test_the_two_ids_override_a_distinct_id(self, client, tracks) -> None:
        track = tracks(client)
        track("one", device="D1", distinct="elsewhere")
        track("two", device="D1", user="U1", distinct="")

        assert who(client) == {"U1": ["one", "two"]}

    def test_a_distinct_id_alone_is_a_user_or_a_prefixed_device(self, client, tracks) -> None:
        track = tracks(client)
        track("one", distinct="$device:D1")
        track("two", distinct="D1")
        track("three", device="D1", user="U1")

        assert who(client) == {"U1": ["one", "three"], "D1": ["two"]}

    def test_identity_events_merge_nothing_though_they_are_answered_well(
        self, client_of, tracks
    ) -> None:
        client = client_of(Options(merge_by_token=True))
        track, anonymous = tracks(client), str(uuid.uuid4())
        track("one", distinct=anonymous)
        track("two", distinct="U1")

        known = {"$identified_id": "U1", "$anon_id": anonymous}
        assert identity(client, "$identify", **known).text == "1"
        assert identity(client, "$create_alias", distinct_id="U1", alias=anonymous).text == "1"
        merged = identity(client, "$merge", **{"$distinct_ids": ["U1", anonymous]})
        assert merged.json()["num_records_imported"] == 1

        assert who(client) == {anonymous: ["one"], "U1": ["two"]}
        assert len(reasons(client)) == 3
        assert {"ignored: the project uses Simplified ID Merge"} == set(reasons(client))

    def test_any_number_of_devices_belong_to_one_user(self, client, tracks) -> None:
        track = tracks(client)
        for n in range(600):
            client.sandbox._intake.ledger._system(TOKEN).learn(
                {"event": "e", "properties": {"$device_id": f"D{n}", "$user_id": "U1"}}
            )
        track("one", device="D599")

        assert who(client) == {"U1": ["one"]}
        assert len(client.sandbox.users["U1"].ids) == 601

    def test_a_profile_update_of_a_merged_device_goes_to_its_user(
        self, client, tracks, update
    ) -> None:
        tracks(client)("one", device="D1", user="U1")

        client.post("/engage", update("$device:D1", set={"a": 1}))

        assert client.sandbox.profiles == {"U1": {"a": 1}}


class TestOriginal:
    """Mixpanel: Identifying Users (Original), and the Identity API."""

    def test_identify_merges_what_came_before_and_comes_after(self, original, tracks) -> None:
        track, anonymous = tracks(original), str(uuid.uuid4())
        track("before", distinct=anonymous)

        identity(original, "$identify", **{"$identified_id": "U1", "$anon_id": anonymous})
        track("after", distinct="U1")
        track("later", distinct=anonymous)

        (user,) = original.sandbox.users.values()
        assert [event["event"] for event in user.events] == ["before", "after", "later"]
        assert set(user.ids) == {"U1", anonymous}
        assert reasons(original) == []

    def test_several_anonymous_ids_are_merged_into_one_user(self, original, tracks) -> None:
        track = tracks(original)
        for n in range(3):
            anonymous = str(uuid.uuid4())
            track(f"on-device-{n}", distinct=anonymous)
            identity(original, "$identify", **{"$identified_id": "U1", "$anon_id": anonymous})

        assert list(who(original).values()) == [["on-device-0", "on-device-1", "on-device-2"]]

    @pytest.mark.parametrize(
        "wrong",
        [
            "original_anonymous_id",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "00000000-0000-0000-0000-000000000000",
        ],
    )
    def test_identify_merges_nothing_but_a_uuid_v4(self, original, tracks, wrong) -> None:
        tracks(original)("before", distinct="somebody")

        answer = identity(original, "$identify", **{"$identified_id": "U1", "$anon_id": wrong})
        tracks(original)("after", distinct="U1")

        assert answer.text == "1"
        assert who(original) == {"somebody": ["before"], "U1": ["after"]}
        assert reasons(original) == ["$anon_id is not a UUID v4"]

    def test_an_anonymous_id_is_merged_once(self, original, tracks) -> None:
        anonymous = str(uuid.uuid4())
        for user in ("U1", "U2", "U1"):
            identity(original, "$identify", **{"$identified_id": user, "$anon_id": anonymous})
        tracks(original)("one", distinct=anonymous)
        tracks(original)("two", distinct="U2")

        assert sorted(map(tuple, who(original).values())) == [("one",), ("two",)]
        assert reasons(original) == ["$anon_id was merged before"]

    def test_merge_joins_any_two_clusters(self, original, tracks) -> None:
        track = tracks(original)
        for name in "abcd":
            track(name, distinct=f"id-{name}")
        for pair in (["id-a", "id-b"], ["id-c", "id-d"], ["id-b", "id-c"]):
            identity(original, "$merge", **{"$distinct_ids": pair})

        assert list(who(original).values()) == [["a", "b", "c", "d"]]

    def test_an_alias_is_a_new_name_for_an_id(self, original, tracks) -> None:
        track = tracks(original)
        identity(original, "$create_alias", distinct_id="U1", alias="mail@example.com")
        identity(original, "$create_alias", distinct_id="U2", alias="mail@example.com")
        track("one", distinct="mail@example.com")
        track("two", distinct="U1")
        track("three", distinct="U2")

        assert who(original) == {"U1": ["one", "two"], "U2": ["three"]}
        assert reasons(original) == ["the alias belongs to somebody else"]

    def test_a_cluster_has_at_most_500_ids(self, original, tracks) -> None:
        learn = original.sandbox._intake.ledger._system(TOKEN).learn

        def merge(other: str):
            properties = {"$distinct_ids": ["U1", other]}
            return learn({"event": "$merge", "properties": properties})

        assert [merge(f"id-{n}") for n in range(499)] == [None] * 499
        identity(original, "$merge", **{"$distinct_ids": ["U1", "one-more"]})
        tracks(original)("orphaned", distinct="one-more")

        assert who(original) == {"one-more": ["orphaned"]}
        assert reasons(original) == ["the cluster would have over 500 ids"]

    def test_device_and_user_in_one_event_merge_nothing(self, original, tracks) -> None:
        track = tracks(original)
        track("one", distinct="D1", device="D1")
        track("two", distinct="U1", device="D1", user="U1")

        assert who(original) == {"D1": ["one"], "U1": ["two"]}


@pytest.mark.parametrize("id_merge", ["simplified", "original"])
def test_projects_merge_each_for_themselves(client_of, event, id_merge) -> None:
    client = client_of(Options(id_merge=id_merge, merge_by_token=True))
    for token in ("one", "two"):
        sent = [
            event("before", token=token, distinct_id=..., **{"$device_id": "D", "$insert_id": "a"}),
            event("after", token=token, distinct_id="U", **{"$insert_id": "b"}),
        ]
        if token == "one":
            linking = {"distinct_id": "U", "$device_id": "D", "$user_id": "U", "$insert_id": "c"}
            sent.append(event("linking", token=token, **linking))
            merge = {"$distinct_ids": ["U", "$device:D"], "token": token}
            sent.append({"event": "$merge", "properties": merge})
        client.post("/import?strict=1", sent, auth=(token, ""))

    assert list(client.sandbox.users_of("one")) == ["U"]
    assert set(client.sandbox.users_of("two")) == {"U", "$device:D"}


def test_users_are_a_view_of_the_control_api(client, tracks) -> None:
    track = tracks(client)
    track("one", device="D1", user="U1")
    track("two", distinct="U2")
    track("nobody's", distinct="")

    page = client.get("/_sandbox/users?limit=1").json()
    assert (page["total"], len(page["users"])) == (2, 1)
    assert page["users"][0]["ids"] == ["U1", "$device:D1"]
    assert page["users"][0]["events"][0]["event"] == "one"
    assert client.get("/_sandbox/users?token=another").json()["total"] == 0


@pytest.mark.parametrize("kind", [Simplified, Original])
def test_the_index_of_ids_is_bounded(kind) -> None:
    system = kind(keep=100)
    for n in range(1_000):
        system.learn({"event": "e", "properties": {"$device_id": f"D{n}", "$user_id": f"U{n}"}})
        merge = {"$distinct_ids": [f"D{n}", f"U{n}"]}
        system.learn({"event": "$merge", "properties": merge})

    assert 98 <= len(system) <= 100
    newest = "$device:D999" if kind is Simplified else "U999"
    assert len(list(system.ids(system.person(newest)))) == 2
    assert len(list(system.ids("U0"))) == 1


def test_there_is_no_third_system() -> None:
    with pytest.raises(ValueError, match="simplified or original"):
        Options(id_merge="legacy")
