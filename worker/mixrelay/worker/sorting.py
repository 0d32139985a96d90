"""Sorts the members of a batch by what is to happen with them: pure, without Redis or network."""

from collections.abc import Iterator, Sequence

from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Batch, Dead, Expansion, Lane, Member
from mixrelay.shared.queue.members import Members
from mixrelay.shared.tuples import MalformedTupleError, Message, read, take
from mixrelay.worker.alike import read_alike
from mixrelay.worker.noticing import findings, findings_together, is_ignored, look
from mixrelay.worker.plain import plain
from mixrelay.worker.records import Preparation, Ready, Refused
from mixrelay.worker.shards import ShardReader
from mixrelay.worker.sorted import Record, Run, Sorted

EXPANDED_AT_MOST = 1_000
"""Records of a list that one call puts in its place."""

READ_TOGETHER = 100
"""Members: of fewer too few share a call, and what is parsed of more leaves the cache."""


def sort(
    batch: Batch, preparation: Preparation, now_ms: int, shards: ShardReader | None = None
) -> Sorted:
    """Reads every member of a batch; nothing is raised, whatever its bytes.

    Args:
        batch: what was reserved.
        preparation: what turns messages into records.
        now_ms: the time by Redis's clock.
        shards: reads whose events they are, where that is counted.
    """
    sorting = _Sorting(batch.lane, preparation, now_ms, shards)
    for first in range(0, len(batch.members), READ_TOGETHER):
        sorting.some(batch.members[first : first + READ_TOGETHER])
    return sorting.found


class _Sorting:
    def __init__(
        self, lane: Lane, preparation: Preparation, now_ms: int, shards: ShardReader | None
    ) -> None:
        self._shards = shards
        self._lane = lane
        self._preparation = preparation
        self._now_ms = now_ms
        self.found = Sorted()

    def some(self, members: Sequence[Member]) -> None:
        """Sorts members in a row: as one if all of them are plain, else one by one."""
        alike = read_alike(_payloads(members))
        if alike is None:
            self.one_by_one(members)
            return
        seen = look(alike)
        one = None
        if not seen.ignored:
            one = plain(alike, members, self._preparation, self._now_ms)
        if one:
            # Not by a method of this: what is found would hold who found it, and a circle waits
            # for the garbage collector, with all that the batch weighs.
            how = (self._lane, self._preparation, self._now_ms, self._shards)
            found = findings_together(alike, members) if seen.changed else ()
            shards = self._shards.together(alike) if self._shards else ()
            self.found.add(Run(one, len(members), lambda: _apart(members, *how), found, shards))
        else:
            for member, message in zip(members, alike.messages(), strict=True):
                self._prepare(member, message)

    def one_by_one(self, members: Sequence[Member]) -> None:
        """Sorts each by itself."""
        for member in members:
            try:
                message = self._record_or_list(member)
            except MalformedTupleError as error:
                dead = Dead(member.number, Reason.MALFORMED, error.reason, unsent=True)
                self.found.dead.append(dead)
                continue
            if message is not None:
                self._prepare(member, message)

    def _record_or_list(self, member: Member) -> Message | None:
        """The one record that a member is; a list is kept for the queue to part.

        Raises:
            MalformedTupleError: it cannot be read.
        """
        message = read(member.payload)
        if not message.is_list:
            return message
        payloads, rest = _unpacked(member.payload)
        if rest is None and len(payloads) == 1:
            return read(payloads[0])
        self.found.lists.append(Expansion(member.number, payloads, rest))
        return None

    def _prepare(self, member: Member, message: Message) -> None:
        number = member.number
        if is_ignored(message):
            self.found.ignored.append(number)
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
            seen = self._shards.alone(message, member.received_ms) if self._shards else ()
            self.found.add(Record(number, prepared, findings(message, number), seen))


def _apart(
    members: Sequence[Member],
    lane: Lane,
    preparation: Preparation,
    now_ms: int,
    shards: ShardReader | None,
) -> list[Record]:
    sorting = _Sorting(lane, preparation, now_ms, shards)
    sorting.one_by_one(members)
    return sorting.found.records


def _payloads(members: Sequence[Member]) -> list[bytes]:
    if isinstance(members, Members):
        return members.payloads()
    return [member.payload for member in members]


def at_once(lists: list[Expansion]) -> Iterator[list[Expansion]]:
    """Lists whose records one call of the queue's may put in their places."""
    some: list[Expansion] = []
    size = 0
    for one in lists:
        if some and size + len(one.payloads) > EXPANDED_AT_MOST:
            yield some
            some, size = [], 0
        some.append(one)
        size += len(one.payloads)
    if some:
        yield some


def _unpacked(payload: bytes) -> tuple[list[bytes], bytes | None]:
    try:
        return take(payload, EXPANDED_AT_MOST)
    except RecursionError:
        # Reading it has just succeeded, with a little more stack left.
        raise MalformedTupleError("the message is nested too deep") from None


def profile_of(payload: bytes, preparation: Preparation) -> str | None:
    """Whose update a payload is; None where it cannot be read."""
    try:
        message = read(_unpacked(payload)[0][0])
    except MalformedTupleError:
        return None
    prepared = preparation.prepare(message, number="", received_ms=0, now_ms=0)
    return prepared.profile if isinstance(prepared, Ready) else None
