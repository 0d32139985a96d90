"""The producer's types, as the code of its users sees them.

Never run: test_api.py has mypy check it, with ``--strict`` and as a stranger's project.
``assert_type`` holds what is inferred; a line that ends in ``# E: code`` must be an error.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, assert_type
from uuid import UUID

from mixrelay.producer import (
    AsyncBatch,
    AsyncTracker,
    Batch,
    BufferedConsumer,
    Consumer,
    DeliveryError,
    ErrorHandler,
    InvalidPropertyError,
    RedisSink,
    ServerError,
    Sink,
    Tracker,
)
from mixrelay.producer.official import QueueConsumer
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.reserved import EventProperties, GroupProperties, ProfileProperties
from mixrelay.producer.testing import Event, MemorySink, Update, capture


def a_sink(kind: str, message: str) -> int:
    return len(message)


async def an_async_sink(kind: str, message: str) -> bool:
    return True


# A tracking call returns what the sink returns, and False after a failure.
tracker = Tracker("token")
assert_type(tracker, Tracker[bool])


def of_anyone(plain: Tracker) -> bool:
    """A tracker without a parameter is the queue's."""
    with plain.batch():
        return plain.track("user", "Event") and plain.people.set("user", {})


of_anyone(tracker)
assert_type(tracker.flush(), bool)
assert_type(tracker.close(), bool)
assert_type(tracker.track("user", "Event"), bool)
assert_type(tracker.people.set("user", {"a": 1}), bool)
assert_type(tracker.groups.set("Company", "Acme", {"a": 1}), bool)
assert_type(tracker.alias("new", "old"), bool)
assert_type(tracker.generate_tracking_url("user", "Event"), str)

counting = Tracker("token", a_sink)
assert_type(counting, Tracker[int | bool])
assert_type(counting.track("user", "Event"), int | bool)
assert_type(counting.people.increment("user", {"a": 1}), int | bool)

awaited = Tracker("token", sink=an_async_sink)
assert_type(awaited, Tracker[Awaitable[bool]])


async def a_handler() -> None:
    assert_type(await awaited.track("user", "Event"), bool)
    assert_type(await awaited.people.set("user", {"a": 1}), bool)
    queued = Tracker("token", sink=AsyncRedisSink("redis://localhost"))
    assert_type(await queued.track("user", "Event"), bool)
    async with queued.batch():
        await queued.groups.set("Company", "Acme", {"a": 1})


# Calls of an AsyncTracker are coroutines, so that one that is not awaited is an error.
awaiting = AsyncTracker("token", redis_url="redis://localhost", timeout=0.1)
assert_type(awaiting.with_properties({"App": "web"}), AsyncTracker)
assert_type(awaiting.track("user", "Event"), Coroutine[Any, Any, bool])  # E: unused-coroutine
AsyncTracker("token", sink=an_async_sink)
AsyncTracker("token", sink=a_sink)  # E: arg-type


async def another_handler() -> None:
    assert_type(await awaiting.track("user", "Event", {"a": 1}, groups={"Company": "Acme"}), bool)
    assert_type(await awaiting.people.set("user", {"a": 1}), bool)
    assert_type(await awaiting.groups.set("Company", "Acme", {"a": 1}), bool)
    awaiting.track("user", "Event")  # E: unused-coroutine
    awaiting.people.set("user", {"a": 1})  # E: unused-coroutine
    awaiting.groups.set("Company", "Acme", {"a": 1})  # E: unused-coroutine
    await awaiting.track("user")  # E: call-overload
    async with awaiting.batch(ip=0) as collected:
        assert_type(collected, AsyncBatch)
    with awaiting.batch():  # E: attr-defined, attr-defined
        pass
    assert_type(asyncio.create_task(awaiting.alias("new", "old")), asyncio.Task[bool])
    await awaiting.aclose()


Tracker("token", sink=RedisSink("redis://localhost"))
Tracker("token", sink=Consumer(region="eu").send)
Tracker("token", sink=BufferedConsumer(max_size=10).send)
Tracker(redis_url="redis://localhost", queue="mine", timeout=0.1)
Tracker("token", sink=lambda kind, message: None)
Tracker("token", sink=a_sink, redis_url="redis://localhost")  # E: call-overload
Tracker("token", sink="redis://localhost")  # E: call-overload
block: Sink[int] = a_sink

with tracker.batch(ip="203.0.113.7") as batch:
    assert_type(batch, Batch[bool])
assert_type(tracker.with_properties({"App": "web"}), Tracker[bool])
assert_type(tracker.counters.queued, int)
Tracker("token", before_send=lambda kind, record: record if kind == "event" else None)
Tracker("token", before_send=lambda kind, record: "text")  # E: arg-type, return-value
Tracker("token", spool_dir="off", durability="disk", max_queue=1_000)
Tracker("token", durability="often")  # E: call-overload
Tracker("token", spooldir="off")  # E: call-overload

