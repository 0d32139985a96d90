"""Logs of tuples that are put into the queue, and how far each is in."""

from collections.abc import Sequence
from typing import cast

from redis import Redis

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts, sha, source


class Loads:
    """The places up to which logs were loaded into one partition.

    What a name and a place are, the caller says.
    """

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._key = keys("loads")
        self._scripts = scripts

    @reading("a place in a log")
    def place(self, name: str) -> str:
        """How far a log is in; empty where nothing of it is."""
        noted = cast("bytes | None", self._redis.hget(self._key, name))
        return noted.decode() if noted else ""

    def places(self, name: str) -> list[str]:
        """The same, as of a log that goes into this partition alone."""
        return [self.place(name)]

    def load(
        self,
        name: str,
        tuples: Sequence[bytes],
        *,
        before: str,
        after: str,
        most: int | None = None,
    ) -> str:
        """Appends tuples and notes the new place, both or neither.

        Args:
            name: the log's.
            tuples: at most 1,000.
            before: the place that the tuples follow; where another is noted, nothing happens.
            after: the place behind them.
            most: messages that may wait in the list and the lanes; where there would be more,
                the server answers with the error `QUEUEFULL`.

        Returns:
            The place noted now: `after`, also when a lost reply made the caller ask twice.
        """
        bound = "" if most is None else most
        noted: bytes = self._scripts.run("load", name, before, after, bound, *tuples)
        return noted.decode()

    def forget(self, name: str) -> None:
        """Lets a log be loaded anew from its start."""
        self._redis.hdel(self._key, name)
        self._redis.hdel(f"{self._key}:at", name)


class BoundedPush:
    """The command that pushes tuples where no more than so many messages wait then.

    For a producer, which sends it on a connection of its own: only so can it tell a push that
    never went out from one whose answer was lost.
    """

    def __init__(self, queue: str, most: int) -> None:
        """Loads nothing from the server.

        Args:
            queue: the list's name.
            most: messages in the list and the lanes. One more is answered by `QUEUEFULL`.

        Raises:
            ConfigurationError: the name cannot be a queue's.
        """
        keys = Keys.of(queue).declared
        self._head = (len(keys), *keys, "", "", "", most)

    def command(self, tuples: Sequence[bytes]) -> tuple[str | bytes | int, ...]:
        """The command for a server that knows the script."""
        return ("EVALSHA", sha("load"), *self._head, *tuples)

    def command_with_script(self, tuples: Sequence[bytes]) -> tuple[str | bytes | int, ...]:
        """The same for one that answered `NOSCRIPT`: nothing was pushed, and this teaches it."""
        return ("EVAL", source("load"), *self._head, *tuples)
