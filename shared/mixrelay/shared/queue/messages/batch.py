"""What a worker holds: one lane's messages, leased together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import orjson

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.messages.members import Member, Members, Number
from mixrelay.shared.reading import count

__all__ = ["Batch", "Lane", "Member", "Nothing", "Number", "partition_of"]


def partition_of(number: Number | str) -> int:
    """The partition that gave a message its number; 0 for what is no number.

    A letter that nobody has is looked for there, and is not found.
    """
    partition, dash, _ = number.partition("-")
    return (count(partition) or 0) if dash else 0


class Lane(StrEnum):
    """Where messages of one type wait. `ODD` holds what routing could not place."""

    EVENT = "event"
    IMPORT = "import"
    PROFILE_UPDATE = "profile_update"
    GROUP_UPDATE = "group_update"
    ODD = "odd"

    @property
    def ordered(self) -> bool:
        """One batch at a time in the whole fleet, so that updates arrive as they were pushed."""
        return self in (Lane.PROFILE_UPDATE, Lane.GROUP_UPDATE)


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one lane, leased to this worker under `claim` until the lease ends."""

    id: str
    claim: str
    lane: Lane
    members: Sequence[Member]
    queue_id: str
    """The queue's own random id: with a message's number it makes an `$insert_id`."""
    attempts: int = 0
    """Requests already made with it."""
    failures: int = 0
    """Those of them that count towards the attempts limit."""
    part: bool = False
    """It came out of a split after failures: its limit is lower."""
    ambiguous: bool = False
    """The last request may have been carried out although no answer came."""
    suspect: bool = False
    """Workers died with it: handle it while holding nothing else."""
    probe: bool = False
    """Its destination is paused, and this is the one request that finds out whether it is back."""
    destination: str | None = None
    line: str | None = None
    """In an ordered lane: where all its records go; None until they are read."""
    cornered: bool = False
    rival: str | None = None
    """The batch at the lane's head that cannot be delivered, in whose place this one is tried."""
    rival_payloads: tuple[bytes, ...] = ()
    """Of the rival and of trials cornered after it: leave out what is about their profiles."""
    present_ms: int | None = None
    """When it was first taken, by the earlier one of Redis's clock and the worker's host's; None
    of a batch that an older version made."""
    host_ahead_ms: int = 0
    """By how much the host's clock was ahead of Redis's then; 0 where it was under a minute."""
    partition: int = 0
    """Whose batch it is."""
    paused: frozenset[str] = frozenset()
    """Destinations with a pause or a pace. Nothing is sent there but to `destination`, whose
    gate let this batch pass."""
    routed: tuple[Lane, ...] = field(default=(), compare=False)
    """Lanes to which the same move brought messages, or from which it took them at once; those
    that had the most first. Of the move, not of the batch: asked again, it is empty."""

    @classmethod
    @reading("a batch")
    def parse(cls, reply: list[Any], claim: str, partition: int = 0) -> Self:
        _, batch_id, state_json, queue_id, lengths, texts, rivals, paused, routed = reply
        state = orjson.loads(state_json)
        return cls(
            id=batch_id.decode(),
            claim=claim,
            lane=Lane(state["lane"]),
            members=Members.parse(b"".join(texts), lengths),
            queue_id=queue_id.decode(),
            attempts=state["attempts"],
            failures=state["failures"],
            part=state.get("part", False),
            ambiguous=state.get("ambiguous", False),
            suspect=state.get("suspect", False),
            probe=state.get("probe", False),
            destination=state.get("destination"),
            line=state.get("line"),
            cornered="cornered" in state,
            rival=state["rivals"][0] if "rivals" in state else None,
            present_ms=state.get("present"),
            host_ahead_ms=state.get("host_ahead", 0),
            partition=partition,
            rival_payloads=tuple(Member.parse(rival).payload for rival in rivals),
            paused=frozenset(name.decode() for name in paused),
            routed=lanes_of(routed),
        )


@dataclass(frozen=True, slots=True)
class Nothing:
    """No batch now, and when to ask again."""

    wait_seconds: float | None
    """Until something is due; None where the lane is empty."""
    suspects_wait: bool
    """A batch that killed its workers waits for one that holds nothing else."""
    routed: tuple[Lane, ...] = field(default=(), compare=False)
    """As `Batch.routed`."""


def lanes_of(names: Sequence[bytes]) -> tuple[Lane, ...]:
    return tuple(Lane(name.decode()) for name in names)