# Whoever an event is about, and what it may hold.
tracker.track(17, "Event")
tracker.track(UUID(int=0), "Event", MappingProxyType({"when": date(2026, 1, 2)}), ip="203.0.113.7")
tracker.track(None, "Event", {"price": Decimal("9.50"), "tags": {"a", "b"}}, ip=0)
tracker.track("user", "Event", groups={"Company": ["Acme", 7]}, insert_id="one", timestamp=1.5)
assert_type(tracker.track(event="Event", user_id=17, device_id=UUID(int=0)), bool)
tracker.track(None, "Event", device_id="device", meta={"member": 1})
tracker.track(event="Event", timestamp=datetime.now(UTC), user_id="user")
tracker.track("user", "Event", insert_id=1)  # E: call-overload
tracker.track("user", "Event", user_id=["user"])  # E: call-overload
tracker.track("user", "Event", timestamp="today")  # E: call-overload
tracker.track("user", "Event", {1: 2})  # E: dict-item
tracker.track("user", "Event", ["a"])  # E: call-overload
tracker.track("user", None)  # E: call-overload
tracker.track("user")  # E: call-overload
tracker.track(user_id="user")  # E: call-overload
tracker.import_event("user", "Event", {"time": datetime.now(UTC)}, api_key="secret")
assert_type(tracker.import_event(event="Event", user_id="user", timestamp=date(2026, 1, 2)), bool)
tracker.people.set("user", {"a": 1}, ip=0, ignore_time=True, ignore_alias=True)
tracker.people.set("user", {"a": 1}, latitude=52.5, longitude=13.4)
assert_type(tracker.people.update({"$distinct_id": "user", "$set": {"a": 1}}), bool)
assert_type(tracker.groups.update({"$group_key": "Company"}, meta={"$ip": 0}), bool)
tracker.people.update("user")  # E: arg-type
tracker.people.unset("user", "a")
tracker.people.unset("user", ["a", "b"])
tracker.people.unset("user", 1)  # E: arg-type
tracker.people.track_charge("user", Decimal("9.99"))
tracker.people.track_charge("user", "9.99")  # E: arg-type
tracker.groups.delete("Company", 7)
tracker.groups.delete("Company")  # E: call-arg

# Reserved properties have types; own ones are added by inheritance.
event: EventProperties = {"$insert_id": "one", "time": datetime.now(UTC), "$city": "Berlin"}
tracker.track("user", "Event", event)
profile: ProfileProperties = {"$email": "ann@example.com", "$created": date(2026, 1, 2)}
tracker.people.set("user", profile)
group: GroupProperties = {"$name": "Acme"}
tracker.groups.set("Company", "Acme", group)


class PlanUpgraded(EventProperties, total=False):
    plan: str


upgraded: PlanUpgraded = {"plan": "Premium", "ip": 0}
tracker.track("user", "Plan Upgraded", upgraded)
misspelt: PlanUpgraded = {"plan": "Premium", "$insertid": "one"}  # E: typeddict-unknown-key
mistyped: ProfileProperties = {"$email": 1}  # E: typeddict-item


# Errors and their handlers.
class Mine(ErrorHandler):
    def handle(self, error: Exception) -> None:
        if isinstance(error, ServerError):
            assert_type(error.status, int)
        if isinstance(error, DeliveryError):
            assert_type(error.maybe_delivered, bool)


Tracker("token", error_handler=Mine())
Tracker("token", error_handler=print)
Tracker("token", error_handler="shop.tracking.heard")
Tracker("token", error_handler=5)  # E: call-overload

try:
    tracker.track("user", "Event", {"price": float("nan")})
except InvalidPropertyError as error:
    assert_type(error.path, str)

# In tests.
memory = MemorySink()
assert_type(Tracker("token", sink=memory), Tracker[bool])
assert_type(memory.events, list[Event])
assert_type(memory.updates, list[Update])
assert_type(memory.assert_tracked("Event", {"a": 1}, distinct_id="user", b=2), Event)
assert_type(memory.assert_updated("user", "$unset", ["a"]), Update)
assert_type(memory.assert_tracked("Event", times=2), Event)
assert_type(memory.assert_in_order("Event", ("Event", {"a": 1}), distinct_id="u"), list[Event])
memory.assert_valid("plan.json", allow_notices=True)
memory.assert_valid([{"entityType": "event", "name": "Event", "schemaJson": {}}])
memory.refuse = lambda kind, record: "no" if kind == "event" else None
with memory.redis_away(), memory.failing(DeliveryError("away")):
    pass
with capture() as captured:
    assert_type(captured, MemorySink)

# For Mixpanel's own library.
assert_type(QueueConsumer().send("imports", "{}", ("key", "secret")), bool)
QueueConsumer(sink=memory, error_handler=print)
