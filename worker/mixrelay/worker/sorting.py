"""What a batch holds, by what is to happen with it: pure, without Redis or network."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mixrelay.shared.mixpanel.endpoints import Destination
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Batch, Dead, Expansion, Lane, Member, Number
from mixrelay.shared.tuples import MalformedTupleError, Message, read, take
from mixrelay.worker.records import Preparation, Ready, Refused

EXPANDED_AT_MOST = 1_000
"""Records of a list that one call puts in its place."""


@dataclass(slots=True)
class Record:
    """A member that may be sent."""

    number: Number
    ready: Ready


@dataclass(slots=True)
class Sorted:
    """The members of a batch, in their order."""

    records: list[Record] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    moves: dict[Lane, list[Number]] = field(default_factory=dict)
    """Those that belong to another lane by now."""
    lists: list[Expansion] = field(default_factory=list)
    """Messages that hold several records each."""

    @property
    def destination(self) -> Destination:
        """Where the first record goes."""
        return self.records[0].ready.destination

    @property
    def doubtful(self) -> int:
        """Records that are not safe to send twice."""
        return sum(record.ready.doubtful for record in self.records)

    def body(self) -> bytes:
        return b"[" + b",".join(record.ready.body for record in self.records) + b"]"

    def leave_out(self, numbers: set[Number]) -> None:
        """Forgets records that are no longer in the batch."""
        self.records = [record for record in self.records if record.number not in numbers]


def sort(batch: Batch, preparation: Preparation, now_ms: int) -> Sorted:
    """Reads every member of a batch; nothing is raised, whatever its bytes."""
    found = Sorted()
    for member in batch.members:
        try:
            message = _record_or_list(member, found)
        except MalformedTupleError as error:
            found.dead.append(Dead(member.number, Reason.MALFORMED, error.reason, unsent=True))
            continue
        if message is not None:
            prepared = preparation.prepare(
                message, number=member.number, received_ms=member.received_ms, now_ms=now_ms
            )
            _place(member.number, prepared, batch.lane, found)
    return found


def _record_or_list(member: Member, found: Sorted) -> Message | None:
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
    found.lists.append(Expansion(member.number, payloads, rest))
    return None


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


def _place(number: Number, prepared: Ready | Refused, lane: Lane, found: Sorted) -> None:
    if isinstance(prepared, Refused):
        found.dead.append(
            Dead(number, prepared.reason, prepared.message, prepared.field, unsent=True)
        )
    elif prepared.reroute and prepared.reroute.value != lane.value:
        found.moves.setdefault(Lane(prepared.reroute), []).append(number)
    else:
        found.records.append(Record(number, prepared))


def profile_of(payload: bytes, preparation: Preparation) -> str | None:
    """Whose update a payload is; None where it cannot be read."""
    try:
        message = read(_unpacked(payload)[0][0])
    except MalformedTupleError:
        return None
    prepared = preparation.prepare(message, number="", received_ms=0, now_ms=0)
    return prepared.profile if isinstance(prepared, Ready) else None


def elsewhere(records: list[Record]) -> Iterator[list[Record]]:
    """The records that do not go where the first one goes, by destination."""
    first = records[0].ready.destination
    groups: dict[str, list[Record]] = {}
    for record in records:
        destination = record.ready.destination
        if destination is not first and destination.name != first.name:
            groups.setdefault(destination.name, []).append(record)
    yield from groups.values()


def overflow(records: list[Record], *, most: int, most_bytes: int) -> list[Record]:
    """The records at the end that do not fit into one request."""
    size = 1
    for index, record in enumerate(records):
        size += len(record.ready.body) + 1
        if index > 0 and (index >= most or size > most_bytes):
            return records[index:]
    return []
