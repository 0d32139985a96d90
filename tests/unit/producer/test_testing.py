"""What people who test their code get: the memory sink, its failures, and the fixture."""

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal
from unittest.mock import ANY
from uuid import UUID

import pytest

from mixrelay.producer import BufferedConsumer, Consumer, RedisSink, Tracker
from mixrelay.producer.official import QueueConsumer
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.testing import MemorySink, capture
from tests.support.processes import finished

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOMEBODY = UUID("0a1b2c3d-0000-4000-8000-000000000001")


@pytest.fixture
def sink():
    return MemorySink()


@pytest.fixture
def tracker(sink):
    return Tracker("token", sink=sink)


def failure(check, *arguments, **more):
    """The message of a check that must fail."""
    with pytest.raises(AssertionError) as caught:
        check(*arguments, **more)
    return str(caught.value)


def test_events_are_kept_as_they_would_reach_mixpanel(sink, tracker):
    assert tracker.track("u", "Bought", {"Price": Decimal("9.5"), "At": WHEN}) is True
    tracker.import_event("u", "Past", {"time": WHEN})
    tracker.merge("a", "b")
    bought, past, merged = sink.events
    assert (bought.name, bought.distinct_id, bought.is_import) == ("Bought", "u", False)
    assert bought.properties["Price"] == 9.5
    assert bought.properties["At"] == "2026-01-02T03:04:05"
    assert bought.properties["token"] == "token"
    assert (past.name, past.is_import) == ("Past", True)
    assert (merged.name, merged.distinct_id) == ("$merge", None)


def test_updates_are_kept_with_whose_they_are(sink, tracker):
    tracker.people.increment("u", {"n": 1})
    tracker.people.delete("u")
    tracker.groups.unset("Company", "Acme", ["a", "b"])
    told = [(one.target, one.operation, one.properties) for one in sink.updates]
    assert told == [
        ("u", "$add", {"n": 1}),
        ("u", "$delete", ""),
        (("Company", "Acme"), "$unset", ["a", "b"]),
    ]
    assert sink.updates[0].record["$token"] == "token"


def test_the_tuples_themselves_are_there_too(sink, tracker):
    tracker.track("u", "E")
    [(kind, message)] = sink.messages
    assert kind == "event"
    assert message.startswith('{"data":{"event":"E"')


def test_lists_of_a_buffered_consumer_are_taken_apart(sink):
    buffered = BufferedConsumer(sink, max_size=2)
    tracker = Tracker("token", sink=buffered.send)
    tracker.track("a", "E")
    tracker.track("b", "E")
    assert [event.distinct_id for event in sink.events] == ["a", "b"]


def test_clear_forgets_everything(sink, tracker):
    tracker.track("u", "E")
    sink.clear()
    assert (sink.events, sink.updates, sink.messages) == ([], [], [])


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        ([], {}),
        ([{"New Plan": "Premium"}], {}),
        ([], {"distinct_id": str(SOMEBODY)}),
        ([], {"distinct_id": SOMEBODY, "seats": 3}),
        ([{"At": WHEN}], {"time": WHEN}),
        ([{"New Plan": ANY}], {"seats": pytest.approx(3.0)}),
    ],
)
def test_assert_tracked_finds_an_event_by_what_was_given(sink, tracker, positional, named):
    tracker.track("other", "Plan Upgraded")
    given = {"New Plan": "Premium", "seats": 3, "At": WHEN, "time": WHEN}
    tracker.track(SOMEBODY, "Plan Upgraded", given)
    found = sink.assert_tracked("Plan Upgraded", *positional, **named)
    assert found in sink.events
    if positional or named:
        assert found.distinct_id == str(SOMEBODY)


