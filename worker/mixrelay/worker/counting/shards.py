"""Whose events Mixpanel counts: the users and groups of records that are sent, by day and project.

Mixpanel takes 200,000 events a day of one distinct_id, and 1,000,000 of one group; those beyond are
renamed and taken from the user. The day is the event's own (Mixpanel: Hot Shard Limits, "per event
date"). An event with an empty distinct_id is nobody's and counts nowhere: Mixpanel spreads those
(Mixpanel: Server-side events without a user). Of an event without one, Mixpanel makes it of
`$user_id`, else of `$device_id` (the same page).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from mixrelay.shared.mixpanel.endpoints import token_fingerprint
from mixrelay.shared.mixpanel.rules import IDENTITY_EVENTS
from mixrelay.shared.mixpanel.times import in_milliseconds, milliseconds
from mixrelay.shared.queue.stats.hot_shards import DISTINCT_ID, GROUP
from mixrelay.shared.tuples import Kind, Message
from mixrelay.worker.counting.notices import EVENTS
from mixrelay.worker.deliver.bulk_decode import Alike

DAY_MS = 86_400_000
EVERY_OTHER = 2
"""Of the hundreds of records that are read together one in so many is looked at."""
IN_A_HUNDRED = 4
"""Of its records, one in so many."""
SAMPLE = EVERY_OTHER * IN_A_HUNDRED
"""One event of so many is looked at, and counts for all of them: it takes an eighth of the time.
Of 100,000 events of an id so many are counted, give or take 840 (the standard deviation)."""
GROUP_KEYS_AT_MOST = 64
"""That are remembered: each costs a look at every event."""
_TOKENS_AT_MOST = 1_024
_DAYS_AT_MOST = 1_024
_TEXT = {str}

GroupKeys = frozenset[tuple[str, str]]
"""(fingerprint of the token, property)."""


class Family(NamedTuple):
    """Shards of one day, kind and project."""

    day: int
    """Since the epoch, in UTC."""
    kind: str
    fingerprint: str
    group_key: str
    """Empty for users."""


class Seen(NamedTuple):
    """Ids of one family, one for each event that was looked at."""

    family: Family
    ids: Sequence[str]


class ShardReader:
    """Reads the shards of records. Any thread may ask."""

    def __init__(self, *, base: str, token: str | None) -> None:
        """Knows no group key yet.

        Args:
            base: Mixpanel's base address.
            token: MIXPANEL_TOKEN, of the records that have none.
        """
        self._token = token or ""
        self._fingerprint = lru_cache(_TOKENS_AT_MOST)(lambda of: token_fingerprint(base, of))
        self._groups: dict[str, tuple[str, ...]] = {}
        self._turn = 0
        self.learned: GroupKeys = frozenset()
        """Group keys of updates that were seen here."""

    def know(self, group_keys: GroupKeys) -> None:
        """Takes over which groups there are."""
        groups: dict[str, tuple[str, ...]] = {}
        for fingerprint, name in sorted(group_keys):
            groups[fingerprint] = (*groups.get(fingerprint, ()), name)
        self._groups = groups

    def together(self, read: Alike) -> tuple[Seen, ...]:
        """The shards of records that were checked as one (`plain`): one token, usual times."""
        kind = read.frame.kind
        if kind is Kind.GROUP_UPDATE:
            self._learn(read.records[0]["$token"], (one["$group_key"] for one in read.records))
        if kind is not Kind.EVENT and kind is not Kind.IMPORT:
            return ()
        self._turn += 1
        if self._turn % EVERY_OTHER:
            return ()
        # Spread, not secrecy; and not the same place each time, for what comes in turns.
        first = int(random.random() * IN_A_HUNDRED)  # noqa: S311
        properties = [one["properties"] for one in read.records[first::IN_A_HUNDRED]]
        times = properties and in_milliseconds([one["time"] for one in properties])
        if not times:
            return ()
        fingerprint = self._fingerprint(properties[0]["token"])
        if (day := _day(min(times))) == _day(max(times)):
            return self._of_day(day, fingerprint, properties)
        return tuple(
            seen
            for day, some in _by_day(times, properties).items()
            for seen in self._of_day(day, fingerprint, some)
        )

    def alone(self, message: Message, received_ms: int) -> tuple[Seen, ...]:
        """The shards of one record that was judged by itself."""
        record = message.data
        if message.kind is Kind.GROUP_UPDATE:
            self._learn(record["$token"], [record["$group_key"]])
        if message.kind not in EVENTS or record["event"] in IDENTITY_EVENTS:
            return ()
        if random.random() * SAMPLE >= 1:  # noqa: S311 - spread, not secrecy
            return ()
        properties = record["properties"]
        time = milliseconds(_first(properties, "time", "$time"))
        day = int((received_ms if time is None else time) // DAY_MS)
        fingerprint = self._fingerprint(properties.get("token") or self._token)
        return self._of_day(day, fingerprint, [properties])

    def _of_day(
        self, day: int, fingerprint: str, properties: Sequence[dict[str, Any]]
    ) -> tuple[Seen, ...]:
        users: list[Any] = [one.get("distinct_id") for one in properties]
        # Of most records one look at all types is enough.
        if set(map(type, users)) != _TEXT:
            users = [user for one in properties if (user := _user(one))]
        seen = Seen(_users(day, fingerprint), users)
        groups = self._groups.get(fingerprint)
        if not groups:
            return (seen,)
        return (seen, *_of_groups(day, fingerprint, groups, properties))

    def _learn(self, token: str, group_keys: Iterable[Any]) -> None:
        fingerprint = self._fingerprint(token)
        found = {(fingerprint, str(key)) for key in set(map(str, group_keys))} - self.learned
        if found and len(self.learned) < GROUP_KEYS_AT_MOST:
            self.learned |= found
            self.know(
                self.learned | {(who, key) for who in self._groups for key in self._groups[who]}
            )


def _of_groups(
    day: int, fingerprint: str, groups: Iterable[str], properties: Sequence[dict[str, Any]]
) -> Iterator[Seen]:
    for key in groups:
        ids = [one[key] for one in properties if key in one]
        if ids and set(map(type, ids)) != _TEXT:
            ids = _flat(ids)
        if ids:
            yield Seen(Family(day, GROUP, fingerprint, key), ids)


@lru_cache(_DAYS_AT_MOST)
def _users(day: int, fingerprint: str) -> Family:
    return Family(day, DISTINCT_ID, fingerprint, "")


def _day(milliseconds: float) -> int:
    return int(milliseconds // DAY_MS)


def _by_day(
    times: Sequence[float], properties: Sequence[dict[str, Any]]
) -> dict[int, list[dict[str, Any]]]:
    days: dict[int, list[dict[str, Any]]] = {}
    for time, one in zip(times, properties, strict=True):
        days.setdefault(_day(time), []).append(one)
    return days


def _user(properties: dict[str, Any]) -> str:
    user = _first(properties, "distinct_id", "$distinct_id", "$user_id")
    if user is None:
        device = properties.get("$device_id")
        return f"$device:{device}" if isinstance(device, str) and device else ""
    return str(user) if isinstance(user, str | int | float) else ""


def _first(properties: dict[str, Any], *names: str) -> Any:
    """The first of some properties that is there and not null."""
    return next((one for name in names if (one := properties.get(name)) is not None), None)


def _flat(ids: Iterable[Any]) -> list[str]:
    """A user may be in several groups of one kind: then it is a list."""
    flat: list[str] = []
    for one in ids:
        values = one if isinstance(one, list) else [one]
        flat += [str(value) for value in values if isinstance(value, str | int | float)]
    return flat
