"""The queue for code that awaits: one tuple, one ``RPUSH``, on ``redis.asyncio``.

tracker = Tracker("PROJECT_TOKEN", sink=AsyncRedisSink())
await tracker.track("user-1", "Plan Upgraded")
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Self, Unpack

from mixrelay.producer.async_pushing import AsyncPushing
from mixrelay.producer.commands import MAX_TUPLE_BYTES, check_size, too_large
from mixrelay.producer.errors import DeliveryError
from mixrelay.producer.guard import Guard
from mixrelay.producer.lists import Groups, Lists, QueueList, together
from mixrelay.producer.options import QueueOptions, QueueSettings
from mixrelay.producer.redis_sink import DEFAULT_QUEUE, DEFAULT_REDIS_URL, masked
from mixrelay.shared.options import load
from mixrelay.shared.tuples import write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mixrelay.producer.batch import Messages
    from mixrelay.producer.counters import Counters
    from mixrelay.producer.telling import Handler


class AsyncRedisSink:
    """Pushes tuples onto the queue without holding up the event loop.

    It connects at the first push, in each event loop and each process anew. Breaker, spool,
    partitions and everything else are those of ``RedisSink``; what touches the spool runs in a
    thread. A push whose task is cancelled goes on.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        queue: str | None = None,
        error_handler: Handler | None = None,
        **options: Unpack[QueueOptions],
    ) -> None:
        """Read the settings, and open nothing.

        Args:
            redis_url: else ``MIXRELAY_REDIS_URL``, else ``redis://localhost:6379/0``.
            queue: name of the list; else ``MIXRELAY_QUEUE``, else ``mixpanel_queue``.
            error_handler: see the attribute.
            options: see ``QueueSettings``; what is not given comes from the environment. A push
                takes at most ``connect_timeout`` and ``timeout`` together.

        Raises:
            ConfigurationError: a setting cannot work.
        """
        url = redis_url or os.environ.get("MIXRELAY_REDIS_URL") or DEFAULT_REDIS_URL
        self.queue = os.environ.get("MIXRELAY_QUEUE", DEFAULT_QUEUE) if queue is None else queue
        self.settings = load(QueueSettings, os.environ, options)
        self._address = masked(url)
        self._lists = Lists(self.queue, self.settings, self._address)
        self.guard = Guard(self.settings, url, self._lists, error_handler)
        self._pushing = AsyncPushing(url, self.settings)

    @property
    def counters(self) -> Counters:
        """What became of the messages of this process."""
        return self.guard.counters

    @property
    def error_handler(self) -> Handler | None:
        """Told when the spool comes into use, and of trouble with it.

        A tracker that finds none here puts its own.
        """
        return self.guard.error_handler

    @error_handler.setter
    def error_handler(self, error_handler: Handler) -> None:
        self.guard.error_handler = error_handler

    async def __call__(self, kind: str, message: str) -> bool:
        """Push one message, or keep it in the spool, and return True; False where it is dropped.

        Raises:
            DeliveryError: it is in neither, or nobody knows.
        """
        payload = write(kind, message)
        to = self._lists.only or self._lists.of(kind, message)
        return await asyncio.shield(self._deliver(to, (payload,)))

    async def send_all(self, messages: Messages) -> bool:
        """Push many messages in one command for each partition, in order; else as for one.

        Raises:
            DeliveryError: some are in neither queue nor spool; ``count`` says how many.
        """
        groups = self._lists.of_messages(messages)
        return all(await asyncio.shield(_each(self._deliver, groups)))

    async def push(self, *tuples: bytes) -> int:
        """Push tuples past breaker and spool; as ``RedisSink.push``.

        Raises:
            QueueUnavailableError: no connection, or no answer in time.
            QueueRefusedError: Redis answered with an error, or one is too large.
            NotDurableError: they were pushed, and ``durability`` was not acknowledged.
        """
        check_size(tuples)
        return sum(await _each(self._pushing.push, self._lists.of_tuples(tuples)))

    async def aclose(self) -> None:
        """Close this event loop's connections; the next push opens one again."""
        await self._pushing.close()

    async def __aenter__(self) -> Self:
        """Return itself, to be closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close this event loop's connections."""
        await self.aclose()

    def __repr__(self) -> str:
        """Show where it pushes, without the password."""
        return f"AsyncRedisSink({self._address!r}, {self.queue!r})"

    async def _deliver(self, to: QueueList, tuples: Sequence[bytes]) -> bool:
        fitting = [one for one in tuples if len(one) <= MAX_TUPLE_BYTES]
        kept = await self._deliver_fitting(to, fitting) if fitting else True
        if len(fitting) < len(tuples):
            error = too_large(max(map(len, tuples)))
            raise self.guard.lost(error, len(tuples) - len(fitting))
        return kept

    async def _deliver_fitting(self, to: QueueList, tuples: Sequence[bytes]) -> bool:
        guard = self.guard
        # The spool is files, and moving its lines is a round trip: neither is the event loop's.
        if not guard.ready(to, self._pushing.place_of(to)):
            kept = await asyncio.to_thread(self._hold_unless_clear, to, tuples)
            if kept is not None:
                return kept
        try:
            await self._pushing.push(to, tuples)
        except DeliveryError as error:
            return await asyncio.to_thread(guard.rescue, to, tuples, error)
        guard.pushed(to, len(tuples))
        return True

    def _hold_unless_clear(self, to: QueueList, tuples: Sequence[bytes]) -> bool | None:
        return None if self.guard.clear_way(to) else self.guard.hold(to, tuples)


async def _each(
    act: Callable[[QueueList, list[bytes]], Awaitable[int]], groups: Groups
) -> list[int]:
    """Return what came of each list's tuples; trouble with one keeps no other from its own.

    Raises:
        DeliveryError: some failed.
    """
    results, errors = [], []
    for to, tuples in groups:
        try:
            results.append(await act(to, tuples))
        except DeliveryError as error:
            errors.append(error)
    if errors:
        raise together(errors)
    return results
