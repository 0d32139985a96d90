"""Faults on demand: which request meets which fault.

Rules are looked through in the order they were made, and the first that fires decides; those
after it do not see the request. So `503 three times` followed by `hang once` are a sequence.
"""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from mixrelay.sandbox import lookups
from mixrelay.sandbox.endpoints import ENDPOINTS

ANY = "*"
_IDENTIFIERS = ("distinct_id", "$distinct_id", "$group_id")
_TOKENS = ("token", "$token")


class Kind(NamedTuple):
    """What a kind of fault does unless its rule says otherwise.

    Attributes:
        takes: whether the records are kept although the answer goes wrong.
        status: the status answered; None where there is none, or where it is the real one.
        seconds: its delay.
        looks_for: the fields of a record that `match` is compared with.
    """

    does: str
    takes: bool = False
    status: int | None = None
    seconds: float = 0
    looks_for: tuple[str, ...] = ()


KINDS = {
    "latency": Kind("waits `seconds`, then goes on as if nothing had happened", seconds=0.1),
    "status": Kind("answers `status`, with `body` and `retry_after`", status=503),
    "unauthorized": Kind("answers 401 as Mixpanel does", status=401),
    "reset_before": Kind("resets the connection and keeps no record"),
    "reset_after": Kind("keeps the records and resets the connection", takes=True),
    "hang": Kind("answers nothing for `seconds`, then resets the connection", seconds=30),
    "trickle": Kind("sends the real answer, `seconds` between bytes", takes=True, seconds=0.1),
    "truncate": Kind("promises more of the real answer than it sends", takes=True),
    "html": Kind("answers a proxy's page", status=200),
    "empty": Kind("answers without a body", status=200),
    "redirect": Kind("answers a redirect to `location`", status=302),
    "huge": Kind("answers a body without an end", status=200),
    "reject_token": Kind("400 to requests with a record of token `match`", False, 400, 0, _TOKENS),
    "reject_distinct_id": Kind(
        "400 to requests with a record of user or group `match`", False, 400, 0, _IDENTIFIERS
    ),
    "fail_matching": Kind(
        "500 to requests with a record of user or group `match`", False, 500, 0, _IDENTIFIERS
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule.

    Args:
        kind: one of KINDS.
        endpoint: a path such as `/track`, or `*`.
        count: how many requests meet it; None until it is cleared.
        after: how many requests pass unharmed first.
        probability: the share of the others that meet it, from 0 to 1.
        seed: makes the choice by probability repeatable.
        status: the HTTP status, where the kind answers one of its own.
        body: the body in place of the kind's own.
        retry_after: the Retry-After header, written as given, sense or nonsense.
        seconds: the kind's delay.
        location: where a redirect points.
        match: what a record must hold; compared as text.
        take: whether the records are kept, in place of the kind's own habit.

    Raises:
        ValueError: a value that makes no sense; the message says which.
    """

    kind: str
    endpoint: str = ANY
    count: int | None = None
    after: int = 0
    probability: float = 1.0
    seed: int | None = None
    status: int | None = None
    body: str | None = None
    retry_after: str | float | None = None
    seconds: float | None = None
    location: str | None = None
    match: str | None = None
    take: bool | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"There is no fault {self.kind!r}. Known are: {', '.join(KINDS)}.")
        paths = [ANY, *(endpoint.path for endpoint in ENDPOINTS), lookups.PATH]
        if self.endpoint not in paths:
            raise ValueError(f"endpoint is one of {', '.join(paths)}, not {self.endpoint!r}.")
        for name, valid in self._checks().items():
            if not valid:
                raise ValueError(f"{name} cannot be {getattr(self, name)!r}.")

    def _checks(self) -> dict[str, bool]:
        return {
            "count": self.count is None or _is_count(self.count, 1),
            "after": _is_count(self.after, 0),
            "probability": _is_number(self.probability) and 0 <= self.probability <= 1,
            "seed": self.seed is None or isinstance(self.seed, int),
            "status": self.status is None or _is_count(self.status, 200, 599),
            "body": isinstance(self.body, (str, type(None))),
            "retry_after": isinstance(self.retry_after, (str, int, float, type(None))),
            "seconds": self.seconds is None or (_is_number(self.seconds) and self.seconds >= 0),
            "location": isinstance(self.location, (str, type(None))),
            "match": isinstance(self.match, str if self.looks_for else (str, type(None))),
            "take": isinstance(self.take, (bool, type(None))),
        }

    @property
    def looks_for(self) -> tuple[str, ...]:
        """The fields that `match` is compared with."""
        return KINDS[self.kind].looks_for

    @property
    def takes(self) -> bool:
        """Whether the records of a request that meets it are kept."""
        return KINDS[self.kind].takes if self.take is None else self.take

    @property
    def own_status(self) -> int | None:
        """The status it answers; None where it sends none, or the real one."""
        usual = KINDS[self.kind].status
        return self.status if self.status and usual else usual

    @property
    def delay(self) -> float:
        """Its delay in seconds."""
        return KINDS[self.kind].seconds if self.seconds is None else self.seconds


def fault_from_json(told: Any) -> Fault:
    """A fault as the control API gets it.

    Raises:
        ValueError: it is no object, or a field is unknown or wrong.
    """
    known = {part.name for part in fields(Fault)}
    if not isinstance(told, dict) or "kind" not in told:
        raise ValueError('A fault is a JSON object such as {"kind": "status", "status": 503}.')
    unknown = sorted(set(told) - known)
    if unknown:
        raise ValueError(f"Unknown: {', '.join(unknown)}. A fault has {', '.join(sorted(known))}.")
    return Fault(**told)


@dataclass(slots=True)
class _Rule:
    number: int
    fault: Fault
    chance: random.Random
    seen: int = 0
    fired: int = 0

    def fires(self, path: str, records: list[Any]) -> bool:
        if self.is_spent or not self._concerns(path, records):
            return False
        self.seen += 1
        if self.seen <= self.fault.after:
            return False
        fires = self.fault.probability >= 1 or self.chance.random() < self.fault.probability
        self.fired += fires
        return fires

    @property
    def is_spent(self) -> bool:
        return self.fault.count is not None and self.fired >= self.fault.count

    def _concerns(self, path: str, records: list[Any]) -> bool:
        if self.fault.endpoint not in (ANY, path):
            return False
        wanted = self.fault.looks_for
        return not wanted or any(_holds(r, wanted, self.fault.match) for r in records)


class Faults:
    """The rules in force; any thread may change them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._numbers = itertools.count(1)

    def add(self, fault: Fault) -> int:
        """Puts a rule behind the others and returns its number."""
        # No secret hangs on it, and a seed must repeat its choices.
        chance = random.Random(fault.seed)  # noqa: S311
        with self._lock:
            rule = _Rule(next(self._numbers), fault, chance)
            self._rules.append(rule)
        return rule.number

    def clear(self, number: int | None = None) -> int:
        """Takes one rule back, or all of them; returns how many those were."""
        with self._lock:
            kept = [r for r in self._rules if number is not None and r.number != number]
            cleared = len(self._rules) - len(kept)
            self._rules = kept
        return cleared

    def meet(self, path: str, records: list[Any]) -> tuple[float, Fault | None]:
        """The seconds a request must wait, and the fault that it meets then, if any."""
        wait = 0.0
        with self._lock:
            for rule in self._rules:
                if not rule.fires(path, records):
                    continue
                if rule.fault.kind != "latency":
                    return wait, rule.fault
                wait += rule.fault.delay
        return wait, None

    def listing(self) -> list[dict[str, Any]]:
        """All rules with what they have seen; spent ones stay until they are cleared."""
        with self._lock:
            return [
                {
                    "id": rule.number,
                    **asdict(rule.fault),
                    "seen": rule.seen,
                    "fired": rule.fired,
                    "active": not rule.is_spent,
                }
                for rule in self._rules
            ]


def _holds(record: Any, names: tuple[str, ...], match: str | None) -> bool:
    if not isinstance(record, dict):
        return False
    properties = record.get("properties")
    places = [record, properties] if isinstance(properties, dict) else [record]
    return any(str(place[name]) == match for place in places for name in names if name in place)


def _is_count(value: Any, least: int, most: int | None = None) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value >= least and (most is None or value <= most)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
