"""An event as Mixpanel stores it, which is not always as it was sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from mixrelay.sandbox import hotshards
from mixrelay.sandbox.cutting import EVENT_PROPERTY_BYTES, HIDDEN, MAX_TEXT, fits, fitted
from mixrelay.sandbox.notes import Note
from mixrelay.sandbox.options import Options
from mixrelay.sandbox.validation import (
    FIRST_MILLISECONDS,
    distinct_id_of,
    is_anonymous,
    time_of,
)

Notes = tuple[Note, ...]
UserOf = Callable[[dict[str, Any]], str]
MAX_GROUP_KEYS = 100
"""Far over the three that a project may have; a bound for the memory."""
_NONE: Notes = ()
_HASH_DIGITS = 16
_DAY = 86_400


class Way(Protocol):
    """How an event came: `at` in seconds since the epoch, from a network `address`."""

    @property
    def at(self) -> float: ...

    @property
    def address(self) -> str: ...


# As it is stored, its distinct_id before any merge of ids, and what was changed. A plain tuple,
# since one is made for every event.
Stored = tuple[dict[str, Any], str, Notes]


class Storage:
    """Turns events into what is stored of them, and counts for the hot shards."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._users = hotshards.DailyCounts(options.keep)
        self._groups = hotshards.DailyCounts(options.keep)
        self._group_keys = dict.fromkeys(options.group_keys)

    def know_group_key(self, name: str) -> None:
        """Count events by this property too: a group of that key has a profile."""
        if name not in self._group_keys and len(self._group_keys) < MAX_GROUP_KEYS:
            self._group_keys[name] = None

    def stored(
        self, event: dict[str, Any], project: str, user: UserOf, way: Way, *, is_plain: bool
    ) -> Stored:
        """Return an event as it is stored, and count it for the hot shards.

        Args:
            event: one that is no identity event; it stays as it is.
            project: the token of its project.
            user: what tells the distinct_id that Mixpanel sets for an event.
            way: how it came.
            is_plain: whether it is known that nothing is to be cut or hidden.

        Returns:
            The event, the one that was sent if nothing changed; the distinct_id it is kept
            under, the empty text for nobody's; and the changes.
        """
        properties = event["properties"]
        whose, time = user(properties), time_of(properties)
        notes = _NONE
        if (
            (time is not None and _is_ahead(time, way.at))
            or (not whose and is_anonymous(properties))
            or not (is_plain or _is_kept_whole(event, properties))
        ):
            event, notes = _changed(event, way)
            properties = event["properties"]
            whose, time = user(properties), time_of(properties)
        day = _day(way.at if time is None else time)
        # Events of nobody are spread over all shards.
        if whose:
            count = self._users.add((project, whose, day))
            if count > self._options.hot_shard_limit:
                event, note = _renamed(event, whose, "distinct_id", count)
                return event, "", (*notes, note)
        if self._group_keys and (hot := self._hot_group(event, project, day)):
            event, note = hot
            notes = (*notes, note)
        return event, whose, notes

    def _hot_group(
        self, event: dict[str, Any], project: str, day: int
    ) -> tuple[dict[str, Any], Note] | None:
        for key in self._group_keys:
            for group in _groups(event["properties"].get(key)):
                count = self._groups.add((project, key, group, day))
                if count > self._options.hot_group_limit:
                    return _renamed(event, group, key, count)
        return None


def _is_kept_whole(event: dict[str, Any], properties: dict[str, Any]) -> bool:
    if len(event["event"]) > MAX_TEXT or not HIDDEN.isdisjoint(properties):
        return False
    return fits(properties)


def _changed(event: dict[str, Any], way: Way) -> tuple[dict[str, Any], Notes]:
    name, properties, notes = event["event"], event["properties"], list[Note]()
    if not fits(properties):
        properties, notes = fitted(properties, EVENT_PROPERTY_BYTES, "properties.")
    if len(name) > MAX_TEXT:
        name = name[:MAX_TEXT]
        notes.append(Note("cut_name", "event", f"name cut to {MAX_TEXT} characters"))
    for hidden in HIDDEN.intersection(properties):
        properties = {key: value for key, value in properties.items() if key != hidden}
        notes.append(Note("hidden_property", f"properties.{hidden}", "hidden"))
    time = time_of(properties)
    if time is not None and _is_ahead(time, way.at):
        properties, note = _overwritten(properties, time, way.at)
        notes.append(note)
    if is_anonymous(properties):
        properties = {**properties, "distinct_id": synthetic_user(way.address)}
        text = f"nobody was named: a user made of the request's address {way.address}"
        notes.append(Note("synthetic_user", "properties.distinct_id", text))
    if not notes:  # a list or an object that fits
        return event, _NONE
    return {**event, "event": name, "properties": properties}, tuple(notes)


def user_of(properties: dict[str, Any]) -> str:
    """Return the distinct_id under which an event is kept, before any merge of ids.

    Mixpanel: Migrating to Simplified ID Merge, "Mixpanel automatically updates or overrides it
    whenever $user_id or $device_id is present".
    """
    if (user := properties.get("$user_id")) and isinstance(user, str):
        return user
    if (device := properties.get("$device_id")) and isinstance(device, str):
        return f"$device:{device}"
    distinct_id = distinct_id_of(properties)
    return "" if distinct_id is None else str(distinct_id)


def synthetic_user(address: str) -> str:
    """Return the user that Mixpanel makes of a request's address.

    Mixpanel: Server-side events with no logged-in user, "will use the ip address of the incoming
    request and compute a distinct_id using a hash function"; which function is not documented.
    """
    return hashlib.sha256(address.encode()).hexdigest()[:_HASH_DIGITS]


def _is_ahead(time: float, now: float) -> bool:
    # Compared in its own unit: a whole number may be too large to become a float.
    return time > now * 1000 if time >= FIRST_MILLISECONDS else time > now


def _day(time: float) -> int:
    return int(time // (_DAY * 1000) if time >= FIRST_MILLISECONDS else time // _DAY)


def _overwritten(
    properties: dict[str, Any], time: float, now: float
) -> tuple[dict[str, Any], Note]:
    name = "time" if "time" in properties else "$time"
    present = int(now * 1000) if time >= FIRST_MILLISECONDS else int(now)
    text = "was ahead: overwritten with the time of arrival"
    return {**properties, name: present}, Note("time_overwritten", f"properties.{name}", text)


def _groups(value: Any) -> Iterable[str]:
    # Mixpanel: Group Analytics, a group on an event is a value or a list of them.
    return map(str, value if isinstance(value, list) else [value]) if value else ()


def _renamed(
    event: dict[str, Any], identifier: str, field: str, count: int
) -> tuple[dict[str, Any], Note]:
    text = f"event {count:,} of {identifier!r} on its date: renamed, the user taken away"
    note = Note("hot_shard", f"properties.{field}", text)
    return hotshards.renamed(event, identifier, field), note
