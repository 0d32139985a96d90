"""Sorts the members of a batch by what is to happen with them: pure, without Redis or network."""

from collections.abc import Sequence

from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Batch, Dead, Lane, Member, Number
from mixrelay.shared.queue.messages.members import Members
from mixrelay.shared.tuples import MalformedTupleError, Message
from mixrelay.worker.counting.notices import (
    Look,
    findings,
    findings_together,
    has_ignored,
    is_ignored,
    look,
)
from mixrelay.worker.counting.shards import ShardReader
from mixrelay.worker.deliver.bulk_decode import Alike, read_alike
from mixrelay.worker.deliver.contents import Record, Run, Sorted
from mixrelay.worker.deliver.fast_path import Plain, plain
from mixrelay.worker.deliver.prepare import Preparation, Ready, Refused
from mixrelay.worker.lists.cutting import LIST_BYTES, Listed, TooLongError, read_any
from mixrelay.worker.plan_check import PlanCheck, finding

READ_TOGETHER = 100
"""Members: of fewer too few share a call, and what is parsed of more leaves the cache."""
WORTH_HALVING = 4
"""Members: fewer are judged one by one as soon as one of them is unusual."""


def sort(
    batch: Batch,
    preparation: Preparation,
    now_ms: int,
    shards: ShardReader | None = None,
    list_bytes: int = LIST_BYTES,
    *,
    plan: PlanCheck | None = None,
) -> Sorted:
    """Reads every member of a batch; nothing is raised, whatever its bytes.

    Args:
        batch: what was reserved.
        preparation: what turns messages into records.
        now_ms: the time by Redis's clock.
        shards: reads whose events they are, where that is counted.
        list_bytes: what a list may weigh.
        plan: the tracking plan, where there is one.
    """
    sorting = _Sorting(batch.lane, preparation, now_ms, shards, list_bytes, plan=plan)
    for first in range(0, len(batch.members), READ_TOGETHER):
        sorting.some(batch.members[first : first + READ_TOGETHER])
    return sorting.found


