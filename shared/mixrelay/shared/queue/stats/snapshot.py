"""All figures of a queue at one instant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import orjson

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.harm.noted import Harm, harm, worst
from mixrelay.shared.queue.messages.batch import Lane
from mixrelay.shared.queue.messages.operator_pause import OPERATOR, Hold, holds
from mixrelay.shared.queue.stats.notices import HotShard, Notice, hot_shards, newest, notices
from mixrelay.shared.queue.tokens.state import TokenState, token_states

KeyT = TypeVar("KeyT")

TOTALS = (
    "received",
    "delivered",
    "dead",
    "replayed",
    "discarded",
    "redelivered",
    "ambiguous",
)
"""Counters since the queue began. `dead` counts burials; `Books.dead` is what lies there now."""


@dataclass(frozen=True, slots=True)
class PausedDestination:
    """A destination to which nobody sends, or a lane that an operator holds, and why."""

    destination: str
    """Of a held lane the lane's name."""
    lane: str
    kind: str
    """`PauseKind`, or `operator` for a held lane."""
    reason: str
    status: int
    seconds: float
    """Until one batch probes; 0 where it may now, and for a held lane: nothing ends that by
    itself."""
    failures: int
    """In a row."""
    since_ms: int
    token: str = ""
    """The fingerprint of the refused token that caused it; empty for any other cause."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The clock of a Redis was set, or a node with another one took over."""

    at_ms: int
    """When, by the clock as it was then set."""
    seconds: float
    """By how much; below 0 where it was set back."""


@dataclass(frozen=True, slots=True)
class Books:
    """The figures that rule 1 of docs/invariants.md relates, read by one script."""

    now_ms: int
    queued: int
    """In the list that producers push to, not yet routed."""
    lanes: Mapping[Lane, int]
    leased: Mapping[Lane, int]
    parked: Mapping[Lane, int]
    batches: int
    dead: int
    dead_by: Mapping[tuple[str, int, str], int]
    """Letters by (reason, status, type)."""
    oldest_letter_ms: int | None
    totals: Mapping[str, int]
    minutes: Mapping[int, Mapping[str, int]]
    """The counters of this minute and the one before, by minutes since the epoch."""
    paused: tuple[PausedDestination, ...]
    oldest_ms: int | None
    """When the oldest routed message was received."""
    empty_at_ms: int | None
    """When the list was last seen empty: what waits there is not older."""
    oldest_in: Mapping[Lane, int] = field(default_factory=dict)
    """By lane, when its oldest routed message was received."""
    paces: Mapping[str, int] = field(default_factory=dict)
    """By destination, how many batches the fleet may have leased for it at once: after a pause,
    or a failure while others passed. What is not named has no limit."""
    held: tuple[Hold, ...] = ()
    """Lanes that an operator holds; `paused` has them too."""
    tokens: tuple[TokenState, ...] = ()
    """What is known of project tokens, those that are refused first."""
    notices: tuple[Notice, ...] = ()
    """What Mixpanel does unasked: an example of each kind; `totals` counts them."""
    ready_ms: int | None = None
    """When the oldest message was received that could be sent now: its lane is not paused, no
    circuit is open for it, and no wait for a retry is under way."""
    hot: tuple[HotShard, ...] = ()
    """Ids and groups with more than half of the events that Mixpanel takes of one on a day."""
    clock_step: ClockStep | None = None
    """The last one; `totals` counts them as `clock_steps`. Waits and leases go on as before."""
    harm: Harm = field(default_factory=Harm)
    """What others did to the queue's keys."""
    head: bytes | None = field(repr=False, default=None)
    """The start of the oldest tuple in the list."""

    @property
    def in_flight(self) -> int:
        """Messages in batches, leased or parked."""
        return sum(self.leased.values()) + sum(self.parked.values())

    @property
    def waiting(self) -> int:
        """Everything that is neither delivered, nor discarded, nor a dead letter."""
        return self.queued + sum(self.lanes.values()) + self.in_flight

    @property
    def difference(self) -> int:
        """What rule 1 says is 0: received - (delivered + discarded + lanes + batches + dead)."""
        placed = sum(self.lanes.values()) + self.in_flight + self.dead
        ended = self.totals["delivered"] + self.totals["discarded"]
        return self.totals["received"] - ended - placed

    @classmethod
    def total(cls, parts: Sequence[Self]) -> Self:
        """The figures of all partitions together; gates and tokens are the first one's."""
        first = parts[0]
        if len(parts) == 1:
            return first
        stale = min(parts, key=_list_age)
        return replace(
            first,
            queued=sum(part.queued for part in parts),
            lanes=_sums(part.lanes for part in parts),
            leased=_sums(part.leased for part in parts),
            parked=_sums(part.parked for part in parts),
            batches=sum(part.batches for part in parts),
            dead=sum(part.dead for part in parts),
            dead_by=_sums(part.dead_by for part in parts),
            oldest_letter_ms=_least(part.oldest_letter_ms for part in parts),
            totals=_sums(part.totals for part in parts),
            minutes={
                minute: _sums(part.minutes.get(minute, {}) for part in parts)
                for minute in sorted({minute for part in parts for minute in part.minutes})
            },
            oldest_ms=_least(part.oldest_ms for part in parts),
            ready_ms=_least(part.ready_ms for part in parts),
            oldest_in=_earliest(part.oldest_in for part in parts),
            empty_at_ms=stale.empty_at_ms,
            clock_step=max(
                (part.clock_step for part in parts if part.clock_step),
                key=lambda step: step.at_ms,
                default=None,
            ),
            notices=newest(notice for part in parts for notice in part.notices),
            harm=worst([part.harm for part in parts]),
            head=stale.head,
        )

    @classmethod
    @reading("figures")
    def parse(cls, reply: list[Any]) -> Self:
        raw = _tables(orjson.loads(reply[0]))
        now, held = int(raw["now"]), holds(raw["held"])
        return cls(
            now_ms=now,
            queued=raw["queued"],
            lanes=_by_lane(raw["lanes"]),
            leased=_by_lane(raw["leased"]),
            parked=_by_lane(raw["parked"]),
            batches=int(raw["batches"]),
            dead=raw["dead"],
            dead_by={_grouping(name): int(count) for name, count in raw["dead_by"].items()},
            oldest_letter_ms=_optional(raw.get("oldest_letter")),
            totals=dict.fromkeys(TOTALS, 0)
            | {name: int(count) for name, count in raw["totals"].items()},
            minutes={
                int(minute): {name: int(count) for name, count in counters.items()}
                for minute, counters in raw["minutes"].items()
            },
            paused=(
                *(_held(hold) for hold in held),
                *(_paused(name, told, now) for name, told in sorted(raw["pauses"].items()) if told),
            ),
            oldest_ms=_optional(raw.get("oldest")),
            ready_ms=_optional(raw.get("ready")),
            oldest_in={Lane(lane): int(at) for lane, at in (raw.get("oldest_in") or {}).items()},
            empty_at_ms=_optional(raw.get("empty_at")),
            paces={name: int(limit) for name, limit in sorted(raw["paces"].items())},
            held=held,
            tokens=token_states(raw.get("tokens") or {}),
            notices=notices(raw.get("notices") or {}),
            hot=hot_shards(raw.get("hot") or {}, now),
            clock_step=_step(raw.get("clock") or {}),
            harm=harm(raw.get("expiring") or (), raw.get("harm") or {}),
            head=reply[1] if len(reply) > 1 else None,
        )


