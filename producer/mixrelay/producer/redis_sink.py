"""The default sink: one tuple, one ``RPUSH`` onto the queue's list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Unpack

from mixrelay.producer.errors import DeliveryError, QueueRefusedError
from mixrelay.producer.guard import Guard
from mixrelay.producer.options import QueueOptions, QueueSettings
from mixrelay.producer.redis_words import Words, answers, troubles
from mixrelay.producer.telling import Handler
from mixrelay.shared.options import load
from mixrelay.shared.tuples import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import ConnectionPool

    from mixrelay.producer.batch import Messages
    from mixrelay.producer.counters import Counters
    from mixrelay.shared.queue.loads import BoundedPush

DEFAULT_REDIS_URL = "redis://localhost:6379/0"
DEFAULT_QUEUE = "mixpanel_queue"

MAX_TUPLE_BYTES = 16 * 1024 * 1024
"""Mixpanel takes records under 1 MB; up to this they are dead letters that one can look at,
beyond it they would harm Redis."""

# redis-py's 100 would lose messages of applications with more threads or greenlets.
_MAX_CONNECTIONS = 10_000

# Of the timeout, for a replica or the disk; the rest is for the answer's way.
_SHARE_TO_WAIT = 0.8


class RedisSink:
    """Pushes tuples onto the queue; any number of threads may share one.

    It connects at the first push, and again in each process that a fork makes: no socket is
    ever shared with the parent. Nothing is repeated unseen: redis-py would repeat a push whose
    reply was lost, and an increment would count twice.

    What Redis cannot take goes to the spool (``spool.py``), unless that is off, and is pushed
    from there, in order, by later calls: each moves a slice of some hundred lines. After a
    failure Redis is left alone for 0.25 to 4 seconds.

    Attributes:
        queue: the list's name.
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
            options: see ``QueueSettings``; what is not given comes from the environment.

        Raises:
            ConfigurationError: a setting cannot work.
        """
        self._url = redis_url or os.environ.get("MIXRELAY_REDIS_URL") or DEFAULT_REDIS_URL
        name = os.environ.get("MIXRELAY_QUEUE", DEFAULT_QUEUE) if queue is None else queue
        self.queue = checked_queue(name)
        self.settings = load(QueueSettings, os.environ, options)
        self._bounded = bounded_push(self.queue, self.settings.max_queue)
        self._renew()
        self.words = Words(self._address(), self.queue)
        self.guard = Guard(self.settings, self.words, self._url, self.queue, error_handler)

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
        return self._deliver((write(kind, message),))

    def send_all(self, messages: Messages) -> bool:
        """Push many messages in one command, in order; else as for one.

        Raises:
            DeliveryError: some are in neither queue nor spool; ``count`` says how many.
        """
        return self._deliver([write(kind, message) for kind, message in messages])

    def push(self, *tuples: bytes) -> int:
        """Push tuples in one command, in order, past breaker and spool.

        Returns:
            The list's length; 0 with ``max_queue``, where a script pushes.

        Raises:
            QueueUnavailableError: no connection, or no answer in time; ``maybe_delivered``
                tells whether the tuples went out.
            QueueRefusedError: Redis answered with an error, or one is too large; nothing was
                pushed.
            NotDurableError: they were pushed, and ``durability`` was not acknowledged.
        """
        largest = max(map(len, tuples))
        if largest > MAX_TUPLE_BYTES:
            raise too_large(largest)
        return self._push_fitting(tuples)

    def _push_fitting(self, tuples: Sequence[bytes]) -> int:
        if self._bounded is None:
            return self._push(("RPUSH", self.queue, *tuples))
        try:
            return self._push(self._bounded.command(tuples))
        except QueueRefusedError as error:
            if type(error.__cause__).__name__ != "NoScriptError":
                raise
        return self._push(self._bounded.command_with_script(tuples))

    def close(self) -> None:
        """Close this process's connections; the next push opens one again."""
        self._pool_of_this_process().disconnect()
        self.guard.close()

    def __repr__(self) -> str:
        """Show where it pushes, without the password."""
        return f"RedisSink({self._address()!r}, {self.queue!r})"

    def _deliver(self, tuples: Sequence[bytes]) -> bool:
        if max(map(len, tuples)) > MAX_TUPLE_BYTES:
            return self._deliver_but_large(tuples)
        guard = self.guard
        if not (guard.ready() or guard.clear_way()):
            return guard.hold(tuples)
        try:
            self._push_fitting(tuples)
        except DeliveryError as error:
            return guard.rescue(tuples, error)
        guard.pushed(len(tuples))
        return True

    def _deliver_but_large(self, tuples: Sequence[bytes]) -> bool:
        fitting = [one for one in tuples if len(one) <= MAX_TUPLE_BYTES]
        if fitting:
            self._deliver(fitting)
        error = too_large(max(map(len, tuples)))
        raise self.guard.lost(error, len(tuples) - len(fitting))

    def _push(self, command: tuple[Any, ...]) -> int:
        # A connection in hand, not a client's rpush: only so can one tell a push that never
        # went out from one whose answer was lost.
        pool = self._pool_of_this_process()
        try:
            connection = pool.get_connection()
        except answers() as error:
            raise self.words.refused(error) from error
        except troubles() as error:
            raise self.words.unavailable(error) from error
        try:
            return self._exchange(connection, command)
        finally:
            pool.release(connection)

    def _exchange(self, connection: Any, command: tuple[Any, ...]) -> int:
        # Any, since redis-py does not type its connections; they close when one of these fails.
        try:
            if self.settings.durability != "queued":
                return self._exchange_durably(connection, command)
            connection.send_packed_command([packed(command)])
            return int(connection.read_response() or 0)
        except answers() as error:
            raise self.words.refused(error) from error
        except troubles() as error:
            raise self.words.unanswered(error) from error
        except BaseException:
            # A signal's, between the two: the answer would be taken for that of the next push.
            connection.disconnect()
            raise

    def _exchange_durably(self, connection: Any, command: tuple[Any, ...]) -> int:
        wait = wait_command(self.settings)
        connection.send_packed_command([packed(command) + packed(wait)])
        try:
            length = int(connection.read_response() or 0)
        except answers():
            connection.disconnect()  # the second answer is still on its way
            raise
        try:
            answer = connection.read_response()
        except troubles() as error:
            connection.disconnect()
            raise self.words.not_durable(self.settings.durability, str(error)) from error
        # WAIT counts replicas; WAITAOF this server's disk, then those of replicas.
        if not (answer[0] if isinstance(answer, list) else answer):
            reason = f"nobody acknowledged it within {wait[-1]} ms"
            raise self.words.not_durable(self.settings.durability, reason)
        return length

    def _pool_of_this_process(self) -> ConnectionPool:
        # redis-py's own check takes a lock that another thread may have held during the fork.
        if self._pid != os.getpid():
            self._renew()
        return self._pool

    def _renew(self) -> None:
        # Loads redis-py, which takes its time: when a tracker is made, not inside the first
        # request, and not where it has another sink.
        from mixrelay.shared.connection import connect  # noqa: PLC0415

        client = connect(
            self._url,
            timeout=self.settings.timeout,
            connect_timeout=self.settings.connect_timeout,
        )
        self._pool: ConnectionPool = client.connection_pool
        self._pool.max_connections = _MAX_CONNECTIONS
        self._pid = os.getpid()

    def _address(self) -> str:
        from mixrelay.shared.connection import mask  # noqa: PLC0415 - as in _renew

        return mask(self._url)