class _Sorting:
    def __init__(
        self,
        lane: Lane,
        preparation: Preparation,
        now_ms: int,
        shards: ShardReader | None,
        list_bytes: int = LIST_BYTES,
        *,
        plan: PlanCheck | None,
    ) -> None:
        self._shards = shards
        self._plan = plan
        self._list_bytes = list_bytes
        self._lane = lane
        self._preparation = preparation
        self._now_ms = now_ms
        self.found = Sorted()

    def some(self, members: Sequence[Member]) -> None:
        """Sorts members in a row: those that are framed alike together, the others one by one."""
        alike = read_alike(_payloads(members))
        if alike is not None:
            self._read(members, alike, look(alike))
        elif len(members) < WORTH_HALVING:
            self.one_by_one(members)
        else:
            for some in _halves(members):
                self.some(some)

    def _read(self, members: Sequence[Member], alike: Alike, seen: Look) -> None:
        """Sorts members that were read: as one if all are plain, else what is plain among them."""
        off = self._plan if self._plan is not None and self._plan.any_off(alike) else None
        one = None
        if not self._goes_alone(alike, seen, off):
            one = plain(alike, members, self._preparation, self._now_ms)
        if one:
            self._add_run(members, alike, one, seen, off)
        elif len(members) < WORTH_HALVING:
            for member, message in zip(members, alike.messages(), strict=True):
                self._prepare(member, message)
        else:
            half = len(members) // 2
            self._read(members[:half], alike.part(0, half), seen)
            self._read(members[half:], alike.part(half, len(members)), seen)

    def _goes_alone(self, alike: Alike, seen: Look, off: PlanCheck | None) -> bool:
        """Whether one among them is ended here, and not sent with the others."""
        barred = self._preparation.opted_out.known
        return (
            (seen.ignored and has_ignored(alike))
            or (off is not None and off.refuses)
            or (barred is not None and barred.has_one_of(alike.records))
        )

    def _add_run(
        self,
        members: Sequence[Member],
        alike: Alike,
        one: Plain,
        seen: Look,
        off: PlanCheck | None,
    ) -> None:
        # Not by a method of this: what is found would hold who found it, and a circle waits
        # for the garbage collector, with all that the batch weighs.
        how = (self._lane, self._preparation, self._now_ms, self._shards)
        plan = self._plan
        found = findings_together(alike, members) if seen.changed else ()
        if off is not None:
            found = (*found, *off.found_together(alike, members))
        shards = self._shards.together(alike) if self._shards else ()
        self.found.add(
            Run(one, len(members), lambda: _apart(members, *how, plan=plan), found, shards)
        )

    def one_by_one(self, members: Sequence[Member]) -> None:
        """Sorts each by itself."""
        for member in members:
            try:
                found = read_any(member.number, member.payload, self._list_bytes)
            except MalformedTupleError as error:
                self._bury(member, Reason.MALFORMED, error.reason)
            except TooLongError as error:
                self._bury(member, Reason.TOO_LARGE, str(error))
            else:
                if isinstance(found, Listed):
                    self.found.lists.append(found)
                else:
                    self._prepare(member, found)

    def _bury(self, member: Member, reason: Reason, error: str) -> None:
        self.found.dead.append(Dead(member.number, reason, error, unsent=True))

    def _prepare(self, member: Member, message: Message) -> None:
        number = member.number
        if is_ignored(message):
            self.found.ignored.append(number)
            return
        barred = self._preparation.opted_out.known
        if barred and barred.has(message.data):
            self.found.opted_out.append(number)
            return
        prepared = self._preparation.prepare(
            message, number=number, received_ms=member.received_ms, now_ms=self._now_ms
        )
        if isinstance(prepared, Refused):
            dead = Dead(number, prepared.reason, prepared.message, prepared.field, unsent=True)
            self.found.dead.append(dead)
        elif prepared.reroute and prepared.reroute.value != self._lane.value:
            self.found.moves.setdefault(Lane(prepared.reroute), []).append(number)
        else:
            self._add(member, message, prepared)

    def _add(self, member: Member, message: Message, ready: Ready) -> None:
        number, noticed = member.number, findings(message, member.number)
        off = self._plan.off(message) if self._plan is not None else None
        if off is not None and self._plan is not None and self._plan.refuses:
            dead = Dead(number, Reason.OFF_PLAN, off.rule, off.field, unsent=True)
            self.found.dead.append(dead)
            return
        if off is not None:
            noticed = (*noticed, (number, finding(off)))
        seen = self._shards.alone(message, member.received_ms) if self._shards else ()
        self.found.add(Record(number, ready, noticed, seen))


def _apart(
    members: Sequence[Member],
    lane: Lane,
    preparation: Preparation,
    now_ms: int,
    shards: ShardReader | None,
    *,
    plan: PlanCheck | None,
) -> list[Record]:
    sorting = _Sorting(lane, preparation, now_ms, shards, plan=plan)
    sorting.one_by_one(members)
    return sorting.found.records


def _halves(members: Sequence[Member]) -> tuple[Sequence[Member], Sequence[Member]]:
    half = len(members) // 2
    return members[:half], members[half:]


def _payloads(members: Sequence[Member]) -> list[bytes]:
    if isinstance(members, Members):
        return members.payloads()
    return [member.payload for member in members]


def profile_of(payload: bytes, preparation: Preparation) -> str | None:
    """Whose update a payload is; None where it cannot be read, or is a list."""
    try:
        message = read_any(Number(""), payload, LIST_BYTES)
    except (MalformedTupleError, TooLongError):
        return None
    if isinstance(message, Listed):
        return None
    prepared = preparation.prepare(message, number="", received_ms=0, now_ms=0)
    return prepared.profile if isinstance(prepared, Ready) else None
