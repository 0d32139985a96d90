"""Which identifiers are one person: Mixpanel's two systems of merging them.

Mixpanel: Identifying Users (Simplified), Identifying Users (Original), Migrating to Simplified ID
Merge, and the Identity API. A merge takes effect at once here; Mixpanel takes up to 24 hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Protocol

from mixrelay.sandbox.notes import Note
from mixrelay.sandbox.options import IdMerge
from mixrelay.sandbox.storing import user_of
from mixrelay.sandbox.validation import IDENTITY_EVENTS, distinct_id_of

MAX_CLUSTER = 500
_PREFIX = "$device:"
# "$anon_id in UUIDv4 format"; the mobile libraries put the prefix before it.
_UUID_V4 = re.compile(
    r"(\$device:)?[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}",
    re.IGNORECASE,
)


class System(Protocol):
    """How one project merges identifiers."""

    def learn(self, event: dict[str, Any]) -> Note | None:
        """Take what an event says about identifiers; a note says why it had no effect."""
        ...

    def user_of(self, properties: dict[str, Any]) -> str:
        """Return the distinct_id that Mixpanel sets for an event; the empty text for nobody's."""
        ...

    def person(self, identifier: str) -> str:
        """Return the canonical distinct_id of whoever has this identifier."""
        ...

    def ids(self, person: str) -> Iterable[str]:
        """Return all merged identifiers of a canonical distinct_id, itself among them."""
        ...


def system_of(id_merge: IdMerge, keep: int | None) -> System:
    """Return a new project's system; of more than `keep` identifiers the oldest are forgotten."""
    return Simplified(keep) if id_merge == "simplified" else Original(keep)


class Simplified:
    """`$device_id` and `$user_id` in one event merge; identity events do nothing."""

    def __init__(self, keep: int | None) -> None:
        self._keep = keep
        self._user_of: dict[str, str] = {}
        # Devices as the keys of a dict, in the order in which they came.
        self._devices: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._user_of)

    def learn(self, event: dict[str, Any]) -> Note | None:
        if event["event"] in IDENTITY_EVENTS:
            text = "ignored: the project uses Simplified ID Merge"
            return Note("not_merged", "event", text)
        properties = event["properties"]
        if "$device_id" not in properties:
            return None
        device, user = properties.get("$device_id"), properties.get("$user_id")
        if not (device and user and isinstance(device, str) and isinstance(user, str)):
            return None
        linked = self._user_of.get(_PREFIX + device)
        if linked is None:
            self._link(_PREFIX + device, user)
        if linked in {None, user}:
            return None
        # "The $device_id will be ignored and the $user_id ... used as the distinct_id."
        text = f"errAnonDistinctIdAssignedAlready: the device belongs to {linked!r}"
        return Note("not_merged", "properties.$device_id", text)

    def _link(self, device: str, user: str) -> None:
        self._user_of[device] = user
        self._devices.setdefault(user, {})[device] = None
        if self._keep is not None and len(self._user_of) > self._keep:
            oldest = next(iter(self._user_of))
            its_user = self._user_of.pop(oldest)
            del self._devices[its_user][oldest]
            if not self._devices[its_user]:
                del self._devices[its_user]

    def user_of(self, properties: dict[str, Any]) -> str:
        return user_of(properties)

    def person(self, identifier: str) -> str:
        return self._user_of.get(identifier, identifier)

    def ids(self, person: str) -> Iterable[str]:
        return [person, *self._devices.get(person, ())]


class Original:
    """`$identify`, `$create_alias` and `$merge` make clusters of at most 500 identifiers.

    Which identifier of a cluster is canonical is "randomly selected by Mixpanel": do not rely on
    the choice made here, which is that of the event's own order.
    """

    def __init__(self, keep: int | None) -> None:
        self._keep = keep
        self._clusters: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._clusters)

    def learn(self, event: dict[str, Any]) -> Note | None:
        properties = event["properties"]
        match event["event"]:
            case "$identify":
                return self._identify(properties.get("$identified_id"), properties.get("$anon_id"))
            case "$create_alias":
                return self._alias(properties.get("distinct_id"), properties.get("alias"))
            case "$merge":
                first, second = properties["$distinct_ids"]
                return self._merge(first, second, "properties.$distinct_ids")
        return None

    def _identify(self, identified: Any, anonymous: Any) -> Note | None:
        field = "properties.$anon_id"
        if not isinstance(identified, str) or not isinstance(anonymous, str):
            return Note("not_merged", field, "the ids are not texts")
        if not _UUID_V4.fullmatch(anonymous):
            return Note("not_merged", field, "$anon_id is not a UUID v4")
        cluster = self._clusters.get(anonymous)
        if cluster and identified not in cluster:
            return Note("not_merged", field, "$anon_id was merged before")
        return self._merge(identified, anonymous, field)

    def _alias(self, distinct_id: Any, alias: Any) -> Note | None:
        field = "properties.alias"
        if not isinstance(distinct_id, str) or not isinstance(alias, str):
            return Note("not_merged", field, "the ids are not texts")
        # "An alias is a new value that will be interpreted by Mixpanel as an existing value."
        if alias in self._clusters and alias not in self._clusters.get(distinct_id, ()):
            return Note("not_merged", field, "the alias belongs to somebody else")
        return self._merge(distinct_id, alias, field)

    def _merge(self, first: str, second: str, field: str) -> Note | None:
        one, other = self._clusters.get(first, [first]), self._clusters.get(second, [second])
        if one is other or first == second:
            return None
        if len(one) + len(other) > MAX_CLUSTER:
            text = f"the cluster would have over {MAX_CLUSTER} ids"
            return Note("not_merged", field, text)
        together = [*one, *other]
        for identifier in together:
            self._clusters[identifier] = together
        while self._keep is not None and len(self._clusters) > max(self._keep, len(together)):
            for identifier in next(iter(self._clusters.values())):
                del self._clusters[identifier]
        return None

    def user_of(self, properties: dict[str, Any]) -> str:
        distinct_id = distinct_id_of(properties)
        return user_of(properties) if distinct_id is None else str(distinct_id)

    def person(self, identifier: str) -> str:
        cluster = self._clusters.get(identifier)
        return cluster[0] if cluster else identifier

    def ids(self, person: str) -> Iterable[str]:
        return self._clusters.get(person, [person])