def checked_queue(name: str) -> str:
    """Return a list's name that a queue can have.

    Raises:
        ConfigurationError: it cannot.
    """
    if not name or "}" in name:
        # The rule is the queue's; its package is a worker's weight, so only doubtful names ask.
        from mixrelay.shared.queue.keys import Keys  # noqa: PLC0415

        return Keys.of(name).queue
    return name


def packed(command: Sequence[bytes | str | int]) -> bytes:
    """Return a command as Redis reads it; redis-py's own packing takes three times as long."""
    parts = [b"*%d\r\n" % len(command)]
    for part in command:
        text = part if type(part) is bytes else str(part).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


def too_large(size: int) -> QueueRefusedError:
    """Return what to tell of a message that the queue does not take, whatever its state."""
    return QueueRefusedError(
        f"A message of {size} bytes was not pushed: Mixpanel takes records under 1 MB, "
        f"the queue up to {MAX_TUPLE_BYTES}. Send less."
    )


def bounded_push(queue: str, most: int) -> BoundedPush | None:
    if not most:
        return None
    from mixrelay.shared.queue.loads import BoundedPush  # noqa: PLC0415 - a worker's weight

    return BoundedPush(queue, most)


def wait_command(settings: QueueSettings) -> tuple[str | int, ...]:
    """Return the command whose answer comes once the push is safe, or after its time."""
    milliseconds = max(round(settings.timeout * _SHARE_TO_WAIT * 1000), 1)
    if settings.durability == "replica":
        return ("WAIT", 1, milliseconds)
    return ("WAITAOF", 1, 0, milliseconds)
