"""Ids that Mixpanel refuses, or takes for somebody else, are refused at the call."""

import json
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID, uuid4

import pytest

from mixrelay.producer import InvalidPropertyError, Tracker
from mixrelay.shared.mixpanel.rules import PLACEHOLDERS

UUID_V4 = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


class Word(str, Enum):  # noqa: UP042 - the older form, whose str() and hash differ
    NOBODY = "anonymous"
    ANN = "ann"


class Number(IntEnum):
    NONE = 0
    ANN = 17


@pytest.fixture
def pushed():
    return []


@pytest.fixture
def tracker(pushed):
    return Tracker("token", lambda *message: pushed.append(message))


def only(pushed):
    ((_, message),) = pushed
    return json.loads(message)["data"]


NO_IDS = [["u"], ("u",), {"u"}, {"id": 1}, True, False, [], {}]
WAYS_TO_NAME_A_USER = {
    "track": (lambda t, u: t.track(u, "E"), "distinct_id"),
    "import": (lambda t, u: t.import_event(u, "E", {"time": 1_700_000_000}), "distinct_id"),
    "property": (lambda t, u: t.track("1", "E", {"distinct_id": u}), 'properties["distinct_id"]'),
    "url": (lambda t, u: t.generate_tracking_url(u, "E"), "distinct_id"),
}


@pytest.mark.parametrize("way", WAYS_TO_NAME_A_USER)
@pytest.mark.parametrize(
    "user",
    [*NO_IDS, *sorted(PLACEHOLDERS), 0, -1, UUID(int=0), Word.NOBODY, Number.NONE, Decimal(0)],
    ids=repr,
)
def test_an_event_of_no_possible_user_is_refused(tracker, pushed, way, user):
    call, path = WAYS_TO_NAME_A_USER[way]
    with pytest.raises(InvalidPropertyError, match="give the user's id") as caught:
        call(tracker, user)
    assert caught.value.path == path
    assert pushed == []


@pytest.mark.parametrize(
    ("user", "written"),
    [
        ("ann", "ann"),
        (17, 17),
        (UUID(UUID_V4), UUID_V4),
        (Word.ANN, "ann"),
        (Number.ANN, 17),
        ("", ""),
        (None, ""),
        ("Anonymous", "Anonymous"),
        ("0.0", "0.0"),
        (10**5000, None),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, int) else hex(value)[:20],
)
def test_an_id_that_mixpanel_takes_is_sent(tracker, pushed, user, written):
    if written is None:
        with pytest.raises(InvalidPropertyError):
            tracker.track(user, "E")
        return
    tracker.track(user, "E")
    assert only(pushed)["properties"]["distinct_id"] == written


NO_PROFILES = [None, "", *NO_IDS]


@pytest.mark.parametrize("profile", NO_PROFILES, ids=repr)
def test_a_profile_without_a_possible_id_is_refused(tracker, pushed, profile):
    calls = {
        "distinct_id": lambda: tracker.people.set(profile, {"a": 1}),
        'record["$distinct_id"]': lambda: tracker.people.update(
            {"$distinct_id": profile, "$set": {}}
        ),
        "group_id": lambda: tracker.groups.set("Company", profile, {"a": 1}),
        'record["$group_id"]': lambda: tracker.groups.update(
            {"$group_key": "Company", "$group_id": profile, "$set": {}}
        ),
    }
    for path, call in calls.items():
        with pytest.raises(InvalidPropertyError, match="give the profile's id") as caught:
            call()
        assert caught.value.path == path
    assert pushed == []


@pytest.mark.parametrize("key", [None, "", 5, ["Company"], True], ids=repr)
def test_a_group_key_is_a_text(tracker, pushed, key):
    with pytest.raises(InvalidPropertyError, match="give the group key") as caught:
        tracker.groups.set(key, "Acme", {"a": 1})
    assert caught.value.path == "group_key"
    assert pushed == []


@pytest.mark.parametrize("user", [*sorted(PLACEHOLDERS), 0, -1], ids=repr)
def test_a_placeholder_has_no_profile_and_may_be_a_group(tracker, pushed, user):
    with pytest.raises(InvalidPropertyError, match="one of the placeholders") as caught:
        tracker.people.set(user, {})
    assert caught.value.path == "distinct_id"
    tracker.groups.set("Company", user, {})
    assert only(pushed)["$group_id"] == user


def test_a_profiles_id_may_be_a_number_or_a_uuid(tracker, pushed):
    for user in (17, 1.5, UUID(UUID_V4)):
        tracker.people.set(user, {})
    found = [json.loads(message)["data"]["$distinct_id"] for _, message in pushed]
    assert found == [17, 1.5, UUID_V4]


