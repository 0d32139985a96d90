import base64
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest

from mixrelay.producer import (
    ConfigurationError,
    ErrorHandler,
    InvalidPropertyError,
    RedisSink,
    Tracker,
)
from mixrelay.producer.dispatch import reporting as telling
from mixrelay.producer.push.async_sink import AsyncRedisSink

UUID_V4 = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
EAST = timezone(timedelta(hours=2))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("TOKEN", "REGION", "API_HOST"):
        monkeypatch.delenv(f"MIXPANEL_{name}", raising=False)


@pytest.fixture
def pushed():
    return []


@pytest.fixture
def tracker(pushed):
    return Tracker("token", lambda *message: pushed.append(message))


def record(message):
    return json.loads(message[1])["data"]


def properties(message):
    return record(message)["properties"]


def failing(kind, message):
    raise OSError("no room")


def test_an_event_is_stamped_at_the_call(tracker, pushed):
    before = time.time_ns() // 1_000_000
    tracker.track("1", "Event")
    after = time.time_ns() // 1_000_000
    stamped = properties(pushed[0])["time"]
    assert type(stamped) is int
    assert before <= stamped <= after


def test_an_update_is_stamped_at_the_call(tracker, pushed):
    before = time.time_ns() // 1_000_000
    tracker.people.set("1", {})
    tracker.groups.set("Company", "1", {})
    after = time.time_ns() // 1_000_000
    for message in pushed:
        assert before <= record(message)["$time"] <= after


def test_every_event_has_an_insert_id_of_its_own_that_mixpanel_takes(tracker, pushed):
    for _ in range(100):
        tracker.track("1", "Event")
    ids = {properties(message)["$insert_id"] for message in pushed}
    assert len(ids) == 100
    assert all(len(one) == 32 and one.isalnum() for one in ids)


@pytest.mark.parametrize(
    "given",
    [
        {"token": "token"},
        {"distinct_id": "other"},
        {"time": 1},
        {"$insert_id": "mine"},
        {"mp_lib": "mine"},
        {"$lib_version": "9"},
        {"ip": "203.0.113.9"},
    ],
)
def test_the_callers_properties_win(tracker, pushed, given):
    tracker.track("1", "Event", given, ip="203.0.113.7")
    assert properties(pushed[0]).items() >= given.items()


@pytest.mark.parametrize(
    ("moment", "milliseconds"),
    [
        (datetime(2013, 1, 2, 3, 4, 5, 678901, EAST), 1357088645678),
        (datetime(2013, 1, 2, 3, 4, 5), 1357095845000),  # noqa: DTZ001 - that is the case
        (datetime(1969, 12, 31, 23, 59, 59, 999000, UTC), -1),
        (date(1970, 1, 2), 86_400_000),
    ],
)
def test_an_own_time_becomes_milliseconds(tracker, pushed, moment, milliseconds):
    tracker.track("1", "Event", {"time": moment})
    tracker.people.set("1", {}, time=moment)
    assert properties(pushed[0])["time"] == milliseconds
    assert record(pushed[1])["$time"] == milliseconds


def test_no_address_is_written_unless_given(tracker, pushed):
    tracker.track("1", "Event")
    tracker.people.set("1", {})
    assert "ip" not in properties(pushed[0])
    assert "$ip" not in record(pushed[1])


def test_zero_as_address_is_written(tracker, pushed):
    tracker.track("1", "Event", ip=0)
    tracker.people.set("1", {}, ip=0)
    assert properties(pushed[0])["ip"] == 0
    assert record(pushed[1])["$ip"] == 0


def test_special_properties_get_their_dollar(tracker, pushed):
    tracker.people.set("1", {}, ignore_time=True, ignore_alias=True, **{"$new": 1})
    tracker.groups.delete("Company", "1", ignore_time=True)
    assert (
        record(pushed[0]).items()
        >= {
            "$ignore_time": True,
            "$ignore_alias": True,
            "$new": 1,
        }.items()
    )
    assert record(pushed[1])["$ignore_time"] is True


def test_the_key_of_an_import_stands_after_the_data(tracker, pushed):
    tracker.import_event("1", "Event", {"time": 1}, api_key="KEY")
    assert pushed[0][0] == "import"
    assert list(json.loads(pushed[0][1])) == ["data", "api_key"]
    assert json.loads(pushed[0][1])["api_key"] == "KEY"


def test_identify_and_merge_have_neither_time_nor_insert_id(tracker, pushed):
    tracker.identify("user", UUID_V4)
    tracker.merge("a", "b")
    assert [(kind, json.loads(message)["data"]) for kind, message in pushed] == [
        (
            "event",
            {
                "event": "$identify",
                "properties": {
                    "$identified_id": "user",
                    "$anon_id": UUID_V4,
                    "token": "token",
                },
            },
        ),
        (
            "import",
            {"event": "$merge", "properties": {"$distinct_ids": ["a", "b"], "token": "token"}},
        ),
    ]


def test_a_call_returns_what_its_sink_returns():
    answer = object()
    assert Tracker("token", lambda *_: answer).track("1", "Event") is answer
    assert Tracker("token", lambda *_: answer).people.set("1", {}) is answer
    assert Tracker("token", lambda *_: answer).groups.set("Company", "1", {}) is answer


def test_a_sink_that_returns_nothing_has_not_failed():
    assert Tracker("token", lambda *_: None).track("1", "Event") is True


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.track("1", "Event"),
        lambda t: t.import_event("1", "Event"),
        lambda t: t.identify("1", UUID_V4),
        lambda t: t.merge("1", "2"),
        lambda t: t.people.set("1", {}),
        lambda t: t.groups.set("Company", "1", {}),
    ],
)
def test_a_failing_sink_makes_the_call_false_and_is_told_to_the_handler(call):
    heard = []
    assert call(Tracker("token", failing, heard.append)) is False
    assert [str(error) for error in heard] == ["no room"]


