"""Waits until a message is pushed, without asking again and again.

Anyone may push, with a plain `RPUSH`, so nobody could be asked to ring a bell. `BLMOVE Q Q RIGHT
RIGHT` waits for the list in Redis, and when something is pushed it takes the last element out and
puts it back in the same step: nothing moves, no order changes, and nobody can see it elsewhere. Its
answer would be the message, which may be large, so `CLIENT REPLY SKIP` drops it; the `EXISTS` that
is sent behind it is answered when the wait is over.

Where a server, a proxy or its access rules do not let a connection wait, the caller asks again by
itself: `wait` sleeps for a moment and says so.
"""

import math
import select
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mixrelay.shared import idleness
from mixrelay.shared.connection import node_of
from mixrelay.shared.connection.versions import FOR_COMMAND
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import is_fake
from mixrelay.shared.queue.messages.batch import Lane
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.partitions.partitions import Partitions

BELL_SECONDS = 1.0
"""How long Redis lets a connection wait before it answers all the same. What comes by another way
than a push (a replayed letter, a batch that another worker gave back) is seen after this long."""
_SLOW_ANSWER_SECONDS = 2.0
"""After which a bell that should have answered is given up. A server that becomes a replica ends
the wait with an answer that is skipped too, and executes nothing more on that connection."""
_EARLY = 0.9
"""Of a bell's time: an answer before that means that something was pushed, or that the server
does not wait."""
_EARLY_AT_MOST = 10
"""Early answers in a row with nothing there, after which a bell is taken for one that never waits.
Other workers are quicker now and then, so that one answer shows nothing."""
_POLL_SECONDS = 0.05
_WITHOUT_SECONDS = 1.0
"""For which the caller looks by itself after a bell broke."""
_REFUSED_SECONDS = 10.0
_UNPROVEN_SECONDS = 0.1
"""The first wait of a bell: a proxy may swallow it, and nobody looks meanwhile."""
_STOP_SECONDS = 0.1


def _watched(name: str) -> tuple[str, ...]:
    """The keys of a partition of which one exists as long as there is something to do."""
    kinds = ("lane", "order", "lines", "parked")
    lanes = (f"{kind}:{lane}" for lane in Lane for kind in kinds)
    return name, *map(Keys.of(name), (*lanes, "leases", "pauses", "jobs:live"))


class _Unanswered(RedisTimeoutError):
    """A connection that waits has no answer; one that only hangs says nothing about waiting."""


class NoBell(RedisError):
    """The server answers at once, although there is nothing."""


class Arrivals:
    """The bells of all partitions. Of one thread."""

    def __init__(self, redis: Redis, partitions: Partitions) -> None:
        """Opens nothing: the first wait connects."""
        self._redis = redis
        self._partitions = partitions
        self._bells: list[_Bell] = []
        self._without_until = math.inf if is_fake(redis) else 0.0
        self.refusal: Exception | None = None
        """Why Redis does not let a connection wait, where it does not."""
        self._answered = False
        self.is_quiet = False
        """Whether nothing was in any list, lane or batch when the last wait ended."""

    def wait(self, seconds: float, is_over: Callable[[], bool]) -> bool:
        """Waits for a push to any partition; returns whether there was one, or may have been.

        Where Redis does not let a connection wait, it sleeps for 50 ms and returns False.

        Args:
            seconds: at most.
            is_over: asked now and then; True ends it.
        """
        ends = time.monotonic() + seconds
        self.is_quiet = False
        try:
            if self._are_armed():
                return self._listen(ends, is_over)
        except (RedisError, OSError) as error:
            # Whatever it is, the moves meet it too, and say so.
            self._do_without(error)
        time.sleep(max(0.0, min(ends - time.monotonic(), _POLL_SECONDS)))
        return False

    def look(self) -> None:
        """Sets `is_quiet` by asking; where no connection waits, it stays False.

        Raises:
            redis.RedisError: a node is away.
        """
        self.is_quiet = time.monotonic() >= self._without_until and not any(
            self._partitions.all(lambda one: self._redis.exists(*_watched(one.name)))
        )

    def close(self) -> None:
        """Ends the connections."""
        for bell in self._bells:
            bell.close()

    def _are_armed(self) -> bool:
        if time.monotonic() < self._without_until:
            return False
        for index in range(len(self._bells), len(self._partitions)):
            self._bells.append(_Bell(self._redis, self._partitions[index]))
        # A node that hangs must not take the time of connecting each time.
        if any(self._partitions.is_left_alone(index) for index in range(len(self._bells))):
            return False
        for bell in self._bells:
            if not bell.is_armed:
                bell.arm()
        return True

    def _listen(self, ends: float, is_over: Callable[[], bool]) -> bool:
        waiting = list(self._bells)
        while waiting and (left := ends - time.monotonic()) > 0 and not is_over():
            answers = {bell: bell.answer() for bell in _ready(waiting, min(left, _STOP_SECONDS))}
            self._answered |= any(answer is not None for answer in answers.values())
            if any(answers.values()):
                return True
            waiting = [bell for bell in waiting if answers.get(bell) is None]
        self.is_quiet = not waiting
        return False

    def _do_without(self, error: Exception) -> None:
        self.close()
        never_did = not self._answered and isinstance(error, ResponseError | _Unanswered)
        is_refused = never_did or isinstance(error, NoPermissionError | NoBell)
        seconds = _REFUSED_SECONDS if is_refused else _WITHOUT_SECONDS
        self._without_until = time.monotonic() + seconds
        if is_refused:
            self.refusal = error


