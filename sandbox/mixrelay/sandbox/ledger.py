"""What arrived: every record kept, folded or dropped, and every request.

The server's thread writes and any thread reads; one lock keeps a request's records together.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from mixrelay.sandbox.endpoints import Drop, Outcome
from mixrelay.sandbox.identity import System, system_of
from mixrelay.sandbox.log import Log
from mixrelay.sandbox.notes import Note
from mixrelay.sandbox.options import Options
from mixrelay.sandbox.profiles import Profiles
from mixrelay.sandbox.storing import Storage, user_of
from mixrelay.sandbox.validation import IDENTITY_EVENTS, time_of

_FoldKey = tuple[str, Any, str, str]
_UPDATES = frozenset({"/engage", "/groups"})


class Arrival(NamedTuple):
    """A record that was kept; `number` counts events and updates each from 1.

    Attributes:
        record: as it is stored. Of an event that came several times the latest.
        project: the token of its project; the empty text if none was shown.
        user: the distinct_id it was kept under, before any merge of ids.
        notes: what was changed without being asked for.
        sent: the record as it was sent, where it is stored otherwise.
    """

    number: int
    request: int
    endpoint: str
    at: float
    credentials: str | None
    record: dict[str, Any]
    project: str = ""
    user: str = ""
    notes: tuple[Note, ...] = ()
    sent: dict[str, Any] | None = None


class Duplicate(NamedTuple):
    """An event with the four-part key of event `of`, in whose place it is shown from now on.

    `same` if it equals that one altogether; `replaced` is what was shown until then.
    """

    of: int
    request: int
    endpoint: str
    at: float
    same: bool
    record: dict[str, Any]
    replaced: dict[str, Any]


class User(NamedTuple):
    """One person with everything that is attributed to them.

    Attributes:
        token: of the project.
        id: the canonical distinct_id.
        ids: all identifiers merged into it, itself among them.
        events: what is attributed to any of them, in the order of arrival.
    """

    token: str
    id: str
    ids: tuple[str, ...]
    events: list[dict[str, Any]]


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
    `bytes` counts the body as it came over the wire; `at` is in seconds since the epoch; `query`
    holds its parameters, those of a form too, without the records and without secrets.
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
    address: str
    query: dict[str, str]


class Ledger:
    """All that one sandbox keeps."""

    def __init__(self, options: Options) -> None:
        self.lock = threading.RLock()
        self._options = options
        self._keep = options.keep
        self.clear()

    def clear(self) -> None:
        """Forgets everything that arrived."""
        with self.lock:
            self.events: Log[Arrival] = Log(self._keep)
            self.updates: Log[Arrival] = Log(self._keep)
            self.duplicates: Log[Duplicate] = Log(self._keep)
            self.dropped: Log[Dropped] = Log(self._keep)
            self.requests: Log[Request] = Log(self._keep)
            self.profiles = Profiles(self._keep)
            self.groups = Profiles(self._keep)
            self.reasons: Counter[str] = Counter()
            self.noted: Counter[str] = Counter()
            self.silent = 0
            self._by_key: dict[_FoldKey, Arrival] = {}
            self._storage = Storage(self._options)
            self._systems: dict[str, System] = {}

    def enter(self, request: Request, outcome: Outcome | None) -> None:
        """Writes down a request, with what it brought unless a fault kept its records out."""
        with self.lock:
            self.requests.append(request)
            if outcome is None:
                return
            if request.endpoint in _UPDATES:
                for record in outcome.accepted:
                    self._keep_update(request, record)
            else:
                self._keep_events(request, outcome)
            for drop in outcome.dropped:
                self._keep_drop(request, drop)

    def _keep_update(self, request: Request, record: dict[str, Any]) -> None:
        token = record["$token"]
        if request.endpoint == "/engage":
            person = self._system(token).person(str(record["$distinct_id"]))
            notes = self.profiles.apply(record, person)
        else:
            self._storage.know_group_key(str(record["$group_key"]))
            identifiers = str(record["$group_key"]), str(record["$group_id"])
            notes = self.groups.apply(record, *identifiers)
        self.noted.update(note.kind for note in notes)
        how = request.number, request.endpoint, request.at, request.credentials
        arrival = Arrival(self.updates.total + 1, *how, record, token, "", tuple(notes))
        self.updates.append(arrival)

    def _keep_events(self, request: Request, outcome: Outcome) -> None:
        # Thousands of events in a row: what is the same for all of them is looked up once.
        how = request.number, request.endpoint, request.at, request.credentials
        project = outcome.project or ""
        system = self._system(project)
        notes: tuple[Note, ...]
        for sent in outcome.accepted:
            name, properties = sent["event"], sent["properties"]
            shown = outcome.project or properties.get("token") or ""
            if shown != project:
                project = shown if isinstance(shown, str) else ""
                system = self._system(project)
            if name in IDENTITY_EVENTS:
                event, user, notes = sent, "", ()
            else:
                event, user, notes = self._storage.stored(
                    sent, project, system.user_of, request, is_plain=outcome.is_plain
                )
            if unmerged := system.learn(event):
                notes = (*notes, unmerged)
            if notes:
                self.noted.update(note.kind for note in notes)
            key = _fold_key(event, user)
            first = self._by_key.get(key) if key else None
            number = first.number if first else self.events.total + 1
            changed = None if event is sent else sent
            arrival = Arrival(number, *how, event, project, user, notes, changed)
            if key:
                self._by_key[key] = arrival
            if first:
                self._replace(request, first, arrival)
                continue
            forgotten = self.events.append(arrival)
            if forgotten and (old := _fold_key(forgotten.record, forgotten.user)):
                self._by_key.pop(old, None)

    def _replace(self, request: Request, first: Arrival, arrival: Arrival) -> None:
        # Event Deduplication: "only the latest ingested one will be considered in queries".
        self.events.replace(first.number, arrival)
        event, earlier = arrival.record, first.record
        self.duplicates.append(
            Duplicate(
                first.number,
                request.number,
                request.endpoint,
                request.at,
                earlier == event,
                event,
                earlier,
            )
        )

    def _system(self, project: str) -> System:
        system = self._systems.get(project)
        if system is None:
            system = system_of(self._options.id_merge, self._keep)
            if self._keep is not None and len(self._systems) >= self._keep:
                del self._systems[next(iter(self._systems))]
            self._systems[project] = system
        return system

    def users(self) -> Iterator[User]:
        """Yield each person with the events attributed to them; nobody's events are left out."""
        with self.lock:
            people: dict[tuple[str, str], list[dict[str, Any]]] = {}
            for arrival in self.events:
                if arrival.user:
                    person = self._system(arrival.project).person(arrival.user)
                    people.setdefault((arrival.project, person), []).append(arrival.record)
            ids = {key: tuple(self._system(key[0]).ids(key[1])) for key in people}
        for (token, person), events in people.items():
            yield User(token, person, ids[token, person], events)

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
                "notes": dict(self.noted),
            }


def fold_key(event: dict[str, Any]) -> _FoldKey | None:
    """Mixpanel's four-part key (Event Deduplication); None for an event that is never folded.

    Never folded are events without `$insert_id` ("will not qualify for the deduplication
    process") and without a time, which Mixpanel stamps at each arrival.
    """
    return _fold_key(event, user_of(event["properties"]))


def _fold_key(event: dict[str, Any], user: str) -> _FoldKey | None:
    properties = event["properties"]
    time, insert_id = time_of(properties), properties.get("$insert_id")
    if time is None or not isinstance(insert_id, str):
        return None
    return event["event"], time, user, insert_id
