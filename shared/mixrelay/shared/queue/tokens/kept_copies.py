"""Copies of what was accepted under a token without evidence for it, in one partition."""

from typing import NamedTuple

from redis import Redis

from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts

_AT_ONCE = 100
"""Batches that one script drops or puts back."""


class Kept(NamedTuple):
    """How much is kept."""

    bytes: int
    """Of one token's copies."""
    dropped: int
    """Batches of any token that were over the limit, so far."""


class PutBack(NamedTuple):
    """Copies that became batches again."""

    batches: int
    messages: int


class KeptCopies:
    """All methods may be repeated after a lost reply: what is gone is not found again."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts

    def amount(self, token: str) -> Kept:
        """What is kept for a token, by its fingerprint."""
        found = self._redis.hmget(self._keys("kept:bytes"), [token, "dropped"])
        mine, dropped = (int(one or 0) for one in found)  # type: ignore[union-attr, unused-ignore]
        return Kept(mine, dropped)

    def drop(self, token: str, began_ms: int) -> None:
        """Drops copies of what was sent before evidence for the token began."""
        while self._scripts.run("drop_kept", token, began_ms, _AT_ONCE) == _AT_ONCE:
            pass

    def put_back(self, token: str, error: str, status: int) -> PutBack:
        """Makes batches again of all copies kept for a token."""
        batches = messages = 0
        some = _AT_ONCE
        while some == _AT_ONCE:
            some, more = map(int, self._scripts.run("put_back", token, error, status, _AT_ONCE))
            batches, messages = batches + some, messages + more
        return PutBack(batches, messages)
