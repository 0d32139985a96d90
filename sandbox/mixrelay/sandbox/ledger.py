"""What arrived: every record kept, folded or dropped, and every request.

The server's thread writes and any thread reads; one lock keeps a request's records together.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, NamedTuple

from mixrelay.sandbox.endpoints import Drop, Outcome
from mixrelay.sandbox.log import Log
from mixrelay.sandbox.profiles import Profiles

_FoldKey = tuple[str, Any, str, str]


class Arrival(NamedTuple):
    """A record that was kept; `number` counts events and updates each from 1."""

    number: int
    request: int
    endpoint: str
    at: float
    credentials: str | None
    record: dict[str, Any]


class Duplicate(NamedTuple):
    """An event with the four-part key of event `of`; `same` if it equals that one altogether."""

    of: int
    request: int
    endpoint: str
    at: float
    same: bool
    record: dict[str, Any]


class Dropped(NamedTuple):
    """A record that was not kept; `silent` if the client was not told."""

    request: int
    endpoint: str
    at: float
    field: str
    reason: str
    silent: bool
    record: Any


class Request(NamedTuple):
    """A request and what became of it.

    `status` is None where no answer is sent; `fault` is the kind of the fault that decided it;
    `bytes` counts the body as it came over the wire; `at` is in seconds since the epoch.
    """

    number: int
    at: float
    endpoint: str
    method: str
    region: str
    status: int | None
    fault: str | None
    records: int
    accepted: int
    dropped: int
    bytes: int
    gzip: bool
    user_agent: str
    credentials: str | None
    strict: bool
    verbose: bool
    ip: str | None


class Ledger:
    """The books of one sandbox."""

    def __init__(self, keep: int | None) -> None:
        self.lock = threading.RLock()
        self._keep = keep
        self.clear()

    def clear(self) -> None:
        """Forgets everything that arrived."""
        with self.lock:
            self.events: Log[Arrival] = Log(self._keep)
            self.updates: Log[Arrival] = Log(self._keep)
            self.duplicates: Log[Duplicate] = Log(self._keep)
            self.dropped: Log[Dropped] = Log(self._keep)
            self.requests: Log[Request] = Log(self._keep)
            self.profiles = Profiles()
            self.groups = Profiles()
            self.reasons: Counter[str] = Counter()
            self.silent = 0
            self._by_key: dict[_FoldKey, Arrival] = {}

    def enter(self, request: Request, outcome: Outcome | None) -> None:
        """Writes down a request, with what it brought unless a fault kept its records out."""
        with self.lock:
            self.requests.append(request)
            if outcome is None:
                return
            for record in outcome.accepted:
                self._keep_record(request, record)
            for drop in outcome.dropped:
                self._keep_drop(request, drop)

    def _keep_record(self, request: Request, record: dict[str, Any]) -> None:
        if request.endpoint == "/engage":
            self.updates.append(self._arrival(self.updates, request, record))
            self.profiles.apply(record, "$distinct_id")
        elif request.endpoint == "/groups":
            self.updates.append(self._arrival(self.updates, request, record))
            self.groups.apply(record, "$group_key", "$group_id")
        else:
            self._keep_event(request, record)

    def _keep_event(self, request: Request, event: dict[str, Any]) -> None:
        key = fold_key(event)
        first = self._by_key.get(key) if key else None
        if first:
            same = first.record == event
            self.duplicates.append(
                Duplicate(first.number, request.number, request.endpoint, request.at, same, event)
            )
            return
        arrival = self._arrival(self.events, request, event)
        if key:
            self._by_key[key] = arrival
        forgotten = self.events.append(arrival)
        if forgotten and (old := fold_key(forgotten.record)):
            self._by_key.pop(old, None)

    def _arrival(self, log: Log[Arrival], request: Request, record: dict[str, Any]) -> Arrival:
        number, credentials = log.total + 1, request.credentials
        return Arrival(number, request.number, request.endpoint, request.at, credentials, record)

    def _keep_drop(self, request: Request, drop: Drop) -> None:
        field, rule = drop.violation
        self.reasons[f"{request.endpoint}: {rule}"] += 1
        self.silent += drop.silent
        self.dropped.append(
            Dropped(
                request.number, request.endpoint, request.at, field, rule, drop.silent, drop.record
            )
        )

    def summary(self) -> dict[str, Any]:
        """All counts at one instant."""
        with self.lock:
            return {
                "requests": self.requests.total,
                "events": self.events.total,
                "updates": self.updates.total,
                "profiles": len(self.profiles),
                "groups": len(self.groups),
                "duplicates": self.duplicates.total,
                "dropped": self.dropped.total,
                "dropped_silently": self.silent,
                "dropped_by_reason": dict(self.reasons),
            }


def fold_key(event: dict[str, Any]) -> _FoldKey | None:
    """Mixpanel's four-part key (Event Deduplication); None for an event that is never folded.

    Never folded are events without `$insert_id` ("will not qualify for the deduplication
    process") and without a time, which Mixpanel stamps at each arrival.
    """
    properties = event["properties"]
    time, insert_id = properties.get("time"), properties.get("$insert_id")
    if time is None or not isinstance(insert_id, str):
        return None
    return event["event"], time, _user(properties), insert_id


def _user(properties: dict[str, Any]) -> str:
    for name in ("distinct_id", "$user_id", "$device_id"):
        if properties.get(name) is not None:
            return str(properties[name])
    return ""
