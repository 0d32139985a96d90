"""The default sink: one tuple, one ``RPUSH`` onto the queue's list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mixrelay.producer.errors import QueueRefusedError, QueueUnavailableError
from mixrelay.shared.tuples import write

if TYPE_CHECKING:
    from redis import ConnectionPool

DEFAULT_REDIS_URL = "redis://localhost:6379/0"
DEFAULT_QUEUE = "mixpanel_queue"

DEFAULT_TIMEOUT = 0.5
"""Seconds to connect, and seconds for a reply. A push takes well under a millisecond; half a
second outlives a fork for a snapshot, and is what a request handler loses at most each time
Redis hangs."""

MAX_TUPLE_BYTES = 16 * 1024 * 1024
"""Mixpanel takes records under 1 MB; up to this they are dead letters that one can look at,
beyond it they would harm Redis."""

# redis-py's 100 would lose messages of applications with more threads or greenlets.
_MAX_CONNECTIONS = 10_000


class RedisSink:
    """Pushes a tuple onto the queue; any number of threads may share one.

    It connects at the first push, and again in each process that a fork makes: no socket is
    ever shared with the parent. Nothing is repeated: redis-py would repeat a push whose reply
    was lost, and an increment would count twice.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        queue: str | None = None,
        *,
        connect_timeout: float = DEFAULT_TIMEOUT,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Read the settings, and open nothing.

        Args:
            redis_url: else ``MIXRELAY_REDIS_URL``, else ``redis://localhost:6379/0``.
            queue: name of the list; else ``MIXRELAY_QUEUE``, else ``mixpanel_queue``.
            connect_timeout: seconds to connect, for each address of the host.
            timeout: seconds to wait for a reply.

        Raises:
            ConfigurationError: the address cannot be read, or the name cannot be a queue's.
        """
        self._url = redis_url or os.environ.get("MIXRELAY_REDIS_URL") or DEFAULT_REDIS_URL
        name = os.environ.get("MIXRELAY_QUEUE", DEFAULT_QUEUE) if queue is None else queue
        self.queue = _checked_queue(name)
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._renew()

    def __call__(self, kind: str, message: str) -> bool:
        """Push one message and return True.

        Raises:
            DeliveryError: it is not in the queue, or nobody knows.
        """
        self.push(write(kind, message))
        return True

    def push(self, *tuples: bytes) -> int:
        """Push tuples in one command, in order, and return the list's length.

        Raises:
            QueueUnavailableError: no connection, or no answer in time; ``maybe_delivered``
                tells whether the tuples went out.
            QueueRefusedError: Redis answered with an error, or one is too large; nothing was
                pushed.
        """
        largest = max(map(len, tuples))
        if largest > MAX_TUPLE_BYTES:
            raise QueueRefusedError(_too_large(largest))
        # A connection in hand, not a client's rpush: only so can one tell a push that never
        # went out from one whose answer was lost.
        pool = self._pool_of_this_process()
        try:
            connection = pool.get_connection()
        except _answers() as error:
            raise self._refused(error) from error
        except _troubles() as error:
            raise self._unavailable(error) from error
        try:
            return self._exchange(connection, tuples)
        finally:
            pool.release(connection)

    def _exchange(self, connection: Any, tuples: tuple[bytes, ...]) -> int:
        # Any, since redis-py does not type its connections; they close when one of these fails.
        try:
            connection.send_command("RPUSH", self.queue, *tuples)
            return int(connection.read_response())
        except _answers() as error:
            raise self._refused(error) from error
        except _troubles() as error:
            raise self._unanswered(error) from error
        except BaseException:
            # A signal's, between the two: the answer would be taken for that of the next push.
            connection.disconnect()
            raise

    def close(self) -> None:
        """Close this process's connections; the next push opens one again."""
        self._pool_of_this_process().disconnect()

    def __repr__(self) -> str:
        """Show where it pushes, without the password."""
        return f"RedisSink({self._address()!r}, {self.queue!r})"

    def _pool_of_this_process(self) -> ConnectionPool:
        # redis-py's own check takes a lock that another thread may have held during the fork.
        if self._pid != os.getpid():
            self._renew()
        return self._pool

    def _renew(self) -> None:
        # Loads redis-py, which takes its time: when a tracker is made, not inside the first
        # request, and not where it has another sink.
        from mixrelay.shared.connection import connect  # noqa: PLC0415

        client = connect(self._url, timeout=self._timeout, connect_timeout=self._connect_timeout)
        self._pool: ConnectionPool = client.connection_pool
        self._pool.max_connections = _MAX_CONNECTIONS
        self._pid = os.getpid()

    def _refused(self, error: Exception) -> QueueRefusedError:
        where = f"Redis at {self._address()} refused to push to {self.queue!r}"
        return QueueRefusedError(f"{where}: {_said(error)}. {_advice(error)}")

    def _unavailable(self, error: Exception) -> QueueUnavailableError:
        where = f"No connection to Redis at {self._address()} for {self.queue!r}"
        advice = "Nothing was sent; is Redis running, and is MIXRELAY_REDIS_URL right?"
        return QueueUnavailableError(f"{where}: {_said(error)}. {advice}")

    def _unanswered(self, error: Exception) -> QueueUnavailableError:
        where = f"No answer from Redis at {self._address()} to a push to {self.queue!r}"
        return QueueUnavailableError(
            f"{where}: {_said(error)}. It went out, so it may be in the queue.",
            maybe_delivered=True,
        )

    def _address(self) -> str:
        from mixrelay.shared.connection import mask  # noqa: PLC0415 - as in _renew

        return mask(self._url)


def _checked_queue(name: str) -> str:
    """Return a list's name that a queue can have.

    Raises:
        ConfigurationError: it cannot.
    """
    if not name or "}" in name:
        # The rule is the queue's; its package is a worker's weight, so only doubtful names ask.
        from mixrelay.shared.queue.keys import Keys  # noqa: PLC0415

        return Keys.of(name).queue
    return name


def _too_large(size: int) -> str:
    return (
        f"A message of {size} bytes was not pushed: Mixpanel takes records under 1 MB, "
        f"the queue up to {MAX_TUPLE_BYTES}. Send less."
    )


def _troubles() -> tuple[type[Exception], ...]:
    """Return the errors of a network, loaded only once there is one."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - as in _renew

    return (RedisError, OSError)


def _answers() -> tuple[type[Exception], ...]:
    """Return the errors that are answers of the server; redis-py calls some "connection"."""
    from redis import exceptions as redis  # noqa: PLC0415 - as in _renew

    return (
        redis.ResponseError,
        redis.AuthenticationError,
        redis.AuthorizationError,
        redis.BusyLoadingError,
    )


_ADVICE = {
    "OutOfMemoryError": "It is full: let the workers drain it, or raise its maxmemory.",
    "ReadOnlyError": "It is a replica: point MIXRELAY_REDIS_URL at the primary.",
    "NoPermissionError": "Grant this user RPUSH on the list.",
    "AuthenticationError": "Check the user and password in MIXRELAY_REDIS_URL.",
    "BusyLoadingError": "It is loading its data and will be there soon.",
    "WRONGTYPE": "That key is no list: choose another MIXRELAY_QUEUE.",
    "MISCONF": "It cannot save to its disk: see its log.",
}


def _said(error: Exception) -> str:
    return str(error).rstrip(".")


def _advice(error: Exception) -> str:
    kind, word = type(error).__name__, str(error).partition(" ")[0]
    return _ADVICE.get(kind) or _ADVICE.get(word) or "See what it says."
