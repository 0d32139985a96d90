"""The default sink: one tuple, one ``RPUSH`` onto a list of the queue."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from mixrelay.producer.construction.checks import given_client, read_queue
from mixrelay.producer.construction.copies import refuse_client
from mixrelay.producer.construction.shown_options import with_options_shown
from mixrelay.producer.dispatch.attempt import Attempt
from mixrelay.producer.dispatch.collected import Collected
from mixrelay.producer.dispatch.endings import ending_in
from mixrelay.producer.dispatch.reporting import Handler
from mixrelay.producer.errors import DeliveryError
from mixrelay.producer.options import QueueOptions
from mixrelay.producer.push.commands import MAX_TUPLE_BYTES, check_size, too_large
from mixrelay.producer.push.connection import Pushing
from mixrelay.producer.push.failover import Guard
from mixrelay.producer.push.targets import Lists, QueueList, together
from mixrelay.shared.tuples import write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixrelay.producer.dispatch.batch import Messages
    from mixrelay.producer.dispatch.counters import Counters

Part: TypeAlias = "tuple[QueueList, Sequence[bytes], Attempt]"
"""The tuples of one call for one list, and how far they came."""


class RedisSink:
    """Pushes tuples onto the queue; any number of threads may share one.

    It connects at the first push, and again in each process that a fork makes. With several
    ``partitions`` a message goes to that of its profile.

    What Redis cannot take goes to the spool (``spool.py``), unless that is off, and is pushed
    from there, in order, by later calls: each moves a slice of some hundred lines. After a
    failure Redis is left alone for 0.25 to 4 seconds.

    Attributes:
        queue: the list's name; the first one's, with several partitions.
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
                valkey-py, sync or async, of a cluster, through Sentinel, or fakeredis; a function
                without arguments that returns one, or the dotted path of either. Pushes go
                over connections of our own that are made as its are, with our timeouts and
                without its retries; it is neither changed nor closed.
            options: see ``QueueSettings``; what is not given comes from the environment.

        Raises:
            ConfigurationError: a setting cannot work.
        """
        given = given_client(redis, redis_url)
        url, self.queue, self.settings = read_queue(redis_url, queue, options, given)
        self.pushing = Pushing(url, self.settings, given)
        self._address = masked(url)
        self.lists = Lists(self.queue, self.settings, self._address)
        self._made_with: dict[str, Any] = {"redis_url": redis_url, "queue": queue, **options}
        if redis is not None:
            self._made_with["redis"] = redis
        self.guard = Guard(self.settings, url, self.lists, error_handler, given)

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

    def __call__(self, kind: str, message: str) -> bool:
        """Push one message, or keep it in the spool, and return True; False where it is dropped.

        Raises:
            DeliveryError: it is in neither, or nobody knows.
        """
        payload = write(kind, message)
        to = self.lists.only or self.lists.of(kind, message)
        return self._deliver(to, (payload,), Attempt())

    def send_all(self, messages: Messages) -> bool:
        """Push many messages in one command for each partition, in order; else as for one.

        Raises:
            DeliveryError: some are in neither queue nor spool; ``count`` says how many.
        """
        parts: list[Part] = []
        try:
            if isinstance(messages, Collected):
                messages.is_taken = True
            parts = self._parts(messages)
            return all(_each([partial(self._deliver, *part) for part in parts]))
        except DeliveryError:
            raise
        except BaseException:
            # The application's own, which may come before any of them, or at one list's.
            for part in parts or self._parts(messages):
                self.guard.interrupted(*part)
            raise

    def _parts(self, messages: Messages) -> list[Part]:
        return [(to, tuples, Attempt()) for to, tuples in self.lists.of_messages(messages)]

    def push(self, *tuples: bytes) -> int:
        """Push tuples in one command for each partition, in order, past breaker and spool.

        Returns:
            The list's length, or that of the lists; 0 with ``max_queue``, where a script pushes.

        Raises:
            QueueUnavailableError: no connection, or no answer in time; ``maybe_delivered``
                tells whether the tuples went out.
            QueueRefusedError: Redis answered with an error, or one is too large; nothing was
                pushed.
            NotDurableError: they were pushed, and ``durability`` was not acknowledged.
        """
        check_size(tuples)
        groups = self.lists.of_tuples(tuples)
        return sum(_each([partial(self.pushing.push, *group) for group in groups]))

    def close(self) -> None:
        """Close this process's connections; the next push opens one again."""
        self.pushing.close()
        self.guard.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle how it was made; a tracker gives it its error handler anew."""
        refuse_client(self._made_with)
        return partial(type(self), **self._made_with), ()

    def __repr__(self) -> str:
        """Show where it pushes, without the password."""
        return f"RedisSink({self._address!r}, {self.queue!r})"

    def _deliver(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt) -> bool:
        try:
            if max(map(len, tuples)) > MAX_TUPLE_BYTES:
                return self._deliver_but_large(to, tuples, attempt)
            return self._push_or_keep(to, tuples, attempt)
        except DeliveryError:
            raise
        except BaseException as error:
            # The application's own, such as a time limit; it goes on once they are safe.
            self.guard.interrupted(to, tuples, attempt)
            self.pushing.drop_idle()
            # A codec, as that of host names, makes another exception of one that it meets.
            ending = ending_in(error, attempt.outer)
            if ending is None and isinstance(error, Exception):
                self.guard.tell(error)  # nobody's: a fault that loses no message
                return True
            if ending is not None and ending is not error:
                raise ending from None
            raise

    def _push_or_keep(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt) -> bool:
        guard = self.guard
        if not (guard.ready(to, self.pushing.place_of(to)) or guard.clear_way(to)):
            return guard.hold(to, tuples, attempt)
        try:
            self.pushing.push(to, tuples, attempt)
        except DeliveryError as error:
            kept = guard.rescue(to, tuples, error, attempt)
            ending = ending_in(error, attempt.outer)
            if ending is not None:
                raise ending from None
            return kept
        guard.pushed(to, len(tuples), attempt)
        return True

    def _deliver_but_large(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt) -> bool:
        fitting = [one for one in tuples if len(one) <= MAX_TUPLE_BYTES]
        if fitting:
            self._push_or_keep(to, fitting, attempt)
        attempt.is_settled = True
        error = too_large(max(map(len, tuples)))
        raise self.guard.lost(error, len(tuples) - len(fitting))


def masked(url: str) -> str:
    """Return an address without its password."""
    from mixrelay.shared.connection import mask  # noqa: PLC0415 - loads redis-py, as Pushing does

    return mask(url)


def _each(acts: Sequence[Callable[[], int]]) -> list[int]:
    """Return what came of each list's tuples; trouble with one keeps no other from its own.

    Raises:
        DeliveryError: some failed.
    """
    results, errors = [], []
    for act in acts:
        try:
            results.append(act())
        except DeliveryError as error:
            errors.append(error)
    if errors:
        raise together(errors)
    return results
