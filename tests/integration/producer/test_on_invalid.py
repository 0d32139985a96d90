"""``on_invalid=``: an order does not fail for its analytics."""

import asyncio
import json
import math

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils.functional import SimpleLazyObject

from mixrelay.producer import (
    AsyncTracker,
    ConfigurationError,
    InvalidPropertyError,
    RedisSink,
    Tracker,
)
from mixrelay.producer.push.async_sink import AsyncRedisSink

CYCLE: dict = {}
CYCLE["again"] = CYCLE
MISTAKES = {
    "event": (lambda t: t.track("u", "Ordered", {"Item": object()}), "event"),
    "no name": (lambda t: t.track("u", ""), "event"),
    "number": (lambda t: t.track("u", "Ordered", {"Price": math.nan}), "event"),
    "no mapping": (lambda t: t.track("u", "Ordered", ["Item"]), "event"),
    "insert_id": (lambda t: t.track("u", "Ordered", insert_id="once"), "event"),
    "surrogate": (lambda t: t.track("u", "Ordered", {"Name": "\ud800"}), "event"),
    "cycle": (lambda t: t.track("u", "Ordered", CYCLE), "event"),
    "past": (lambda t: t.import_event("u", "Ordered", timestamp="yesterday"), "import"),
    "identify": (lambda t: t.identify("u", "no uuid"), "event"),
    "merge": (lambda t: t.merge("u", "u"), "import"),
    "alias": (lambda t: t.alias("", "u"), "event"),
    "set": (lambda t: t.people.set("", {"a": 1}), "profile_update"),
    "increment": (lambda t: t.people.increment("u", {"a": "1"}), "profile_update"),
    "charge": (lambda t: t.people.track_charge("u", "much"), "profile_update"),
    "update": (lambda t: t.people.update({"$set": 5}), "profile_update"),
    "group": (lambda t: t.groups.set("k", [1], {"a": 1}), "group_update"),
    "group union": (lambda t: t.groups.union("k", "g", {"a": {}}), "group_update"),
}


@pytest.mark.parametrize("call", MISTAKES)
def test_by_default_a_mistake_raises(call):
    with pytest.raises(InvalidPropertyError):
        MISTAKES[call][0](Tracker("t", sink=lambda *_: True))


@pytest.mark.parametrize("call", MISTAKES)
def test_a_mistake_is_logged_and_counted(call):
    heard, sent = [], []
    tracker = Tracker("t", lambda *message: sent.append(message), heard.append, on_invalid="log")
    assert MISTAKES[call][0](tracker) is False
    (error,) = heard
    assert isinstance(error, InvalidPropertyError)
    assert (tracker.counters.invalid, tracker.counters.failed, sent) == (1, 0, [])
    assert tracker.track("u", "Right") is True


@pytest.mark.parametrize("call", MISTAKES)
def test_a_mistake_dies_visibly_with_its_reason(call, mixrelay_drain):
    heard = []
    tracker = Tracker("t", on_invalid="dead-letter", error_handler=heard.append)
    mistake, kind = MISTAKES[call]
    assert mistake(tracker) is False
    mixrelay_drain()
    (letter,), (error,) = mixrelay_drain.dead, heard
    assert (letter.type, letter.reason) == (kind, "invalid")
    assert (letter.field, letter.error) == (error.path, error.reason)
    assert not mixrelay_drain.delivered.messages
    assert tracker.counters.invalid == 1


def test_a_letter_holds_what_was_given(mixrelay_drain):
    class Secretive:
        def __repr__(self):
            return "<Secretive>"

    tracker = Tracker("t", on_invalid="dead-letter", error_handler=lambda _: None)
    tracker.track("u", "Ordered", {"Item": Secretive(), "Price": 5}, groups={"shop": "books"})
    tracker.people.increment("u", {"Orders": "1"}, ip="1.2.3.4")
    mixrelay_drain()
    event, update = (json.loads(json.loads(one.payload)[1]) for one in mixrelay_drain.dead)
    assert event["data"]["event"] == "Ordered"
    properties = event["data"]["properties"]
    assert (properties["Item"], properties["Price"]) == ("<Secretive>", 5)
    assert (properties["token"], properties["distinct_id"]) == ("t", "u")
    assert update["data"] == {
        "$token": "t",
        "$distinct_id": "u",
        "$ip": "1.2.3.4",
        "$add": {"Orders": "1"},
    }
    assert update["invalid"]["field"] == 'properties["Orders"]'


def test_without_the_mark_an_edited_letter_is_delivered(mixrelay_drain):
    tracker = Tracker("t", on_invalid="dead-letter", error_handler=lambda _: None)
    tracker.people.increment("u", {"Orders": "1"})
    mixrelay_drain()
    (letter,) = mixrelay_drain.dead
    kind, message = json.loads(letter.payload)
    record = json.loads(message)["data"] | {"$add": {"Orders": 1}}
    payload = json.dumps([kind, json.dumps({"data": record})]).encode()
    mixrelay_drain.queue.edit(letter, payload, who="test")
    mixrelay_drain.replay()
    mixrelay_drain().assert_updated("u", "$add", {"Orders": 1})


def test_what_cannot_be_written_at_all_is_logged(mixrelay_drain):
    class Hostile:
        def __repr__(self):
            raise RuntimeError

    heard = []
    tracker = Tracker("t", on_invalid="dead-letter", error_handler=heard.append)
    assert tracker.track("u", "E", {"a": Hostile()}) is False
    assert (
        tracker.track("u", "E", {"a": object(), **{str(n): "x" * 9_000 for n in range(99)}})
        is False
    )
    mixrelay_drain()
    assert (len(heard), len(mixrelay_drain.dead)) == (2, 0)


