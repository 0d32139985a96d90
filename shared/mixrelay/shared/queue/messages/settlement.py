"""How a worker ends what it began with a batch: the arguments of `settle` and `divide`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self

from mixrelay.shared.queue.messages.batch import Lane, Number
from mixrelay.shared.queue.stats.measures import SECONDS_BOUNDS, SIZE_BOUNDS, bucket
from mixrelay.shared.queue.stats.notices import Noticed


class Settled(StrEnum):
    """What became of a settlement."""

    DONE = "done"
    ALREADY = "already"
    """Asked twice, since the first reply was lost; it was carried out once."""
    WAITS = "waits"
    """Divided by destination, what stays waits behind others of its destination: it is no longer
    this worker's."""
    LOST = "lost"
    """The lease had ended and the batch is someone else's: nothing was changed."""


class Ended(NamedTuple):
    """What became of a settlement, and what Q's own slot is to be told of it (`report.lua`)."""

    settled: Settled
    words: bytes

    @classmethod
    def parse(cls, reply: bytes) -> Self:
        settled, _, words = reply.partition(b" ")
        return cls(Settled(settled.decode()), words)


class Reaped(NamedTuple):
    """Leases that were ended, and what was found on the way."""

    partition: int
    batches: int
    messages: int
    words: bytes = b""
    """As those of `Ended`."""
    waiting: frozenset[str] = frozenset()
    """The lanes in which something waits; not told of the first partition."""
    steady_ms: int = 0
    """What the queue's own clock showed."""
    beside_ms: int = 0
    """What that has beside the server's."""

    @classmethod
    def parse(cls, partition: int, reply: Sequence[Any]) -> Self:
        """What the script answers."""
        batches, messages, words, lanes, steady, beside = reply
        found = frozenset(lane.decode() for lane in lanes)
        return cls(partition, int(batches), int(messages), words, found, int(steady), int(beside))


class PauseKind(StrEnum):
    OUTAGE = "outage"
    CONFIGURATION = "configuration"
    """Credentials, address or certificate are wrong: every batch would fail, none is to blame."""


@dataclass(frozen=True, slots=True)
class Dead:
    """One message's verdict: a dead letter."""

    number: Number
    reason: str
    error: str
    """What Mixpanel said, or the rule that was broken."""
    field: str = ""
    status: int = 0
    """HTTP status of the answer, 0 where there was none."""
    unsent: bool = False
    """It was not in the request: the rule it breaks was found before."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nobody sends to the destination for `base_ms`, doubled at each failure up to `cap_ms`."""

    kind: PauseKind
    base_ms: int = 2_000
    cap_ms: int = 60_000
    jitter_ms: int = 0
    at_least_ms: int = 0
    """What the server asked for (`Retry-After`)."""


@dataclass(frozen=True, slots=True)
class Park:
    """The rest of the batch waits for another try, with its members together."""

    error: str
    status: int = 0
    delay_ms: int = 0
    """Where `pause` is not given."""
    pause: Pause | None = None
    counts: bool = False
    """Towards the attempts limit."""
    ambiguous: bool = False
    """The request was sent and no answer came."""
    cornered: bool = False
    """A lone message that reached its limit. In an ordered lane the next batch is tried in its
    place; in a parallel one it is `exhausted` where others passed since it last failed."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one request was like, counted by the script that settles or divides its batch."""

    endpoint: str
    status: int
    """Of the answer; 0 where there was no whole one."""
    seconds: float
    records: int

    def plan(self) -> list[str | int]:
        status_class = f"{self.status // 100}xx" if self.status else "none"
        return [
            self.endpoint,
            status_class,
            bucket(self.seconds, SECONDS_BOUNDS),
            round(self.seconds * 1000),
            bucket(self.records, SIZE_BOUNDS),
            self.records,
        ]


