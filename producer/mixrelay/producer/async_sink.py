"""The queue for code that awaits: one tuple, one ``RPUSH``, on ``redis.asyncio``.

tracker = Tracker("PROJECT_TOKEN", sink=AsyncRedisSink())
await tracker.track("user-1", "Plan Upgraded")
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, Unpack

from mixrelay.producer.async_pool import LinesByLoop
from mixrelay.producer.errors import DeliveryError, QueueRefusedError
from mixrelay.producer.guard import Guard
from mixrelay.producer.options import QueueOptions, QueueSettings
from mixrelay.producer.redis_sink import (
    DEFAULT_QUEUE,
    DEFAULT_REDIS_URL,
    MAX_TUPLE_BYTES,
    bounded_push,
    checked_queue,
    too_large,
    wait_command,
)
from mixrelay.producer.redis_words import Words, answers, troubles
from mixrelay.shared.connection import mask
from mixrelay.shared.options import load
from mixrelay.shared.tuples import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import ConnectionPool

    from mixrelay.producer.batch import Messages
    from mixrelay.producer.counters import Counters
    from mixrelay.producer.telling import Handler


@dataclass(slots=True)
class _Sent:
    """Whether a push has gone out, so that it may be in the queue."""

    out: bool = False


class AsyncRedisSink:
    """Pushes tuples onto the queue without holding up the event loop.

    It connects at the first push, in each event loop and each process anew. Breaker, spool and
    everything else are those of ``RedisSink``; what touches the spool runs in a thread. A push
    whose task is cancelled goes on.
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
        name = os.environ.get("MIXRELAY_QUEUE", DEFAULT_QUEUE) if queue is None else queue
        self.queue = checked_queue(name)
        self.settings = load(QueueSettings, os.environ, options)
        self._address = mask(url)
        self.words = Words(self._address, self.queue)
        self.guard = Guard(self.settings, self.words, url, self.queue, error_handler)
        self._bounded = bounded_push(self.queue, self.settings.max_queue)
        self._seconds = self.settings.connect_timeout + self.settings.timeout
        self._lines = LinesByLoop(
            url, timeout=self.settings.timeout, connect_timeout=self.settings.connect_timeout
        )

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
        return await asyncio.shield(self._deliver((write(kind, message),)))

    async def send_all(self, messages: Messages) -> bool:
        """Push many messages in one command, in order; else as for one.

        Raises:
            DeliveryError: some are in neither queue nor spool; ``count`` says how many.
        """
        tuples = [write(kind, message) for kind, message in messages]
        return await asyncio.shield(self._deliver(tuples))

    async def push(self, *tuples: bytes) -> int:
        """Push tuples in one command, in order, past breaker and spool; as ``RedisSink.push``.

        Raises:
            QueueUnavailableError: no connection, or no answer in time.
            QueueRefusedError: Redis answered with an error, or one is too large.
            NotDurableError: they were pushed, and ``durability`` was not acknowledged.
        """
        largest = max(map(len, tuples))
        if largest > MAX_TUPLE_BYTES:
            raise too_large(largest)
        if self._bounded is None:
            return await self._push(("RPUSH", self.queue, *tuples))
        try:
            return await self._push(self._bounded.command(tuples))
        except QueueRefusedError as error:
            if type(error.__cause__).__name__ != "NoScriptError":
                raise
        return await self._push(self._bounded.command_with_script(tuples))

    async def aclose(self) -> None:
        """Close this event loop's connections; the next push opens one again."""
        await self._lines.close()

    async def __aenter__(self) -> Self:
        """Return itself, to be closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close this event loop's connections."""
        await self.aclose()

    def __repr__(self) -> str:
        """Show where it pushes, without the password."""
        return f"AsyncRedisSink({self._address!r}, {self.queue!r})"

    async def _deliver(self, tuples: Sequence[bytes]) -> bool:
        fitting = [one for one in tuples if len(one) <= MAX_TUPLE_BYTES]
        kept = await self._deliver_fitting(fitting) if fitting else True
        if len(fitting) < len(tuples):
            error = too_large(max(map(len, tuples)))
            raise self.guard.lost(error, len(tuples) - len(fitting))
        return kept

    async def _deliver_fitting(self, tuples: Sequence[bytes]) -> bool:
        guard = self.guard
        # The spool is files, and moving its lines is a round trip: neither is the event loop's.
        if not guard.ready():
            kept = await asyncio.to_thread(self._hold_unless_clear, tuples)
            if kept is not None:
                return kept
        try:
            await self.push(*tuples)
        except DeliveryError as error:
            return await asyncio.to_thread(guard.rescue, tuples, error)
        guard.pushed(len(tuples))
        return True

    def _hold_unless_clear(self, tuples: Sequence[bytes]) -> bool | None:
        return None if self.guard.clear_way() else self.guard.hold(tuples)

    async def _push(self, command: tuple[Any, ...]) -> int:
        lines, sent = self._lines.of_this_loop(), _Sent()
        try:
            # redis-py bounds each step, and a handshake has several; this bounds all of them.
            async with asyncio.timeout(self._seconds), lines.turns:
                return await self._exchange(lines.pool, command, sent)
        except answers() as error:
            raise self.words.refused(error) from error
        except troubles() as error:
            known = error if str(error) else TimeoutError(f"not within {self._seconds} s")
            raise self._failure(known, sent) from error

    async def _exchange(self, pool: ConnectionPool, command: tuple[Any, ...], sent: _Sent) -> int:
        # Any, since redis-py does not type its connections; they close when one of these fails
        # or is cancelled, and there is no moment in between.
        connection: Any = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            sent.out = True
            if self.settings.durability != "queued":
                return await self._exchange_durably(connection, command)
            await connection.send_command(*command)
            return int(await connection.read_response() or 0)
        finally:
            await pool.release(connection)

    async def _exchange_durably(self, connection: Any, command: tuple[Any, ...]) -> int:
        wait = wait_command(self.settings)
        await connection.send_packed_command(connection.pack_commands([command, wait]))
        try:
            length = int(await connection.read_response() or 0)
        except answers():
            await connection.disconnect(nowait=True)  # the second answer is still on its way
            raise
        try:
            answer = await connection.read_response()
        except troubles() as error:
            await connection.disconnect(nowait=True)
            raise self.words.not_durable(self.settings.durability, str(error)) from error
        # WAIT counts replicas; WAITAOF this server's disk, then those of replicas.
        if not (answer[0] if isinstance(answer, list) else answer):
            reason = f"nobody acknowledged it within {wait[-1]} ms"
            raise self.words.not_durable(self.settings.durability, reason)
        return length

    def _failure(self, error: Exception, sent: _Sent) -> DeliveryError:
        return self.words.unanswered(error) if sent.out else self.words.unavailable(error)
