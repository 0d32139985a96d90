"""Logs of tuples that are put into the queue, and how far each is in."""

from collections.abc import Sequence
from typing import cast

from redis import Redis

from mixrelay.shared.queue.keys import Keys
from mixrelay.shared.queue.scripts import Scripts


class Loads:
    """The places up to which logs were loaded; what a name and a place are, the caller says."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._key = keys("loads")
        self._scripts = scripts

    def place(self, name: str) -> str:
        """How far a log is in; empty where nothing of it is."""
        noted = cast("bytes | None", self._redis.hget(self._key, name))
        return noted.decode() if noted else ""

    def load(self, name: str, tuples: Sequence[bytes], *, before: str, after: str) -> str:
        """Appends tuples and notes the new place, both or neither.

        Args:
            name: the log's.
            tuples: at most 1,000.
            before: the place that the tuples follow; where another is noted, nothing happens.
            after: the place behind them.

        Returns:
            The place noted now: `after`, also when a lost reply made the caller ask twice.
        """
        noted: bytes = self._scripts.run("load", name, before, after, *tuples)
        return noted.decode()

    def forget(self, name: str) -> None:
        """Lets a log be loaded anew from its start."""
        self._redis.hdel(self._key, name)