@pytest.mark.parametrize("one", [None, "", 17, 1.5, True, ["a"], {"a": 1}, "anonymous"], ids=repr)
def test_identity_events_take_text_alone(tracker, pushed, one):
    calls = {
        "identified_id": lambda: tracker.identify(one, UUID_V4),
        "anonymous_id": lambda: tracker.identify("ann", one),
        "id1": lambda: tracker.merge(one, "ann"),
        "id2": lambda: tracker.merge("ann", one),
        "alias_id": lambda: tracker.alias(one, "ann"),
        "distinct_id": lambda: tracker.alias("ann", one),
    }
    for path, call in calls.items():
        with pytest.raises(InvalidPropertyError) as caught:
            call()
        assert caught.value.path == path
    assert pushed == []


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda t: t.identify(UUID_V4, UUID_V4), "anonymous_id"),
        (lambda t: t.identify(UUID(UUID_V4), UUID_V4), "anonymous_id"),
        (lambda t: t.merge("ann", "ann"), "id2"),
        (lambda t: t.alias("ann", "ann"), "alias_id"),
    ],
)
def test_an_id_is_not_made_the_same_as_itself(tracker, pushed, call, path):
    with pytest.raises(InvalidPropertyError, match="give two different ids") as caught:
        call(tracker)
    assert caught.value.path == path
    assert pushed == []


@pytest.mark.parametrize(
    "anonymous",
    [
        "original_anonymous_id",
        UUID_V4.replace("-4", "-1", 1),
        UUID_V4.replace("-9", "-c"),
        UUID_V4.replace("-", ""),
        f"device:{UUID_V4}",
        UUID("7c9e6679-7425-10de-944b-e07fc1f90ae7"),
    ],
)
def test_the_anonymous_id_of_identify_is_a_uuid_v4(tracker, pushed, anonymous):
    with pytest.raises(InvalidPropertyError, match=r"must be a UUID v4.*Original ID Merge"):
        tracker.identify("ann", anonymous)
    assert pushed == []


@pytest.mark.parametrize(
    "anonymous", [UUID_V4, UUID_V4.upper(), UUID(UUID_V4), f"$device:{UUID_V4}", uuid4()]
)
def test_a_uuid_v4_identifies(tracker, pushed, anonymous):
    tracker.identify("ann", anonymous)
    assert only(pushed)["properties"] == {
        "$identified_id": "ann",
        "$anon_id": str(anonymous),
        "token": "token",
    }


# Simplified ID Merge: whose event it is say the user and the device.


@pytest.mark.parametrize("named", [(), (None,)], ids=["left out", "None"])
@pytest.mark.parametrize("call", ["track", "import_event"])
def test_beside_a_user_and_a_device_the_distinct_id_is_left_to_mixpanel(
    tracker, pushed, call, named
):
    track = getattr(tracker, call)
    if named:
        track(None, "E", {"time": 1}, user_id=17, device_id=UUID(UUID_V4))
    else:
        track(event="E", properties={"time": 1}, user_id=17, device_id=UUID(UUID_V4))
    properties = only(pushed)["properties"]
    assert "distinct_id" not in properties
    assert (properties["$user_id"], properties["$device_id"]) == ("17", UUID_V4)


def test_ids_among_the_properties_count_as_the_arguments_do(tracker, pushed):
    tracker.track(None, "A", {"$device_id": "d"})
    tracker.with_properties({"$user_id": "ann"}).track(event="B")
    tracker.track("", "C", user_id="ann")
    tracker.track("own", "D", {"$user_id": "bob"}, user_id="ann")
    tracker.track(None, "E", {"$user_id": None})
    found = [json.loads(message)["data"]["properties"] for _, message in pushed]
    ids = [(one.get("distinct_id"), one.get("$user_id"), one.get("$device_id")) for one in found]
    assert ids == [
        (None, None, "d"),
        (None, "ann", None),
        ("", "ann", None),
        ("own", "ann", None),
        ("", None, None),
    ]
    assert ["distinct_id" in one for one in found] == [False, False, True, True, True]


def test_an_event_of_whom_nobody_said_is_refused(tracker, pushed):
    with pytest.raises(InvalidPropertyError, match="distinct_id: is missing; give it, or user_id"):
        tracker.track(event="E")
    with pytest.raises(InvalidPropertyError, match="event: is empty"):
        tracker.track("E")
    assert pushed == []


@pytest.mark.parametrize("one", ["", True, ["u"], {"id": 1}, "anonymous", 0, 1.5, 2**70], ids=repr)
def test_users_and_devices_are_texts(tracker, pushed, one):
    calls = {
        "user_id": lambda: tracker.track(event="E", user_id=one),
        "device_id": lambda: tracker.track("u", "E", device_id=one),
    }
    for path, call in calls.items():
        with pytest.raises(InvalidPropertyError) as caught:
            call()
        assert caught.value.path == path
    if not isinstance(one, str):
        with pytest.raises(InvalidPropertyError) as caught:
            tracker.track("u", "E", {"$user_id": one})
        assert caught.value.path == 'properties["$user_id"]'
    assert pushed == []
