"""The queue for code that awaits: one tuple, one ``RPUSH``, on ``redis.asyncio``.

tracker = Tracker("PROJECT_TOKEN", sink=AsyncRedisSink())
await tracker.track("user-1", "Plan Upgraded")
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

from mixrelay.producer.construction.checks import given_client, read_queue
from mixrelay.producer.construction.copies import refuse_client
from mixrelay.producer.construction.shown_options import with_options_shown
from mixrelay.producer.dispatch.async_threads import in_thread
from mixrelay.producer.dispatch.attempt import Attempt
from mixrelay.producer.dispatch.collected import Collected
from mixrelay.producer.dispatch.endings import ending_in
from mixrelay.producer.dispatch.running_tasks import UnderWay
from mixrelay.producer.errors import DeliveryError
from mixrelay.producer.options import QueueOptions
from mixrelay.producer.push.async_connection import AsyncPushing
from mixrelay.producer.push.commands import MAX_TUPLE_BYTES, check_size, too_large
from mixrelay.producer.push.failover import Guard
from mixrelay.producer.push.sink import masked
from mixrelay.producer.push.targets import Groups, Lists, QueueList, together
from mixrelay.shared.tuples import write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mixrelay.producer.dispatch.batch import Messages
    from mixrelay.producer.dispatch.counters import Counters
    from mixrelay.producer.dispatch.reporting import Handler


Part: TypeAlias = "tuple[QueueList, list[bytes], Attempt]"


class AsyncRedisSink:
    """Pushes tuples onto the queue without holding up the event loop.

    It connects at the first push, in each event loop and each process anew. Breaker, spool,
    partitions and everything else are those of ``RedisSink``; what touches the spool runs in a
    thread. A push whose task is cancelled goes on.
    """

    _takes_over = True
    """Its ``send_all`` says when it sees to what a block collected (``Collected.is_taken``)."""

    @with_options_shown
    def __init__(
        self,
        redis_url: str | None = None,
        queue: str | None = None,
        error_handler: Handler | None = None,
        *,
        redis: Any = None,
        **options: Unpack[QueueOptions],
    ) -> None:
        """Read the settings, and open nothing.

        Args:
            redis_url: else ``MIXRELAY_REDIS_URL``, else ``redis://localhost:6379/0``.
            queue: name of the list; else ``MIXRELAY_QUEUE``, else ``mixpanel_queue``.
            error_handler: see the attribute.
            redis: the application's own client or pool, in place of ``redis_url``: of redis-py or
                valkey-py, sync or async, of a cluster, through Sentinel, or fakeredis. Pushes go
                over connections of our own that are made as its are, with our timeouts and
                without its retries; it is neither changed nor closed.
            options: see ``QueueSettings``; what is not given comes from the environment. A push
                takes at most ``connect_timeout`` and ``timeout`` together.

        Raises:
            ConfigurationError: a setting cannot work.
        """
        given = given_client(redis, redis_url)
        url, self.queue, self.settings = read_queue(redis_url, queue, options, given)
        self._address = masked(url)
        self._lists = Lists(self.queue, self.settings, self._address)
        self._made_with: dict[str, Any] = {"redis_url": redis_url, "queue": queue, **options}
        if redis is not None:
            self._made_with["redis"] = redis
        self.guard = Guard(self.settings, url, self._lists, error_handler, given)
        self._pushing = AsyncPushing(url, self.settings, given)
        self._under_way: dict[asyncio.AbstractEventLoop, set[UnderWay]] = {}

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
        return all(await self._shielded([(to, [payload])]))

    async def send_all(self, messages: Messages) -> bool:
        """Push many messages in one command for each partition, in order; else as for one.

        Raises:
            DeliveryError: some are in neither queue nor spool; ``count`` says how many.
        """
        try:
            groups = self._lists.of_messages(messages)
        except BaseException:  # the application's own
            if isinstance(messages, Collected):
                messages.is_taken = True
            for to, tuples in self._lists.of_messages(messages):
                self._interrupt_one(to, tuples, Attempt())
            raise
        return all(await self._shielded(groups, messages))

    async def push(self, *tuples: bytes) -> int:
        """Push tuples past breaker and spool; as ``RedisSink.push``.

        Raises:
            QueueUnavailableError: no connection, or no answer in time.
            QueueRefusedError: Redis answered with an error, or one is too large.
            NotDurableError: they were pushed, and ``durability`` was not acknowledged.
        """
        check_size(tuples)
        groups = self._lists.of_tuples(tuples)
        return sum(await _each([partial(self._pushing.push, *group) for group in groups]))

    async def aclose(self) -> None:
        """Close this event loop's connections; the next push opens one again."""
        await self._pushing.close()

    async def __aenter__(self) -> Self:
        """Return itself, to be closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close this event loop's connections."""
        await self.aclose()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle how it was made; a tracker gives it its error handler anew."""
        refuse_client(self._made_with)
        return partial(type(self), **self._made_with), ()

    def __repr__(self) -> str:
        """Show where it pushes, without the password."""
        return f"AsyncRedisSink({self._address!r}, {self.queue!r})"

    async def _shielded(self, groups: Groups, messages: Messages | None = None) -> list[int]:
        """Deliver each list's tuples, in a task that goes on where the caller's is cancelled."""
        parts: list[Part] = []
        task = None
        try:
            if isinstance(messages, Collected):
                messages.is_taken = True
            parts += [(to, tuples, Attempt()) for to, tuples in groups]
            task = asyncio.create_task(_each([partial(self._deliver, *part) for part in parts]))
            self._see_to_its_end(task, parts)
            return await asyncio.shield(task)
        except DeliveryError:
            raise
        except BaseException as error:
            # The caller's cancellation, or the application's own: met here, at one of the lists,
            # whose others then had no turn, or before any had.
            if task is None:
                parts = parts or [(to, tuples, Attempt()) for to, tuples in groups]
                self._interrupt(parts, os.getpid())
            elif not task.done():
                task.add_done_callback(partial(self._ended, parts))
            elif isinstance(error, asyncio.CancelledError | GeneratorExit):
                self._ended(parts, task)  # a loop that is closed calls nobody back
            else:
                self._interrupt(parts, os.getpid())
            raise

    def _see_to_its_end(self, task: asyncio.Task[list[int]], parts: list[Part]) -> None:
        """Have the tuples kept where an event loop is closed in the midst of it.

        That is told to nobody: not to a task that waits, nor to one that has not begun. It shows
        at the first call in another loop, or as the program ends. Until then the task is held: as
        the garbage collector frees one that is pending, Python 3.11 may crash.
        """
        loop = task.get_loop()
        if loop not in self._under_way:
            self._see_to_closed_loops()
        one = UnderWay(task, partial(self._interrupt, parts, os.getpid()))
        self._under_way.setdefault(loop, set()).add(one)

        def over(_task: asyncio.Future[list[int]]) -> None:
            one.forget()
            self._under_way.get(loop, set()).discard(one)

        task.add_done_callback(over)

    def _see_to_closed_loops(self) -> None:
        for loop in [*self._under_way]:
            if loop.is_closed():
                for one in self._under_way.pop(loop, ()):
                    one.end()

    def _ended(self, parts: list[Part], task: asyncio.Future[list[int]]) -> None:
        """See to the end of a delivery that nobody waits for any more."""
        error = None if task.cancelled() else task.exception()
        # Cancelled as the event loop ends, perhaps before it began; or an ending at one list, and
        # others had no turn.
        if task.cancelled() or not isinstance(error, DeliveryError | None):
            self._interrupt(parts, os.getpid())
        if isinstance(error, Exception):
            self.guard.tell(error)

    def _interrupt(self, parts: list[Part], process: int) -> None:
        """Keep what a delivery did not come to; in a forked process it is the parent's to do so."""
        if process != os.getpid():
            return
        for to, tuples, attempt in parts:
            try:
                if attempt.step is not None:
                    attempt.step.finish()
            except DeliveryError as error:
                self.guard.tell(error)
            if not attempt.is_settled:
                self._interrupt_one(to, tuples, attempt)

    def _interrupt_one(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt) -> None:
        fitting = [one for one in tuples if len(one) <= MAX_TUPLE_BYTES]
        if fitting:
            self.guard.interrupted(to, fitting, attempt)
        if len(fitting) < len(tuples):
            error = too_large(max(map(len, tuples)))
            self.guard.tell(self.guard.lost(error, len(tuples) - len(fitting)))
        attempt.is_settled = True

    async def _deliver(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt) -> bool:
        if attempt.is_settled:  # an ending came as the task had been made
            return True
        fitting = [one for one in tuples if len(one) <= MAX_TUPLE_BYTES]
        kept = await self._deliver_fitting(to, fitting, attempt) if fitting else True
        if len(fitting) < len(tuples):
            attempt.is_settled = True
            error = too_large(max(map(len, tuples)))
            raise self.guard.lost(error, len(tuples) - len(fitting))
        return kept

    async def _deliver_fitting(
        self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt
    ) -> bool:
        try:
            return await self._push_or_keep(to, tuples, attempt)
        except DeliveryError:
            raise
        except BaseException as error:
            # The application's own, or the end of the event loop, which waits for nothing more.
            self.guard.interrupted(to, tuples, attempt)
            # A codec, as that of host names, makes another exception of one that it meets.
            ending = ending_in(error, attempt.outer)
            if ending is None and isinstance(error, Exception):
                self.guard.tell(error)  # nobody's: a fault that loses no message
                return True
            if not isinstance(error, asyncio.CancelledError | GeneratorExit):
                self._pushing.begin_anew()
            if ending is not None and ending is not error:
                raise ending from None
            raise

    async def _push_or_keep(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt) -> bool:
        guard = self.guard
        # The spool is files, and moving its lines is a round trip: neither is the event loop's.
        if not guard.ready(to, self._pushing.place_of(to)):
            kept = await in_thread(attempt, self._hold_unless_clear, to, tuples, attempt)
            if kept is not None:
                return kept
        try:
            await self._pushing.push(to, tuples, attempt)
        except DeliveryError as error:
            if attempt.is_settled:  # its loop was closed, and it is closed in its turn
                raise
            kept = await in_thread(attempt, guard.rescue, to, tuples, error, attempt)
            ending = ending_in(error, attempt.outer)
            if ending is not None:
                raise ending from None
            return kept
        guard.pushed(to, len(tuples), attempt)
        return True

    def _hold_unless_clear(
        self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt
    ) -> bool | None:
        return None if self.guard.clear_way(to) else self.guard.hold(to, tuples, attempt)


async def _each(acts: Sequence[Callable[[], Awaitable[int]]]) -> list[int]:
    """Return what came of each list's tuples; trouble with one keeps no other from its own.

    Raises:
        DeliveryError: some failed.
    """
    results, errors = [], []
    for act in acts:
        try:
            results.append(await act())
        except DeliveryError as error:
            errors.append(error)
    if errors:
        raise together(errors)
    return results