def test_a_failure_shows_what_was_tracked_instead(sink, tracker):
    tracker.track("ann", "Plan Upgraded", {"New Plan": "Basic", "Seats": 2})
    tracker.track("bob", "Signed In")
    tracker.track("eve", "Signed In")
    told = failure(
        sink.assert_tracked, "Plan Upgraded", {"New Plan": "Premium"}, distinct_id="ann", Trial=True
    )
    assert told == (
        "No event 'Plan Upgraded' with {'distinct_id': 'ann', 'New Plan': 'Premium', "
        "'Trial': True} was tracked.\n"
        "  'Plan Upgraded' of 'ann': {'New Plan': 'Basic', 'Seats': 2}\n"
        "    New Plan is 'Basic', not 'Premium'\n"
        "    no Trial\n"
        "  Others: 'Signed In' ×2."  # noqa: RUF001 - as it is written
    )


def test_a_failure_says_when_nothing_was_tracked(sink):
    assert failure(sink.assert_tracked, "E").endswith("Nothing was.")
    assert failure(sink.assert_updated, "u", "$set").endswith("Nothing was.")


def test_a_failure_does_not_print_a_document(sink, tracker):
    tracker.track("u", "E", {"text": "x" * 100_000})
    assert len(failure(sink.assert_tracked, "E", text="y")) < 2_000


def test_assert_not_tracked_shows_what_should_not_be(sink, tracker):
    tracker.track("u", "E", {"n": 1})
    sink.assert_not_tracked("F")
    sink.assert_not_tracked("E", n=2)
    sink.assert_not_tracked("E", distinct_id="other")
    assert "'E' of 'u': {'n': 1}" in failure(sink.assert_not_tracked, "E")


def test_assert_updated_finds_updates_of_users_and_groups(sink, tracker):
    tracker.people.set(SOMEBODY, {"$email": "a@example.com", "Since": WHEN})
    tracker.people.unset("u", ["a", "b"])
    tracker.people.delete("u")
    tracker.groups.union("Company", 7, {"Plans": ["Basic"]})
    sink.assert_updated(SOMEBODY, "$set", {"$email": "a@example.com"}, Since=WHEN)
    sink.assert_updated("u", "$unset", ["b"])
    sink.assert_updated("u", "$delete")
    assert sink.assert_updated(("Company", 7), "$union", Plans=["Basic"]) is not None


def test_a_failed_update_shows_what_was_updated_instead(sink, tracker):
    tracker.people.set("u", {"Plan": "Basic"})
    tracker.people.set("v", {"Plan": "Premium"})
    assert failure(sink.assert_updated, "u", "$set", Plan="Premium") == (
        "No $set on 'u' with {'Plan': 'Premium'} was made.\n"
        "  $set on 'u': {'Plan': 'Basic'}\n"
        "    Plan is 'Basic', not 'Premium'\n"
        "  Others: $set on 'v'."
    )
    tracker.people.unset("u", ["a"])
    assert "no b" in failure(sink.assert_updated, "u", "$unset", ["b"])


NOWHERE = "redis://127.0.0.1:1/0"


def test_capture_keeps_what_trackers_made_before_would_push():
    before = Tracker("token", redis_url=NOWHERE)
    with capture() as sink:
        assert before.track("u", "E") is True
        assert before.people.set("u", {"a": 1}) is True
    sink.assert_tracked("E", distinct_id="u")
    sink.assert_updated("u", "$set", a=1)


def test_capture_keeps_what_would_be_sent_at_once():
    with capture() as sink:
        assert Tracker("token", redis_url=NOWHERE).alias("new", "old") is True
        Consumer(api_host="http://127.0.0.1:1").send("event", '{"data":{"event":"E"}}')
    assert len(sink.messages) == 2
    assert '"$create_alias"' in sink.messages[0][1]


def test_capture_keeps_what_an_async_tracker_would_push():
    async def tracked():
        return await Tracker("token", sink=AsyncRedisSink(NOWHERE)).track("u", "E")

    with capture() as sink:
        assert asyncio.run(tracked()) is True
    sink.assert_tracked("E", distinct_id="u")


