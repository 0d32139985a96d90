import json

import pytest

from mixrelay.producer import BeforeSendError, ConfigurationError, InvalidPropertyError, Tracker


@pytest.fixture
def pushed():
    return []


@pytest.fixture
def heard():
    return []


def make(pushed, heard, before_send=None):
    return Tracker(
        "token", lambda *message: pushed.append(message), heard.append, before_send=before_send
    )


def records(pushed):
    return [json.loads(message)["data"] for _, message in pushed]


def test_the_hook_changes_what_is_sent(pushed, heard):
    def redact(kind, record):
        assert kind == "profile_update"
        record["$set"].pop("email", None)
        return record

    make(pushed, heard, redact).people.set("1", {"email": "a@b.c", "name": "N"})
    assert records(pushed)[0]["$set"] == {"name": "N"}


def test_the_hook_cannot_change_the_callers_objects(pushed, heard):
    def redact(kind, record):
        record["properties"]["cart"]["items"].clear()
        return record

    given = {"cart": {"items": [1, 2]}}
    make(pushed, heard, redact).track("1", "Event", given)
    assert records(pushed)[0]["properties"]["cart"] == {"items": []}
    assert given == {"cart": {"items": [1, 2]}}


def test_the_hook_drops_what_it_returns_none_for(pushed, heard):
    tracker = make(pushed, heard, lambda kind, record: None)
    assert tracker.track("1", "Event") is True
    assert (pushed, heard) == ([], [])
    assert tracker.counters.dropped == 1


@pytest.mark.parametrize(
    "hook", [lambda kind, record: 1 / 0, lambda kind, record: {"event": object()}]
)
def test_nothing_is_sent_unchanged_when_the_hook_fails(pushed, heard, hook):
    tracker = make(pushed, heard, hook)
    assert tracker.track("1", "Event") is False
    assert pushed == []
    assert [type(error) for error in heard] == [BeforeSendError]
    assert heard[0].__cause__ is not None
    assert tracker.counters.failed == 1


def test_a_callers_mistake_raises_before_the_hook_sees_it(pushed, heard):
    seen = []
    with pytest.raises(InvalidPropertyError):
        make(pushed, heard, lambda *record: seen.append(record)).track("1", "E", {"a": b""})
    assert seen == []


def test_default_properties_yield_to_a_calls_own(pushed, heard):
    tracker = make(pushed, heard).with_properties({"plan": "free", "app": "web"})
    tracker.track("1", "Event", {"plan": "paid"})
    tracker.import_event("1", "Event", {"time": 1})
    found = [record["properties"] for record in records(pushed)]
    assert [one["plan"] for one in found] == ["paid", "free"]
    assert [one["app"] for one in found] == ["web", "web"]


def test_default_properties_add_up_and_leave_the_first_tracker_alone(pushed, heard):
    first = make(pushed, heard)
    second = first.with_properties({"a": 1}).with_properties({"b": 2})
    second.track("1", "Event")
    first.track("1", "Event")
    found = [record["properties"] for record in records(pushed)]
    assert (found[0]["a"], found[0]["b"]) == (1, 2)
    assert "a" not in found[1]


def test_groups_are_properties_of_their_keys(pushed, heard):
    make(pushed, heard).track("1", "Event", groups={"Company": "Acme", "Team": ["A", "B"]})
    found = records(pushed)[0]["properties"]
    assert (found["Company"], found["Team"]) == ("Acme", ["A", "B"])


def test_an_own_insert_id_is_written(pushed, heard):
    make(pushed, heard).track("1", "Event", insert_id="order-17", timestamp=1_700_000_000)
    assert records(pushed)[0]["properties"]["$insert_id"] == "order-17"


@pytest.mark.parametrize("insert_id", ["", "a_b", "x" * 37, "ä", 17, "a\n"])
def test_an_insert_id_that_mixpanel_refuses_raises(pushed, heard, insert_id):
    with pytest.raises(InvalidPropertyError, match="insert_id"):
        make(pushed, heard).track("1", "Event", insert_id=insert_id)
    assert pushed == []


def test_the_kill_switch_sends_nothing_and_returns_true(pushed, heard, monkeypatch):
    monkeypatch.setenv("MIXRELAY_DISABLED", "1")
    tracker = make(pushed, heard)
    assert tracker.track("1", "Event") is True
    assert tracker.people.set("1", {}) is True
    assert tracker.alias("a", "b") is True
    with tracker.batch():
        assert tracker.track("1", "Event") is True
    assert (pushed, heard) == ([], [])
    assert tracker.counters.dropped == 4


def test_the_kill_switch_is_off_at_0(pushed, heard, monkeypatch):
    monkeypatch.setenv("MIXRELAY_DISABLED", "0")
    make(pushed, heard).track("1", "Event")
    assert len(pushed) == 1


def test_the_queues_options_with_another_sink_are_a_mistake():
    with pytest.raises(ConfigurationError, match="spool_dir"):
        Tracker("token", lambda *_: None, spool_dir="/somewhere")


def test_counters_name_what_they_count(pushed, heard):
    tracker = make(pushed, heard)
    tracker.track("1", "Event")
    assert tracker.counters.queued == 1
    assert "queued=1" in repr(tracker.counters)
    with pytest.raises(AttributeError, match="queued"):
        tracker.counters.sent  # noqa: B018 - the access is the case
