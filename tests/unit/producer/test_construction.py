"""A tracker that is made wrongly is refused as it is made, with what to write instead."""

import asyncio
from functools import partial
from unittest.mock import MagicMock

import pytest
from redis import Redis

from mixrelay.producer import (
    BufferedConsumer,
    ConfigurationError,
    Consumer,
    ErrorHandler,
    RedisSink,
    Tracker,
)
from mixrelay.producer.async_tracker import AsyncTracker
from mixrelay.producer.integrations.settings import tracker_from
from mixrelay.producer.official import QueueConsumer
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.testing import MemorySink


def refusal(*args, **options) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Tracker(*args, **options)
    return str(caught.value)


def redact(kind, record):
    record["properties"].pop("Email", None)
    return record


async def awaited(kind, record):
    return record


def test_an_address_in_the_place_of_the_sink_is_told_where_it_belongs():
    said = refusal("t", "redis://ann:secret@host:6379/0")
    assert "write redis_url=" in said
    assert "secret" not in said


def test_a_client_of_redis_is_no_sink():
    assert "is a client of Redis; write redis=… with it, or redis_url=" in refusal(
        "t", sink=Redis()
    )


def test_a_consumer_is_no_sink_but_its_method_is():
    assert "write its method: sink=Consumer(…).send" in refusal("t", sink=Consumer())
    said = refusal("t", sink=BufferedConsumer(lambda *_: True))
    assert "write its method: sink=BufferedConsumer(…).send" in said
    Tracker("t", sink=Consumer().send)


def test_a_class_is_no_sink_and_no_handler():
    assert "sink is the class RedisSink; make one of it" in refusal("t", sink=RedisSink)
    assert "the class ErrorHandler; make one" in refusal("t", error_handler=ErrorHandler)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sink": 5}, "sink is 5; set it to a function that is called as sink(type, message)."),
        ({"sink": lambda message: None}, "sink takes (message); set it to a function"),
        ({"error_handler": 5}, "error_handler is 5; set it to a function"),
        ({"error_handler": lambda: None}, "error_handler takes (); set it to a function"),
        ({"before_send": {}}, "before_send is {}; set it to a function"),
        ({"before_send": lambda record: record}, "before_send takes (record); set it to"),
        ({"before_send": awaited}, "before_send is a coroutine function, and nothing would await"),
        ({"error_handler": partial(awaited, "a")}, "error_handler is a coroutine function"),
        ({"default": 1.5}, "default is 1.5; set it to a function"),
    ],
)
def test_what_cannot_be_called_as_it_would_be_is_refused(options, said):
    assert said in refusal("t", **options)
    if "sink" not in options:
        with pytest.raises(ConfigurationError):
            Tracker("t", sink=MemorySink(), **options)


@pytest.mark.parametrize(
    "hook", [redact, partial(redact), MagicMock(), dict.get, lambda *args: args[1], MemorySink()]
)
def test_what_can_be_called_is_taken(hook):
    Tracker("t", sink=hook)
    Tracker("t", before_send=hook)


def test_a_dotted_path_is_resolved():
    for path in (f"{__name__}.redact", f" {__name__}:redact\n"):
        sink = MemorySink()
        Tracker("t", sink=sink, before_send=path).track("u", "e", {"Email": "a@b", "Plan": "x"})
        assert "Email" not in sink.events[0].properties
    made = tracker_from({"token": "t", "before_send": f"{__name__}.redact"}, 'MIXRELAY["{}"]')
    assert made._outlet._before_send is redact


@pytest.mark.parametrize("path", ["nowhere.at.all", f"{__name__}.missing", "json.", "redact", "."])
def test_a_dotted_path_that_leads_nowhere_is_refused(path):
    assert f"before_send is {path!r}" in refusal("t", before_send=path)
    with pytest.raises(ConfigurationError, match=r'MIXRELAY\["BEFORE_SEND"\]'):
        tracker_from({"token": "t", "before_send": path}, 'MIXRELAY["{}"]')


def test_a_hook_that_returns_no_record_sends_nothing_and_says_so():
    for returned, said in ((True, "it returned True; return the record"), ("x", "returned a str")):
        errors: list[Exception] = []
        sink = MemorySink()
        tracker = Tracker(
            "t",
            sink=sink,
            error_handler=errors.append,
            before_send=lambda _k, _r: returned,  # noqa: B023
        )
        assert tracker.track("u", "e") is False
        assert sink.events == []
        assert said in str(errors[0])


def test_an_address_beside_another_sink_would_do_nothing():
    said = refusal("t", sink=MemorySink(), redis_url="redis://host")
    assert "redis_url" in said
    assert "give them to the sink" in said
    with pytest.raises(ConfigurationError, match="queue"):
        QueueConsumer(queue="other", sink=MemorySink())


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("broker_url", "redis_url"),
        ("spooldir", "spool_dir"),
        ("socket_timeout", "timeout"),
        ("queue_name", "queue"),
        ("enabled", "disabled"),
        ("on_error", "error_handler"),
        ("partition", "partitions"),
    ],
)
def test_an_unknown_option_is_told_the_one_that_is_meant(name, meant):
    for make in (partial(Tracker, "t"), QueueConsumer, RedisSink, AsyncRedisSink):
        with pytest.raises(TypeError, match=f"'{name}'; did you mean {meant}\\?"):
            make(**{name: "x"})
    with pytest.raises(TypeError, match=f"did you mean {meant}"):
        Tracker("t", sink=MemorySink(), **{name: "x"})