class Away(Exception):
    """As a database's, of a lazy object."""


def query():
    raise Away("SELECT ann@example.com")


class Odd:
    """Raises something of its own, whatever is asked."""

    def __getattr__(self, name):
        raise Away(name)


BROKEN = {
    "a lazy object as an id": lambda t: t.track(SimpleLazyObject(query), "Ordered"),
    "a lazy object as a value": lambda t: t.track("u", "Ordered", {"Who": SimpleLazyObject(query)}),
    "an odd object as an id": lambda t: t.people.set(Odd(), {"a": 1}),
    "an odd group": lambda t: t.groups.set("k", Odd(), {"a": 1}),
    "an unknown argument": lambda t: t.track("u", "Ordered", propertys={}),
    "an argument too few": lambda t: t.people.set("u"),
}


@pytest.mark.parametrize("call", BROKEN)
@pytest.mark.parametrize("policy", ["log", "dead-letter"])
def test_whatever_a_value_raises_fails_no_order(call, policy, mixrelay_drain):
    heard = []
    tracker = Tracker("t", on_invalid=policy, error_handler=heard.append)
    assert BROKEN[call](tracker) is False
    (error,) = heard
    assert isinstance(error, InvalidPropertyError)
    assert tracker.counters.invalid == 1
    assert tracker.track("u", "Right") is True


@pytest.mark.parametrize("call", BROKEN)
def test_where_mistakes_raise_a_values_own_error_does_too(call):
    with pytest.raises((Away, TypeError, InvalidPropertyError)):
        BROKEN[call](Tracker("t", sink=lambda *_: True))


def test_what_the_argument_at_fault_was_is_said():
    heard = []
    tracker = Tracker("t", lambda *_: True, heard.append, on_invalid="log")
    BROKEN["an unknown argument"](tracker)
    BROKEN["a lazy object as an id"](tracker)
    first, second = map(str, heard)
    assert "track()" in first
    assert "unexpected keyword argument 'propertys'" in first
    assert second == "track(): one of the values raised Away as it was read"
    assert isinstance(heard[1].__cause__, Away)


def test_an_awaited_call_of_a_broken_value_is_awaited():
    heard = []
    tracker = AsyncTracker(
        "t", redis_url="redis://127.0.0.1:1", on_invalid="log", error_handler=heard.append
    )
    assert asyncio.run(BROKEN["a lazy object as an id"](tracker)) is False
    assert asyncio.run(BROKEN["an unknown argument"](tracker)) is False
    assert tracker.counters.invalid == len(heard) == 2


def test_an_ending_passes_through_whatever_the_policy():
    def ends():
        raise SoftTimeLimitExceeded

    tracker = Tracker("t", lambda *_: True, print, on_invalid="log")
    with pytest.raises(SoftTimeLimitExceeded):
        tracker.track(SimpleLazyObject(ends), "Ordered")


def test_defaults_that_are_mistakes_are_left_out():
    heard, sent = [], []
    tracker = Tracker("t", lambda *one: sent.append(one), heard.append, on_invalid="log")
    for wrong in (["App"], {"token": "another project's"}):
        assert tracker.with_properties(wrong).track("u", "Ordered") is True
    assert (len(heard), tracker.counters.invalid, len(sent)) == (2, 2, 2)


def test_the_batch_of_a_request_goes_on(mixrelay_drain):
    tracker = Tracker("t", on_invalid="dead-letter", error_handler=lambda _: None)
    with tracker.batch():
        assert tracker.track("u", "Before")
        assert tracker.track("u", "") is False
        assert tracker.track("u", "After")
    mixpanel = mixrelay_drain()
    assert [event.name for event in mixpanel.events] == ["Before", "After"]
    assert len(mixrelay_drain.dead) == 1


@pytest.mark.parametrize("policy", ["log", "dead-letter"])
def test_awaited_calls_are_awaited_all_the_same(policy, mixrelay_drain):
    async def track():
        async with AsyncRedisSink("redis://localhost:1/0") as sink:
            tracker = Tracker("t", sink=sink, on_invalid=policy, error_handler=lambda _: None)
            return [await tracker.track("u", ""), await tracker.people.set("", {})]

    assert asyncio.run(track()) == [False, False]
    mixrelay_drain()
    assert len(mixrelay_drain.dead) == (2 if policy == "dead-letter" else 0)


def test_partitions_get_their_own_letters(url):
    sink = RedisSink(url, "spread", partitions=3, spool_dir="off")
    tracker = Tracker("t", sink=sink, on_invalid="dead-letter", error_handler=lambda _: None)
    for number in range(9):
        tracker.track(f"u{number}", "")
    assert sink.counters.queued == 9


def test_the_policy_lasts_in_copies():
    tracker = Tracker("t", sink=print, on_invalid="log", error_handler=lambda _: None)
    assert tracker.with_properties({"a": 1}).track("u", "") is False


def test_mistakes_of_the_policy_itself():
    with pytest.raises(ConfigurationError, match=r"on_invalid='ignore'.*raise, log, dead-letter"):
        Tracker("t", sink=print, on_invalid="ignore")
    with pytest.raises(ConfigurationError, match="needs the queue"):
        Tracker("t", sink=print, on_invalid="dead-letter")
