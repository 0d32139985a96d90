import asyncio
import contextvars
import json
import threading

import pytest

from mixrelay.producer import Tracker
from tests.support.patience import joined


@pytest.fixture
def pushed():
    return []


@pytest.fixture
def tracker(pushed):
    return Tracker("token", lambda *message: pushed.append(message))


def events(messages):
    return [json.loads(message)["data"]["event"] for _, message in messages]


class Together:
    """A sink that can be given many messages at once."""

    def __init__(self):
        self.calls = []

    def __call__(self, kind, message):
        self.calls.append([(kind, message)])

    def send_all(self, messages):
        self.calls.append(messages)


def test_nothing_is_sent_before_the_block_ends(tracker, pushed):
    with tracker.batch():
        assert tracker.track("1", "A") is True
        assert tracker.people.set("1", {}) is True
        assert tracker.groups.set("Company", "1", {}) is True
        assert pushed == []
    assert [kind for kind, _ in pushed] == ["event", "profile_update", "group_update"]


def test_a_sink_that_can_is_given_all_at_once():
    sink = Together()
    tracker = Tracker("token", sink)
    with tracker.batch():
        tracker.track("1", "A")
        tracker.track("1", "B")
    tracker.track("1", "C")
    assert [events(call) for call in sink.calls] == [["A", "B"], ["C"]]


def test_an_empty_block_sends_nothing():
    sink = Together()
    with Tracker("token", sink).batch():
        pass
    assert sink.calls == []


def test_what_was_tracked_before_an_exception_happened(tracker, pushed):
    def fail_in_a_block():
        with tracker.batch():
            tracker.track("1", "A")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_a_block()
    assert events(pushed) == ["A"]


def test_a_block_inside_another_adds_to_it(tracker, pushed):
    with tracker.batch():
        tracker.track("1", "A")
        with tracker.batch():
            tracker.track("1", "B")
        assert pushed == []
        tracker.track("1", "C")
    assert events(pushed) == ["A", "B", "C"]
    tracker.track("1", "D")
    assert events(pushed) == ["A", "B", "C", "D"]


def test_a_block_is_its_trackers_own(tracker, pushed):
    other = []
    with tracker.batch(), Tracker("token", lambda *m: other.append(m)).batch():
        tracker.track("1", "A")
        Tracker("token", lambda *m: other.append(m)).track("1", "B")
        assert pushed == []
        assert events(other) == ["B"]
    assert events(pushed) == ["A"]


def test_trackers_with_properties_share_the_block(tracker, pushed):
    with tracker.batch():
        tracker.with_properties({"a": 1}).track("1", "A")
        assert pushed == []
    assert events(pushed) == ["A"]


def test_a_large_block_is_sent_in_parts_in_order():
    sink = Together()
    tracker = Tracker("token", sink)
    with tracker.batch():
        for number in range(1001):
            tracker.track("1", str(number))
    assert [len(call) for call in sink.calls] == [500, 500, 1]
    assert events(message for call in sink.calls for message in call) == [
        str(number) for number in range(1001)
    ]


def test_a_block_of_large_messages_is_sent_in_parts():
    sink = Together()
    tracker = Tracker("token", sink)
    with tracker.batch():
        for _ in range(10):
            tracker.track("1", "A", {"text": "x" * 300_000})
    assert [len(call) for call in sink.calls] == [4, 4, 2]


def test_threads_that_copy_the_context_share_the_block_and_others_do_not(tracker, pushed):
    def run(name):
        for _ in range(100):
            tracker.track("1", name)

    with tracker.batch():
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(run, "inside"))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            joined(thread)
        assert pushed == []
        outside = threading.Thread(target=run, args=("outside",))
        outside.start()
        joined(outside)
        assert events(pushed) == ["outside"] * 100
    assert events(pushed[100:]) == ["inside"] * 400


def test_what_is_tracked_after_its_block_ended_is_sent_at_once(tracker, pushed):
    with tracker.batch():
        late = contextvars.copy_context()
    late.run(tracker.track, "1", "Late")
    assert events(pushed) == ["Late"]