class _Bell:
    """One partition's connection that waits in Redis for a push."""

    def __init__(self, redis: Redis, partition: Partition) -> None:
        self._redis = redis
        self._partition = partition
        # Any, since redis-py does not type its connections.
        self._connection: Any = None
        self._pool: Any = None
        self._used_at = 0.0
        self._early = 0
        self._seconds = _UNPROVEN_SECONDS
        self.is_armed = False

    @property
    def file(self) -> int:
        return int(self._connection._sock.fileno())  # noqa: SLF001 - redis-py shows it nowhere else

    def arm(self) -> None:
        """Begins to wait; returns at once.

        Raises:
            redis.RedisError: the node is away.
            OSError: likewise.
        """
        if time.monotonic() - self._used_at > idleness.IDLE_SECONDS:
            self.close()
        name = self._partition.name
        if self._connection is None:
            self._pool = node_of(self._redis, name).connection_pool
            self._connection = self._pool.get_connection(*FOR_COMMAND)
        commands = [
            ("CLIENT", "REPLY", "SKIP"),
            ("BLMOVE", name, name, "RIGHT", "RIGHT", self._seconds),
            ("EXISTS", *_watched(name)),
        ]
        self._connection.send_packed_command(self._connection.pack_commands(commands))
        self._used_at = time.monotonic()
        self.is_armed = True

    def answer(self) -> bool | None:
        """Reads the answer: whether to look for something; None where there is none yet.

        Raises:
            redis.RedisError: the connection broke, or does not wait.
            OSError: likewise.
        """
        waited = time.monotonic() - self._used_at
        if not self._connection.can_read(timeout=0):
            if waited > self._seconds + _SLOW_ANSWER_SECONDS:
                raise _Unanswered("no answer to a wait for a push")
            return None
        found = self._connection.read_response()
        self.is_armed = False
        is_early = waited < self._seconds * _EARLY
        self._seconds = BELL_SECONDS
        self._early = self._early + 1 if is_early and not found else 0
        if self._early > _EARLY_AT_MOST:
            raise NoBell("BLMOVE does not wait")
        return bool(found) or is_early

    def close(self) -> None:
        """Ends the connection; what it waits for is answered to nobody."""
        self.is_armed, self._early, self._seconds = False, 0, _UNPROVEN_SECONDS
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)


def _ready(bells: Sequence[_Bell], seconds: float) -> Sequence[_Bell]:
    """Those that may have an answer; all of them where none came in time."""
    poll = select.poll()
    by_file = {bell.file: bell for bell in bells}
    for file in by_file:
        poll.register(file, select.POLLIN)
    return [by_file[file] for file, _ in poll.poll(seconds * 1000)] or bells