def test_a_repr_says_where_it_sends_and_shows_no_secret():
    token = "3f2a9c01b7d43f2a9c01b7d43f2a9cb7"
    tracker = Tracker(token, redis_url="redis://ann:secret@host:6379/0", queue="shop")
    assert repr(tracker) == "Tracker(3f2a…b7, RedisSink('redis://ann:***@host:6379/0', 'shop'))"
    assert repr(Tracker("t", sink=redact)) == "Tracker(…, redact)"
    assert repr(Tracker(token, disabled=True)) == "Tracker(3f2a…b7, disabled)"


def test_disabled_as_an_argument_needs_no_token_and_wins_over_the_variable(monkeypatch):
    sink = MemorySink()
    tracker = Tracker(disabled=True, sink=sink)
    assert tracker.track("u", "e") is True
    assert tracker.people.set("u", {"a": 1}) is True
    assert tracker.groups.set("Company", "c", {"a": 1}) is True
    assert tracker.alias("a", "b") is True
    assert sink.messages == []
    assert tracker.counters.dropped == 4
    assert QueueConsumer(disabled=True, sink=sink).send("events", "{}") is True
    assert sink.messages == []
    monkeypatch.setenv("MIXRELAY_DISABLED", "1")
    Tracker().track("u", "e")
    Tracker("t", disabled=False, sink=sink).track("u", "e")
    assert len(sink.events) == 1


def test_an_async_tracker_is_disabled_alike():
    tracker = AsyncTracker(disabled=True)
    assert asyncio.run(tracker.track("u", "e")) is True
    assert tracker.counters.dropped == 1
    assert repr(tracker) == "AsyncTracker(…, disabled)"
    with pytest.raises(ConfigurationError, match="disabled is 'maybe'; set it to on or off"):
        AsyncTracker("t", disabled="maybe")


@pytest.mark.parametrize("word", ["false", "off", "no", "0", " False\n", ""])
def test_a_word_for_no_disables_nothing(word, monkeypatch):
    monkeypatch.setenv("MIXRELAY_DISABLED", word)
    sink = MemorySink()
    Tracker("t", sink=sink).track("u", "e")
    assert len(sink.events) == 1
    assert tracker_from({"token": "t", "disabled": word}, "MIXRELAY_{}")._outlet.is_off is False


@pytest.mark.parametrize("given", [{"disabled": True}, {"disabled": "yes"}, {"disabled": 1}])
def test_a_framework_disables_without_a_token(given):
    assert tracker_from(given, "MIXRELAY_{}").track("u", "e") is True


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"queue": "a\nb"}, 'MIXRELAY["QUEUE"] is'),
        ({"disabled": "maybe"}, "MIXRELAY[\"DISABLED\"] is 'maybe'; set it to on or off."),
        ({"partitions": "65"}, 'MIXRELAY["PARTITIONS"] is 65; set it to a whole number, 1 to 64'),
        ({"redis_url": "http://x"}, "MIXRELAY[\"REDIS_URL\"] 'http://x' cannot be read"),
        ({"token": "a\nb"}, 'MIXRELAY["TOKEN"] is not usable; set it to one without a line break'),
        ({"region": "mars"}, 'MIXRELAY["REGION"] is'),
        ({"sink": "redis://h"}, 'MIXRELAY["SINK"] is an address'),
    ],
)
def test_a_frameworks_setting_is_named_as_it_was_written(given, said):
    with pytest.raises(ConfigurationError) as caught:
        tracker_from({"token": "t"} | given, 'MIXRELAY["{}"]')
    assert said in str(caught.value)


@pytest.mark.parametrize("off", [False, "off", "OFF", " Off "])
def test_a_spool_is_switched_off_in_any_spelling(off):
    assert RedisSink(spool_dir=off).settings.spool_dir == "off"


def test_a_framework_takes_a_client_and_a_policy():
    client = Redis()
    made = tracker_from({"token": "t", "redis": client, "on_invalid": " log\n"}, "MIXRELAY_{}")
    assert made._outlet.on_invalid == "log"
    with pytest.raises(ConfigurationError, match="MIXRELAY_ON_INVALID='ignore'"):
        tracker_from({"token": "t", "on_invalid": "ignore"}, "MIXRELAY_{}")
    assert tracker_from({"token": "t", "on_invalid": "LOG"}, "{}")._outlet.on_invalid == "log"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("redis://:hidden@localhost", r"MIXRELAY_REDIS is an address; .* as MIXRELAY_REDIS_URL\.$"),
        ("shop.nowhere", "MIXRELAY_REDIS is 'shop.nowhere', which cannot be imported"),
        (5, "MIXRELAY_REDIS takes a client, such as"),
    ],
)
def test_a_frameworks_client_that_is_none_is_named_as_it_was_written(given, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        tracker_from({"token": "t", "redis": given}, "MIXRELAY_{}")
    assert "hidden" not in str(caught.value)


CLIENT = Redis(port=6390)
HEARD = []


def redacted(_type, record):
    record["properties"].pop("Password", None)
    return record


def test_a_framework_resolves_the_paths_of_a_client_and_of_hooks():
    paths = {
        "redis": f" {__name__}.CLIENT ",
        "before_send": f"{__name__}.redacted",
        "error_handler": f"{__name__}.heard",
        "default": "builtins.str",
    }
    tracker = tracker_from({"token": "t", "spool_dir": "off", **paths}, "MIXRELAY_{}")
    assert "'redis://localhost:6390/0'" in repr(tracker)
    assert tracker.track("u", "Signed In", {"Password": 1j}) is False
    (error,) = HEARD
    assert "6390" in str(error)


def heard(error):
    HEARD.append(error)
