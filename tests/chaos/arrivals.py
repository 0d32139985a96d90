"""What arrived in a run of half an hour, kept in some bytes a message."""

import threading
import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from mixrelay.sandbox import Sandbox
from mixrelay.sandbox.ledger import Arrival, fold_key
from mixrelay.sandbox.log import Log
from tests.chaos.ledger import number_of

KEPT = 50_000
"""Entries of each of the sandbox's logs: minutes of traffic, of which every look takes the new."""
LOOK_EVERY = 0.2
AT_ONCE = 5_000
_NOT_YET = 0


@dataclass(slots=True)
class _Reading:
    log: Log[Arrival]
    seen: int = 0

    def fresh(self) -> list[Arrival]:
        assert self.log.total - self.seen <= KEPT, "the sandbox forgot what was not looked at"
        page = self.log.page(self.seen, AT_ONCE)
        self.seen += len(page)
        return page


@dataclass(slots=True)
class Arrivals:
    """Follows a sandbox in a thread. Figures are whole once `stop` has returned."""

    mixpanel: Sandbox
    sent_at: "array[float]"
    """By a message's number: when it was tracked."""
    doubled: int = 0
    """Events that Mixpanel would count twice."""
    resent: int = 0
    """Updates that arrived more than once."""
    inversions: int = 0
    """Updates that first arrived after a later one of their profile, not counting replayed."""
    latencies: "array[float]" = field(default_factory=lambda: array("f"))
    replayed: set[int] = field(default_factory=set)
    _keys: "array[int]" = field(default_factory=lambda: array("q"))
    _newest: dict[str, int] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _readings: tuple[_Reading, _Reading] | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="audit")
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        assert self._thread
        self._thread.join(60)

    def stale(self) -> list[str]:
        """Profiles that were left with another update than their newest, nor a replayed one."""
        return [
            profile
            for profile, number in self._last.items()
            if number != self._newest[profile] and number not in self.replayed
        ]

    def missing(self, count: int) -> set[int]:
        """Which of the first messages never arrived."""
        seen = len(self._keys)
        return {n for n in range(count) if n >= seen or self._keys[n] == _NOT_YET}

    def _run(self) -> None:
        while True:
            is_over = self._over.is_set()
            if not self.look():
                if is_over:
                    return
                time.sleep(LOOK_EVERY)

    def look(self) -> bool:
        """Takes what has come since the last look; whether there was anything."""
        ledger = self.mixpanel._intake.ledger
        with self._lock:
            if not self._readings:
                self._readings = (_Reading(ledger.events), _Reading(ledger.updates))
            events, updates = self._readings
            with ledger.lock:
                new_events, new_updates = events.fresh(), updates.fresh()
            self._take_events(new_events)
            self._take_updates(new_updates)
            return bool(new_events or new_updates)

    def arrived(self) -> int:
        """How many of the messages the sandbox has now."""
        while self.look():
            pass
        return len(self.latencies)

    def _take_events(self, arrivals: Iterable[Arrival]) -> None:
        for one in arrivals:
            key = hash(fold_key(one.record)) or 1
            self.doubled += not self._first(one, key)

    def _take_updates(self, arrivals: Iterable[Arrival]) -> None:
        for one in arrivals:
            is_first = self._first(one, 1)
            self.resent += not is_first
            number, record = number_of(one.record) or 0, one.record
            profile = str(record.get("$distinct_id") or record.get("$group_id"))
            newest = self._newest.get(profile, -1)
            # A batch that is sent again begins with older updates, and ends with the newest.
            if is_first and number < newest and number not in self.replayed:
                self.inversions += 1
            self._newest[profile] = max(number, newest)
            self._last[profile] = number

    def _first(self, one: Arrival, key: int) -> bool:
        number = number_of(one.record)
        assert number is not None, one.record
        while len(self._keys) <= number:
            self._keys.append(_NOT_YET)
        if self._keys[number] != _NOT_YET:
            # What the sandbox has forgotten by now may come again under its own key.
            return one.endpoint in ("/track", "/import") and self._keys[number] == key
        self._keys[number] = key
        self.latencies.append(one.at - self.sent_at[number])
        return True