def test_the_default_handler_logs_a_warning(caplog):
    Tracker("token", failing).track("1", "Event", {"secret": "hidden"})
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("mixrelay.producer", "WARNING", "no room")
    ]


def test_the_default_handler_logs_at_most_a_line_in_ten_seconds(caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(telling, "monotonic", lambda: now[0])
    tracker = Tracker("token", failing)
    for _ in range(1000):
        tracker.track("1", "Event")
    now[0] += telling.LINE_SECONDS
    tracker.track("1", "Event")
    assert [record.getMessage() for record in caplog.records] == [
        "no room",
        "no room (999 more since the last line)",
    ]


def test_a_handler_may_be_a_subclass_as_in_ruby():
    heard = []

    class Mine(ErrorHandler):
        def handle(self, error):
            heard.append(error)

    Tracker("token", failing, Mine()).track("1", "Event")
    assert len(heard) == 1


def test_a_handler_that_fails_breaks_nothing_and_is_logged(caplog):
    def broken(error):
        raise ZeroDivisionError

    assert Tracker("token", failing, broken).track("1", "Event") is False
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


def test_a_callers_mistake_raises_whatever_the_handler(tracker):
    with pytest.raises(InvalidPropertyError):
        Tracker("token", failing, lambda _: None).track("1", "")


def test_the_token_comes_from_the_environment(monkeypatch, pushed):
    monkeypatch.setenv("MIXPANEL_TOKEN", "from-environment")
    tracker = Tracker(sink=lambda *message: pushed.append(message))
    tracker.track("1", "Event")
    tracker.people.set("1", {})
    tracker.groups.set("Company", "1", {})
    assert properties(pushed[0])["token"] == "from-environment"
    assert {record(message)["$token"] for message in pushed[1:]} == {"from-environment"}


def test_without_a_token_a_tracker_says_what_to_set():
    with pytest.raises(ConfigurationError, match="MIXPANEL_TOKEN"):
        Tracker(sink=lambda *_: None)


@pytest.mark.parametrize(
    "settings",
    [
        {"region": "mars"},
        {"api_host": "ftp://host"},
        {"redis_url": "http://host"},
        {"queue": "a\nb"},
        {"queue": "a}b"},
    ],
)
def test_a_setting_that_cannot_work_is_refused_when_the_tracker_is_made(settings):
    with pytest.raises(ConfigurationError):
        Tracker("token", **settings)


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        ({}, "https://api.mixpanel.com/track/"),
        ({"region": "eu"}, "https://api-eu.mixpanel.com/track/"),
        ({"region": "in"}, "https://api-in.mixpanel.com/track/"),
        ({"api_host": "http://localhost:8080"}, "http://localhost:8080/track/"),
    ],
)
def test_a_tracking_url_holds_the_event(settings, base):
    tracker = Tracker("token", lambda *_: None, **settings)
    url = tracker.generate_tracking_url("1", "Größe?", {"a": 1, "time": 2})
    parts = urlsplit(url)
    query = parse_qs(parts.query, strict_parsing=True)
    assert url.startswith(f"{base}?data=")
    assert (query["ip"], query["img"]) == (["1"], ["1"])
    event = json.loads(base64.urlsafe_b64decode(query["data"][0]))
    del event["properties"]["$lib_version"]
    assert event == {
        "event": "Größe?",
        "properties": {
            "distinct_id": "1",
            "token": "token",
            "time": 2,
            "mp_lib": "mixrelay",
            "a": 1,
        },
    }


def test_a_tracking_url_leaves_the_time_to_its_arrival(tracker):
    url = tracker.generate_tracking_url(None, "Opened Mail", {"Campaign": "Spring"})
    data = parse_qs(urlsplit(url).query)["data"][0]
    event = json.loads(base64.urlsafe_b64decode(data))
    assert event["properties"].keys() == {
        *("distinct_id", "token", "mp_lib", "$lib_version", "Campaign")
    }
    assert event["properties"]["distinct_id"] == ""


def test_a_tracking_url_may_have_an_endpoint_of_its_own(tracker):
    url = tracker.generate_tracking_url("1", "Event", endpoint="https://example.com/t")
    assert url.startswith("https://example.com/t?data=")


@pytest.mark.parametrize("make", [partial(Tracker, "token"), RedisSink, AsyncRedisSink])
def test_an_option_that_does_not_exist_is_refused_and_the_nearest_named(
    make: Callable[..., object],
) -> None:
    with pytest.raises(TypeError, match="'spooldir'; did you mean spool_dir"):
        make(spooldir="off")
    with pytest.raises(TypeError, match=r"'xyz'; there are .*when_full"):
        make(xyz=1)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"partitions": "four"}, "partitions is 'four'; set it to a whole number, 1 to 64"),
        ({"partitions": 100}, "partitions is 100; set it to a whole number, 1 to 64"),
        ({"partitions": True}, "partitions is True; set it to a whole number, 1 to 64"),
        ({"max_queue": 2.5}, "max_queue is 2.5; set it to a whole number"),
        ({"timeout": "soon"}, "timeout is 'soon'; set it to a number"),
        ({"timeout": float("inf")}, "timeout is inf; set it to a number"),
        ({"timeout": float("nan")}, "timeout is nan; set it to a number"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused(option: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Tracker("token", **option)
