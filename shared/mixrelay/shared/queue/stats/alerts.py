"""Which alerts fire, and who tells of them: any number of watchers, and each alert is told once.

Who is to tell of an alert claims it for a while, and then says that it did; what is not said
within that time is for anyone to tell. So a watcher that dies in between has it told again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from redis import Redis

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts

CLAIM_SECONDS = 30.0
"""Longer than telling may take."""


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that this watcher is to tell of now."""

    since: datetime
    """By Redis's clock."""
    text: str
    """What was given to `begin` when it began."""


class Alerts:
    """The alerts of one queue."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._key = keys("alerts")
        self._scripts = scripts

    def names(self) -> list[str]:
        """Those that fire, or whose end is still to be told."""
        return sorted(name.decode() for name in cast("list[bytes]", self._redis.hkeys(self._key)))

    def begin(self, name: str, watcher: str, text: str) -> Firing | None:
        """Notes that it fires; answers where this watcher is to tell so."""
        return self._claimed("begin", name, watcher, text)

    def end(self, name: str, watcher: str) -> Firing | None:
        """Notes that it fires no more; answers where this watcher is to tell so.

        Of what nobody was told of there is no end to tell.
        """
        return self._claimed("end", name, watcher)

    def told(self, name: str, watcher: str) -> None:
        """What the watcher was to tell, it has."""
        self._run("told", name, watcher)

    def _claimed(self, what: str, name: str, watcher: str, text: str = "") -> Firing | None:
        claimed, since, told = self._run(what, name, watcher, text)
        with reading("an alert"):
            moment = datetime.fromtimestamp(int(since) / 1000, UTC)
            return Firing(moment, told.decode()) if claimed else None

    def _run(self, what: str, name: str, watcher: str, text: str = "") -> Sequence[Any]:
        lasts = round(CLAIM_SECONDS * 1000)
        return cast("Sequence[Any]", self._scripts.run("alert", what, name, watcher, lasts, text))