def test_a_block_may_end_in_another_context(tracker, pushed):
    batch = tracker.batch()
    batch.__enter__()
    tracker.track("1", "A")
    contextvars.copy_context().run(batch.__exit__, None, None, None)
    tracker.track("1", "B")
    assert events(pushed) == ["A", "B"]


def test_blocks_that_ended_elsewhere_are_not_kept(tracker):
    for _ in range(3):
        batch = tracker.batch().__enter__()
        contextvars.copy_context().run(batch.__exit__, None, None, None)
    with tracker.batch() as last:
        assert last.outer is None


def test_each_failure_at_the_end_is_told(pushed):
    heard = []

    def failing(kind, message):
        pushed.append(message)
        raise OSError("no room")

    tracker = Tracker("token", failing, heard.append)
    with tracker.batch():
        tracker.track("1", "A")
        tracker.track("1", "B")
    assert len(pushed) == len(heard) == tracker.counters.failed == 2


def test_the_address_of_a_block_stands_in_for_events_that_have_none(tracker, pushed):
    with tracker.batch(ip="203.0.113.7"):
        tracker.track("1", "A")
        tracker.track("1", "B", ip="203.0.113.8")
        tracker.track("1", "C", {"ip": "203.0.113.9"})
        tracker.import_event("1", "D", {"time": 1_700_000_000})
        tracker.import_event("1", "E", {"time": 1_700_000_000}, ip=0)
    tracker.track("1", "F")
    found = [json.loads(message)["data"]["properties"].get("ip") for _, message in pushed]
    assert found == ["203.0.113.7", "203.0.113.8", "203.0.113.9", "203.0.113.7", 0, None]


def test_the_address_of_a_block_stands_in_for_users_updates_that_have_none(tracker, pushed):
    with tracker.batch(ip="203.0.113.7"):
        tracker.people.set("1", {})
        tracker.people.increment("1", {"a": 1}, ip="203.0.113.8")
        tracker.people.plus_one("1", "a", ip=0)
        tracker.people.update({"$distinct_id": "1", "$set": {}})
        tracker.people.update({"$distinct_id": "1", "$set": {}, "$ip": "203.0.113.9"})
        tracker.groups.set("Company", "1", {})
    tracker.people.set("1", {})
    found = [json.loads(message)["data"].get("$ip") for _, message in pushed]
    ours, own = "203.0.113.7", ["203.0.113.8", 0]
    assert found == [ours, *own, ours, "203.0.113.9", None, None]


def test_an_awaited_sink_makes_an_awaited_tracker_and_block(pushed):
    async def sink(kind, message):
        await asyncio.sleep(0)
        pushed.append((kind, message))

    async def main():
        tracker = Tracker("token", sink)
        async with tracker.batch():
            assert await tracker.track("1", "A") is True
            await asyncio.gather(*(tracker.track("1", f"B{n}") for n in range(3)))
            assert pushed == []
        assert await tracker.track("1", "C") is True

    asyncio.run(main())
    assert events(pushed) == ["A", "B0", "B1", "B2", "C"]


def test_tasks_have_blocks_of_their_own(pushed):
    async def sink(kind, message):
        pushed.append((kind, message))

    async def request(tracker, name, turn):
        async with tracker.batch():
            await tracker.track("1", f"{name}1")
            await turn.wait()
            await tracker.track("1", f"{name}2")

    async def main():
        tracker = Tracker("token", sink)
        first, second = asyncio.Event(), asyncio.Event()
        tasks = [
            asyncio.create_task(request(tracker, "A", first)),
            asyncio.create_task(request(tracker, "B", second)),
        ]
        await asyncio.sleep(0)
        second.set()
        await tasks[1]
        first.set()
        await tasks[0]

    asyncio.run(main())
    assert events(pushed) == ["B1", "B2", "A1", "A2"]


def test_a_failing_awaited_sink_makes_the_call_false_and_is_told():
    heard = []

    async def failing(kind, message):
        raise OSError("no room")

    async def main():
        tracker = Tracker("token", failing, heard.append)
        assert await tracker.track("1", "A") is False
        async with tracker.batch():
            assert await tracker.track("1", "B") is True
        assert tracker.counters.failed == 2

    asyncio.run(main())
    assert [str(error) for error in heard] == ["no room", "no room"]
