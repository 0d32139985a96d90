"""The key that signs the page's forms: random, and the same in every process that serves it."""

import secrets
from typing import cast

from redis import Redis

from mixrelay.shared.queue.base.keys import Keys

_BYTES = 32
_SHORTEST = 16


class PageKey:
    """Kept in Redis, so that forms outlive a restart, and one process knows another's."""

    def __init__(self, redis: Redis, queue: str) -> None:
        self._redis = redis
        self._name = Keys.of(queue)("page_key")

    def read(self) -> bytes:
        """The key; made where there is none.

        Raises:
            redis.RedisError: Redis is away, or its user may not write.
        """
        found = self._get()
        if len(found) < _SHORTEST:
            # One that is not of this length was put there by someone, who may know it.
            if found:
                self._redis.delete(self._name)
            self._redis.setnx(self._name, secrets.token_hex(_BYTES))
            found = self._get()
        return found

    def _get(self) -> bytes:
        return cast("bytes | None", self._redis.get(self._name)) or b""
