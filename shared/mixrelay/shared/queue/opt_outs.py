"""People and groups of whom nothing is sent any more: their ids as salted hashes, in Q's own slot.

opted_out        set   the hashes
opted_out:facts  hash  salt (random, made with the first), version (counts changes)
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.messages.subject import as_text

PERSON, GROUP = "person", "group"
NAMES = ("distinct_id", "$user_id", "$device_id", "$identified_id", "$anon_id", "alias")
"""Properties of an event that name a person (Mixpanel: Import Events; Create Identity)."""
_DIGEST_BYTES = 16
Subject = tuple[str, ...]
"""(PERSON, id), or (GROUP, key, id)."""


def subjects_of(record: object) -> Iterator[Subject]:
    """Whom a record is about, under each of the ids that it names."""
    if not isinstance(record, dict):
        return
    if "$group_key" in record:
        key, group_id = as_text(record.get("$group_key")), as_text(record.get("$group_id"))
        if key is not None and group_id is not None:
            yield GROUP, key, group_id
        return
    told = [record.get("$distinct_id")]
    inner = record.get("properties")
    if isinstance(inner, dict):
        told += [inner[name] for name in NAMES if name in inner]
        merged = inner.get("$distinct_ids")
        told += merged if isinstance(merged, list) else []
    for text in map(as_text, told):
        if text:
            yield PERSON, text


@dataclass(frozen=True, slots=True)
class OptedOut:
    """The list as one program knows it."""

    salt: bytes = b""
    digests: frozenset[bytes] = frozenset()
    version: int = 0

    def __bool__(self) -> bool:
        return bool(self.digests)

    def has(self, record: object) -> bool:
        """Whether a record is about one of them."""
        return any(_digest(self.salt, one) in self.digests for one in subjects_of(record))

    def has_one_of(self, records: Iterable[object]) -> bool:
        """Whether one of some records is."""
        return any(map(self.has, records))


NOBODY = OptedOut()


class OptOuts:
    """The list in Redis."""

    def __init__(self, redis: Redis, name: str) -> None:
        """Opens nothing.

        Args:
            redis: a client.
            name: the queue's.
        """
        self._redis = redis
        keys = Keys.of(name)
        self._set = keys("opted_out")
        self._salt_key, self._version = keys("opted_out:salt"), keys("opted_out:version")

    def add(self, subject: Subject) -> None:
        """Nothing of them is sent from now on; workers know within seconds."""
        self._redis.set(self._salt_key, secrets.token_hex(16), nx=True)
        self._redis.sadd(self._set, _digest(self._salt(), subject))
        self._redis.incrby(self._version, 1)

    def remove(self, subject: Subject) -> bool:
        """Sends what is about them again; False where they were not on the list."""
        removed = self._redis.srem(self._set, _digest(self._salt(), subject))
        self._redis.incrby(self._version, 1)
        return bool(removed)

    def has(self, subject: Subject) -> bool:
        members: Any = self._redis.smembers(self._set)
        return _digest(self._salt(), subject) in members

    def read(self, known: OptedOut = NOBODY) -> OptedOut:
        """The list; where nothing has changed the one that is known, for one cheap question."""
        version = int(cast("bytes | None", self._redis.get(self._version)) or 0)
        if version == known.version:
            return known
        members: Any = self._redis.smembers(self._set)
        return OptedOut(self._salt(), frozenset(members), version)

    def _salt(self) -> bytes:
        return cast("bytes | None", self._redis.get(self._salt_key)) or b""


def _digest(salt: bytes, subject: Subject) -> bytes:
    told = "\0".join(subject).encode(errors="surrogatepass")
    return hmac.new(salt, told, hashlib.sha256).digest()[:_DIGEST_BYTES]
