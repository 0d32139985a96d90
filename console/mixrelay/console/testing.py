"""The whole road in a test, without a server: tracked, queued in fakeredis, drained, delivered.

    with draining() as drain:
        client.post("/sign-up", ...)
        drain().assert_tracked("Signed Up", distinct_id="user-1")

With pytest the fixture ``mixrelay_drain`` gives it. It needs ``mixrelay[worker]`` and
``fakeredis[lua]``. What is between the call and Mixpanel is the real thing: the tuple, the queue's
scripts, the worker's checks, batches and dead letters. Mixpanel itself is a function in this
process that takes everything but what ``refuse`` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import orjson

from mixrelay.producer.dispatch.outlet import Outlet
from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.push.sink import RedisSink
from mixrelay.producer.testing import NEVER_OFF, MemorySink, Refuse
from mixrelay.shared.connection import Given
from mixrelay.shared.mixpanel.endpoints import Destination, Endpoint
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.shared.queue import Letter, LetterFilter, Queue
from mixrelay.shared.settings import Settings
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.base.signals import Stop
from mixrelay.worker.drain.session import Draining, Setup

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.batch import Messages

DRAIN_SECONDS = 10.0
_TIMEOUT = 5.0
_KINDS = {
    Endpoint.IMPORT: "event",
    Endpoint.TRACK: "event",
    Endpoint.ENGAGE: "profile_update",
    Endpoint.GROUPS: "group_update",
}
_QUICK = WorkerSettings(concurrency=1, linger=0.0, backoff_base=0.05, backoff_cap=0.2)


class Delivered(MemorySink):
    """What Mixpanel would have got, in the order of its requests, with what the worker stamped."""


class Drain:
    """The queue of one test, and Mixpanel; called, it drains the one into the other.

    Attributes:
        redis: a client of the fakeredis that holds the queue.
        queue: the queue.
        delivered: what Mixpanel got so far.
        refuse: assign a function to have Mixpanel refuse records; see ``Refuse``.
    """

    def __init__(
        self, redis: Any = None, queue: str = "mixpanel_queue", *, partitions: int = 1
    ) -> None:
        """Make an empty queue.

        Args:
            redis: a fakeredis client that the application's trackers were given; else a new one.
            queue: the list's name.
            partitions: how many the trackers were told.

        Raises:
            ConfigurationError: fakeredis or its Lua is not installed, or ``redis`` is a server.
        """
        self.redis = _new_fake() if redis is None else redis
        given = Given.of(self.redis)
        if not given.is_fake:
            raise ConfigurationError(
                "Only fakeredis is drained in a test: a real queue's messages would be taken for "
                "good. Give a fakeredis.FakeRedis."
            )
        self.queue = Queue(self._client(given), queue, partitions=partitions)
        self.delivered = Delivered()
        self.refuse: Refuse | None = None
        self._given = given
        self._setup = Setup(
            Settings(queue=queue, partitions=partitions, prove_tokens=False), _QUICK, burst=True
        )

    def __call__(self, seconds: float = DRAIN_SECONDS) -> Delivered:
        """Run a worker here until nothing waits; return all that Mixpanel got so far.

        Args:
            seconds: how long that may take.

        Raises:
            AssertionError: something still waits, such as what Mixpanel answered nothing about.
        """
        __tracebackhide__ = True
        worker = Draining(
            self._setup,
            owner="test",
            stop=Stop(),
            is_wanted_elsewhere=lambda: False,
            redis=self._client(self._given),
            transport=_Mixpanel(self),
        )
        worker.run(seconds)
        waiting = self.queue.books().waiting
        if waiting:
            raise AssertionError(
                f"{waiting} messages are still in the backlog after {seconds:g} s."
            )
        return self.delivered

    @property
    def dead(self) -> list[Letter]:
        """The dead letters, each with its ``reason``, ``field``, ``error`` and ``payload``."""
        return [*self.queue.letters.find(LetterFilter())]

    def replay(self, *letters: Letter) -> int:
        """Put dead letters back into the queue, all where none is named; return how many."""
        return self.queue.replay([letter.id for letter in letters or self.dead], who="test")

    def _client(self, given: Given) -> Any:
        return given.client(timeout=_TIMEOUT, connect_timeout=_TIMEOUT)


class _Mixpanel:
    """Takes requests in place of Mixpanel's API."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    def post(self, destination: Destination, body: bytes) -> Answer:
        kind, records = _KINDS[destination.endpoint], orjson.loads(body)
        failed = {}
        for index, record in enumerate(records):
            why = self._drain.refuse and self._drain.refuse(kind, record)
            if why:
                failed[index] = why
            else:
                self._drain.delivered(kind, orjson.dumps({"data": record}).decode())
        taken = len(records) - len(failed)
        if not failed:
            return _answer(200, {"code": 200, "status": 1, "num_records_imported": taken})
        return _answer(
            400,
            {
                "code": 400,
                "error": "some data points in the request failed validation",
                "num_records_imported": taken,
                "failed_records": [{"index": at, "message": why} for at, why in failed.items()],
            },
        )

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def draining(
    redis: Any = None, queue: str = "mixpanel_queue", *, partitions: int = 1
) -> Iterator[Drain]:
    """Send what this process tracks through a queue in fakeredis, until the block ends.

    All trackers push there whose sink is the default one, sync or async, also those that were made
    before; but for trackers that were given a fakeredis of their own, and those with another sink.

    Args:
        redis: as for ``Drain``.
        queue: the list's name.
        partitions: of the queue.

    Raises:
        ConfigurationError: as ``Drain``.
    """
    drain = Drain(redis, queue, partitions=partitions)
    ours = RedisSink(redis=drain.redis, queue=queue, partitions=partitions)
    push, push_all = RedisSink.__call__, RedisSink.send_all

    def sink_for(one: RedisSink) -> RedisSink:
        return one if one.guard.is_fake else ours

    def take(one: RedisSink, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word
        return push(sink_for(one), type, message)

    def take_all(one: RedisSink, messages: Messages) -> bool:
        return push_all(sink_for(one), messages)

    async def take_async(_: object, type: str, message: str) -> bool:  # noqa: A002
        return push(ours, type, message)

    async def take_all_async(_: object, messages: Messages) -> bool:
        return push_all(ours, messages)

    with ExitStack() as doors:
        doors.enter_context(patch.object(RedisSink, "__call__", take))
        doors.enter_context(patch.object(RedisSink, "send_all", take_all))
        doors.enter_context(patch.object(AsyncRedisSink, "__call__", take_async))
        doors.enter_context(patch.object(AsyncRedisSink, "send_all", take_all_async))
        # MIXRELAY_DISABLED, which many set for their tests, must not hide what they look at.
        doors.enter_context(patch.object(Outlet, "is_off", NEVER_OFF, create=True))
        doors.callback(ours.close)
        yield drain


def _new_fake() -> Any:
    missing = [name for name in ("fakeredis", "lupa") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"mixrelay_drain needs fakeredis with Lua, and {' and '.join(missing)} is not "
            "installed: pip install 'fakeredis[lua]>=2.31'."
        )
    import fakeredis  # noqa: PLC0415 - only tests have it

    return fakeredis.FakeRedis(server=fakeredis.FakeServer())


def _answer(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, orjson.dumps(body))