class KeepCopy(NamedTuple):
    """That a copy of what was delivered is kept until there is evidence for its token."""

    token: str
    """Its fingerprint."""
    sent: int
    """When the request began (ms, by Redis's clock)."""
    bytes: int
    """Of its body."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A verdict for each member, or none: what has none follows `rest`."""

    delivered: Literal["all"] | Sequence[Number] = ()
    dead: Sequence[Dead] = ()
    move_to: Lane | None = None
    move: Sequence[Number] = ()
    ignored: Sequence[Number] = ()
    """Events that Mixpanel would drop (`$ignore`): they count as discarded, and are not sent."""
    opted_out: Sequence[Number] = ()
    """About people or groups on the list of opt-outs: discarded too."""
    noticed: Mapping[str, Noticed] = field(default_factory=dict)
    """By kind, what Mixpanel does unasked with those that are delivered."""
    unconfirmed: int = 0
    """How many of those that are delivered Mixpanel's answer does not confirm."""
    rest: Literal["keep", "back"] | Park = "keep"
    """Keep the lease, give the members back to where they came from, or park them."""
    sent: bool = False
    """A request went out, or a part of one: it counts among the attempts."""
    accepted: bool = False
    """The destination answered as it does when it is well: a pause of it is over."""
    destination: str | None = None
    own: bool = False
    """The destination uses the worker's own credentials."""
    exhausts: str | None = None
    """The batch's `rival`, which its acceptance convicts with all that was cornered after it."""
    behind: bool = False
    """A trial that holds only its rivals' profiles: it waits behind the head (`rest="back"`)."""
    request: Request | None = None
    """Where one was made and is not counted yet."""
    refusals: int = 0
    """How often Redis refused this settlement before."""
    keep: KeepCopy | None = None
    """Where the endpoint accepts any token: a copy of what was delivered is kept."""

    def plan(self) -> dict[str, Any]:
        """As the script reads it; what is not set is left out, since Lua takes null for true."""
        park = self.rest if isinstance(self.rest, Park) else None
        return _without_nothing(
            {
                "sent": self.sent,
                "accepted": self.accepted,
                "destination": self.destination,
                "own": self.own,
                "delivered": self.delivered if self.delivered == "all" else list(self.delivered),
                "dead": [_dead(dead) for dead in self.dead],
                "move": {"lane": self.move_to, "numbers": list(self.move)} if self.move else None,
                "ignored": list(self.ignored),
                "opted_out": list(self.opted_out),
                "noticed": {str(kind): one.plan() for kind, one in self.noticed.items()},
                "unconfirmed": self.unconfirmed or None,
                "rest": "park" if park else self.rest,
                "park": _park(park) if park else None,
                "exhausts": self.exhausts,
                "behind": self.behind,
                "request": self.request.plan() if self.request else None,
                "refusals": self.refusals or None,
                "keep": self.keep._asdict() if self.keep else None,
            }
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Members that leave a batch for one of their own."""

    numbers: Sequence[Number]
    destination: str | None = None
    own: bool = False
    """The destination uses the worker's own credentials."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """A list message and the messages that take its place."""

    number: Number
    payloads: Sequence[bytes]
    """A tuple each: a record, or a shorter list."""
    records: Sequence[int] = ()
    """How many records each holds, and so how many numbers are its; of one each where empty."""


@dataclass(frozen=True, slots=True)
class Division:
    """How a batch is parted: what no part names stays, and stays leased."""

    parts: Sequence[Part]
    strikes: bool = False
    """A split after failures: their count begins anew, with the lower limit of a part."""
    ambiguous: bool = False
    """It was sent and no answer came: so were its parts."""
    destination: str | None = None
    own: bool = False
    behind: bool = False
    """The parts hold the profiles of the trial's rivals and wait behind the head."""
    home: bool = False
    """The parts were never sent, and go to the end of their lane where its order is nobody's: what
    came meanwhile is not to wait for all of them."""
    request: Request | None = None
    """That led to it, where it is not counted yet."""

    def plan(self, ids: Sequence[str]) -> dict[str, Any]:
        parts = [
            _without_nothing(
                {
                    "id": part_id,
                    "numbers": list(part.numbers),
                    "destination": part.destination,
                    "own": part.own,
                }
            )
            for part_id, part in zip(ids, self.parts, strict=True)
        ]
        return _without_nothing(
            {
                "parts": parts,
                "strikes": self.strikes,
                "ambiguous": self.ambiguous,
                "destination": self.destination,
                "own": self.own,
                "behind": self.behind,
                "home": self.home,
                "request": self.request.plan() if self.request else None,
            }
        )


def _dead(dead: Dead) -> dict[str, Any]:
    return {
        "number": dead.number,
        "reason": dead.reason,
        "error": dead.error,
        "field": dead.field,
        "status": dead.status,
        "unsent": dead.unsent,
    }


def _park(park: Park) -> dict[str, Any]:
    pause = park.pause and {
        "kind": park.pause.kind,
        "base": park.pause.base_ms,
        "cap": park.pause.cap_ms,
        "jitter": park.pause.jitter_ms,
        "at_least": park.pause.at_least_ms,
    }
    return _without_nothing(
        {
            "error": park.error,
            "status": park.status,
            "delay": park.delay_ms,
            "pause": pause,
            "counts": park.counts,
            "ambiguous": park.ambiguous,
            "cornered": park.cornered,
        }
    )


def _without_nothing(plan: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plan.items() if value not in (None, False, [], (), {})}