def test_capture_keeps_what_a_batch_would_push():
    tracker = Tracker("token", redis_url=NOWHERE)
    with capture() as sink:
        with tracker.batch():
            tracker.track("u", "E")
            tracker.people.set("u", {"a": 1})
            assert sink.messages == []
        assert len(sink.messages) == 2


def test_capture_keeps_what_an_async_batch_would_push():
    async def tracked():
        tracker = Tracker("token", sink=AsyncRedisSink(NOWHERE))
        async with tracker.batch():
            assert await tracker.track("u", "E") is True
            assert await tracker.track("u", "F") is True

    with capture() as sink:
        asyncio.run(tracked())
    assert [event.name for event in sink.events] == ["E", "F"]


def test_capture_keeps_what_mixpanels_own_library_would_queue():
    with capture() as sink:
        QueueConsumer(NOWHERE).send("events", '{"event":"E","properties":{"distinct_id":"u"}}')
    sink.assert_tracked("E", distinct_id="u")


def test_capture_sees_what_is_switched_off(monkeypatch):
    monkeypatch.setenv("MIXRELAY_DISABLED", "1")
    before = Tracker("token", redis_url=NOWHERE)
    with capture() as sink:
        made_within = Tracker("token", redis_url=NOWHERE)
        before.track("u", "E")
        made_within.track("u", "F")
    before.track("u", "G")
    made_within.track("u", "H")
    assert [event.name for event in sink.events] == ["E", "F"]
    assert (before.counters.dropped, made_within.counters.dropped) == (1, 1)


def test_capture_leaves_a_sink_of_ones_own_alone(sink):
    with capture() as captured:
        Tracker("token", sink=sink).track("u", "E")
    sink.assert_tracked("E")
    assert captured.messages == []


def test_capture_ends_with_its_block_and_may_lie_in_another():
    before = RedisSink.__call__, AsyncRedisSink.send_all, Consumer.send
    tracker = Tracker("token", redis_url=NOWHERE, error_handler=lambda _: None)
    with capture() as outer:
        with capture() as inner:
            tracker.track("u", "inner")
        tracker.track("u", "outer")
    assert [event.name for event in inner.events] == ["inner"]
    assert [event.name for event in outer.events] == ["outer"]
    assert (RedisSink.__call__, AsyncRedisSink.send_all, Consumer.send) == before


def test_the_fixture_comes_with_the_package(mixrelay_events):
    Tracker("token", redis_url=NOWHERE).track("u", "E")
    mixrelay_events.assert_tracked("E", distinct_id="u")


def test_the_fixture_serves_a_project_that_knows_nothing_of_ours(tmp_path):
    (tmp_path / "test_theirs.py").write_text(
        "from mixrelay.producer import Tracker\n"
        "tracker = Tracker('token', redis_url='redis://127.0.0.1:1/0')\n"
        "def test_ours(mixrelay_events):\n"
        "    tracker.track('u', 'Signed Up', {'Plan': 'Basic'})\n"
        "    mixrelay_events.assert_tracked('Signed Up', Plan='Premium')\n"
    )
    told = pytest_run(tmp_path, "-W", "error")
    assert "Plan is 'Basic', not 'Premium'" in told.stdout
    # The failure points at the test's own line, not into the sink.
    assert "asserting.py" not in told.stdout


def test_the_plugin_costs_others_next_to_nothing(tmp_path):
    (tmp_path / "test_theirs.py").write_text(
        "import sys\n"
        "def test_theirs():\n"
        "    heavy = ('redis', 'requests', 'rq', 'mixrelay.producer.testing', 'unittest.mock')\n"
        "    assert not [name for name in heavy if name in sys.modules]\n"
    )
    told = pytest_run(tmp_path, "-W", "error")
    assert "1 passed" in told.stdout, told.stdout + told.stderr


def pytest_run(folder, *options):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)]
    return finished(command, cwd=folder, check=False, capture_output=True, text=True, timeout=60)