def _sums(counts: Iterable[Mapping[KeyT, int]]) -> dict[KeyT, int]:
    added: dict[KeyT, int] = {}
    for one in counts:
        for name, count in one.items():
            added[name] = added.get(name, 0) + count
    return added


def _least(moments: Iterable[int | None]) -> int | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _earliest(parts: Iterable[Mapping[Lane, int]]) -> dict[Lane, int]:
    found: dict[Lane, int] = {}
    for part in parts:
        for lane, at in part.items():
            found[lane] = min(at, found.get(lane, at))
    return found


def _list_age(part: Books) -> tuple[bool, int]:
    """Sorts first whose list may hold the oldest tuple."""
    return not part.queued, part.empty_at_ms or 0


def _tables(raw: dict[str, Any]) -> dict[str, Any]:
    """Give empty tables of Lua's one form: they are {} to a server, and [] to fakeredis."""
    return {
        name: _tables(value) if isinstance(value, dict) else {} if value == [] else value
        for name, value in raw.items()
    }


def _by_lane(counts: Mapping[str, int]) -> dict[Lane, int]:
    return {lane: int(counts.get(lane, 0)) for lane in Lane}


def _grouping(name: str) -> tuple[str, int, str]:
    reason, status, kind = name.split("|")
    return reason, int(status), kind


def _optional(value: float | None) -> int | None:
    return None if value is None else int(value)


def _paused(name: str, pause: Mapping[str, str], now: int) -> PausedDestination:
    return PausedDestination(
        destination=name,
        lane=pause.get("lane", ""),
        kind=pause.get("kind", ""),
        reason=pause.get("reason", ""),
        status=int(pause.get("status", 0)),
        seconds=max(0.0, (float(pause["until"]) - now) / 1000),
        failures=int(pause.get("failures", 0)),
        since_ms=int(float(pause.get("since", now))),
        token=pause.get("token", ""),
    )


def _step(told: Mapping[str, float]) -> ClockStep | None:
    return ClockStep(int(told["at"]), told["by"] / 1000) if told.get("at") else None


def _held(hold: Hold) -> PausedDestination:
    return PausedDestination(
        destination=hold.lane.value,
        lane=hold.lane.value,
        kind=OPERATOR,
        reason=hold.reason,
        status=0,
        seconds=0.0,
        failures=0,
        since_ms=hold.since_ms,
    )
