"""The queue in plain Python: where each message is, and what has been counted.

It knows nothing of keys or scripts. Which batch a reserve hands out depends on pauses and
clocks, so the model is told and says whether that was allowed; all else it foretells.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mixrelay.shared.queue import Batch, Dead, Division, Lane, Park, Settled, Settlement

DEATHS_TOGETHER, DEATHS_ALONE = 3, 2
TRIALS_BEHIND = 8


@dataclass
class Message:
    number: str
    payload: bytes
    kind: str
    profile: str | None = None
    replays: int = 0
    past_attempts: int = 0
    past_deaths: int = 0

    @property
    def place(self) -> tuple[int, ...]:
        """By which messages are in the order in which they were pushed."""
        return tuple(map(int, self.number.partition("-")[2].split(".")))


@dataclass
class Held:
    """A batch, leased where it has a claim, else parked."""

    lane: Lane
    members: list[Message]
    destination: str | None
    own: bool
    claim: str | None = None
    owner: str | None = None
    expired: bool = False
    attempts: int = 0
    failures: int = 0
    deaths: int = 0
    deaths_alone: int = 0
    part: bool = False
    sending: bool = False
    ambiguous: bool = False
    suspect: bool = False
    cornered: str | None = None
    rivals: list[str] = field(default_factory=list)
    behind: str | None = None
    waiting: str | None = None
    """In a parallel lane: the closed destination that new ones join it for."""
    line: str | None = None
    """In an ordered lane: where all of it goes, once that was read."""

    @property
    def is_new(self) -> bool:
        past = self.attempts or self.deaths or self.failures or self.part or self.suspect
        past = past or self.ambiguous
        return not (self.claim or past or self.cornered or self.behind)

    def unlease(self) -> None:
        self.claim = self.owner = None
        self.expired = self.sending = False
        self.rivals = []

    def split_off(self, members: list[Message], **changes: object) -> "Held":
        other = replace(self, members=members)
        other.unlease()
        other.waiting = None
        for name, value in changes.items():
            setattr(other, name, value)
        return other


@dataclass
class Grave:
    message: Message
    lane: Lane
    reason: str
    attempts: int


class Model:
    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.queued: list[Message] = []
        self.lanes: dict[Lane, list[Message]] = {lane: [] for lane in Lane}
        self.batches: dict[str, Held] = {}
        self.order: dict[tuple[Lane, str | None], list[str]] = defaultdict(list)
        """Of each line of an ordered lane, and under None what is not read yet."""
        self.letters: dict[str, Grave] = {}
        self.totals: Counter[str] = Counter()
        self.delivered: dict[str, list[Message]] = defaultdict(list)
        self.last_number = 0
        self.on_hold: set[Lane] = set()
        self.closed: set[str] = set()
        """What the model is told before a move: the destinations that have a pause."""

    # --- from the list to a batch

    def route(self, most: int) -> None:
        for message in self.queued[:most]:
            self.last_number += 1
            message.number = f"{self.partition}-{self.last_number}"
            self.lanes[Lane(message.kind) if message.kind in list(Lane) else Lane.ODD].append(
                message
            )
        self.count("received", len(self.queued[:most]))
        del self.queued[:most]

    def reserved(
        self, batch: Batch, *, owner: str, records: int, destination: str, alone: bool
    ) -> None:
        """Takes note of what a reserve answered, if it may have answered that."""
        lane = batch.lane
        assert lane not in self.on_hold, "an operator holds the lane"
        known = self.batches.get(batch.id)
        rivals = self._rivals(batch, known) if lane.ordered else []
        held = known or self._fresh(batch, records, destination)
        held.rivals = rivals
        assert held.claim is None, "it was someone else's"
        assert alone or not held.suspect, "a suspect needs a worker that holds nothing else"
        if held.own:
            held.destination = destination
        if lane.ordered and not held.line and batch.destination is None:
            # Where it may go is closed; nobody knows yet whether it goes there.
            held.destination, held.own = None, False
        held.claim, held.owner = batch.claim, owner
        self.same(batch)

    def same(self, batch: Batch) -> None:
        """The batch is what the model holds under its claim."""
        held = self.batches[batch.id]
        assert [(m.number, m.replays, m.payload) for m in batch.members] == [
            (m.number, m.replays, m.payload) for m in held.members
        ]
        for name in ("claim", "lane", "attempts", "failures", "part", "ambiguous", "suspect"):
            assert getattr(batch, name) == getattr(held, name), name
        assert (batch.destination, batch.line) == (held.destination, held.line)
        assert batch.cornered == (held.cornered is not None)

    def _fresh(self, batch: Batch, records: int, destination: str) -> Held:
        count = len(batch.members)
        assert count == min(records, len(self.lanes[batch.lane]))
        held = Held(batch.lane, self.lanes[batch.lane][:count], destination, own=True)
        del self.lanes[batch.lane][:count]
        self.batches[batch.id] = held
        if batch.lane.ordered:
            self.order[batch.lane, None].append(batch.id)
        return held

    def _rivals(self, batch: Batch, held: Held | None) -> list[str]:
        """Whom a batch stands against: of each line the head goes, or a trial for it."""
        order = self.order[batch.lane, held.line if held else None]
        assert not any(self.batches[other].claim for other in order), "one at a time"
        if held is None:
            assert not order, "what is not read yet comes before what is fresh"
        if held is None or batch.id == order[0]:
            assert batch.rival is None
            return []
        assert held.line, "what is not read yet goes in its order"
        head = order[0]
        assert batch.rival == head
        assert self.batches[head].cornered == "untried"
        passed = order[1 : order.index(batch.id)]
        assert len(passed) < TRIALS_BEHIND
        assert not held.cornered, "it failed alone too"
        rivals = [head]
        for other in passed:
            assert self.batches[other].cornered or self.batches[other].behind == head
            rivals += [other] if self.batches[other].cornered else []
        assert list(batch.rival_payloads) == [self.batches[r].members[0].payload for r in rivals]
        return rivals

    def owns(self, batch: Batch) -> bool:
        held = self.batches.get(batch.id)
        return held is not None and held.claim == batch.claim

    def leased_to(self, destination: str | None) -> int:
        """Batches whose lease for a destination has not run out."""
        return sum(
            held.claim is not None and not held.expired and held.destination == destination
            for held in self.batches.values()
        )

    # --- while it is held

    def begin(self, batch: Batch, doubtful: int) -> None:
        held = self.batches[batch.id]
        if held.ambiguous:
            self.count("ambiguous", doubtful)
        held.ambiguous, held.sending = False, True

    def divide(self, batch: Batch, division: Division, ids: Sequence[str]) -> Settled:
        held = self.batches[batch.id]
        if division.strikes:
            held.failures, held.part = 0, True
        before = batch.id
        for part_id, part in zip(ids, division.parts, strict=True):
            members = [m for m in held.members if m.number in part.numbers]
            held.members = [m for m in held.members if m.number not in part.numbers]
            other = held.split_off(members)
            if part.destination:
                other.destination, other.own = part.destination, part.own
            if division.behind:
                other.behind = held.rivals[0]
            self.batches[part_id] = other
            if held.lane.ordered and part.destination:
                self._line_up(part_id, other, part.destination)
            elif part.destination and part.destination in self.closed:
                self._wait_closed(part_id, other)
            else:
                self._after(before, part_id, held)
                before = part_id
        if division.destination:
            held.destination, held.own = division.destination, division.own
            if held.lane.ordered and held.line != division.destination:
                return self._take_place(batch.id, held, division.destination)
        return Settled.DONE

    def _take_place(self, batch_id: str, held: Held, line: str) -> Settled:
        self.order[held.lane, held.line].remove(batch_id)
        if self.order[held.lane, line]:
            self._line_up(batch_id, held, line)
            return Settled.WAITS
        held.line = line
        self.order[held.lane, line].append(batch_id)
        return Settled.DONE

    def _line_up(self, batch_id: str, held: Held, line: str) -> None:
        """At the end of a line, or of its last batch where both are new."""
        held.unlease()
        held.line = held.destination = line
        order = self.order[held.lane, line]
        last = self.batches[order[-1]] if order else None
        if last and last.is_new and held.is_new:
            last.members += held.members
            del self.batches[batch_id]
        else:
            order.append(batch_id)

    def _wait_closed(self, batch_id: str, held: Held) -> None:
        name = held.destination
        last = next(
            (
                one
                for one in self.batches.values()
                if one.waiting == name and one.lane is held.lane and one is not held
            ),
            None,
        )
        held.unlease()
        if last and last.is_new and held.is_new and last.destination == name:
            last.members += held.members
            del self.batches[batch_id]
        elif held.is_new:
            if last:
                last.waiting = None
            held.waiting = name

    def expand(self, batch: Batch, number: str, children: Sequence[Message]) -> None:
        held = self.batches[batch.id]
        at = next(i for i, m in enumerate(held.members) if m.number == number)
        parent = held.members[at]
        base, _, first = number.partition(".")
        for k, child in enumerate(children):
            child.number = f"{base}.{int(first or 1) + k}"
            child.replays = parent.replays
            child.past_attempts, child.past_deaths = parent.past_attempts, parent.past_deaths
        held.members[at : at + 1] = children
        self.count("received", len(children) - 1)

    def settle(self, batch: Batch, settlement: Settlement) -> None:
        held = self.batches[batch.id]
        held.attempts += settlement.sent
        held.sending = held.sending and not settlement.sent
        if settlement.destination and settlement.destination != held.destination:
            held.destination, held.own = settlement.destination, settlement.own
        held.members = self._verdicts(held, settlement)
        if settlement.exhausts and held.rivals and settlement.exhausts == held.rivals[0]:
            self._convict(held.rivals)
        if settlement.behind:
            held.behind = held.rivals[0]
        if not held.members:
            self._finish(batch.id)
        elif isinstance(settlement.rest, Park):
            self._park(held, settlement.rest)
            line = settlement.destination if held.lane.ordered else None
            if line and held.line != line:
                self.order[held.lane, held.line].remove(batch.id)
                self._line_up(batch.id, held, line)
            unsent = not (settlement.sent or settlement.accepted or settlement.rest.pause)
            if not held.lane.ordered and unsent and settlement.destination in self.closed:
                self._wait_closed(batch.id, held)
        elif settlement.rest == "back":
            self._give_back(batch.id, held)

    def _verdicts(self, held: Held, settlement: Settlement) -> list[Message]:
        dead = {verdict.number: verdict for verdict in settlement.dead}
        left = []
        for message in held.members:
            if message.number in dead:
                self.bury(message, held.lane, dead[message.number], held.attempts)
            elif message.number in settlement.move:
                assert settlement.move_to is not None
                self.lanes[settlement.move_to].append(message)
            elif settlement.delivered == "all" or message.number in settlement.delivered:
                self._deliver(message, held.lane)
            else:
                left.append(message)
        return left

    def _deliver(self, message: Message, lane: Lane) -> None:
        self.count("delivered", 1)
        self.count(f"delivered:{lane}", 1)
        before = self.delivered[message.profile] if message.profile else []
        if before and message.replays == 0:
            assert before[-1].place < message.place, "an update overtook an older one"
        if message.replays == 0:
            before.append(message)

    def _convict(self, rivals: Iterable[str]) -> None:
        for rival in rivals:
            held = self.batches.get(rival)
            if held and held.cornered and not held.claim:
                for message in held.members:
                    self.bury(message, held.lane, "exhausted", held.attempts)
                self._finish(rival)

    def _park(self, held: Held, park: Park) -> None:
        held.failures += park.counts
        held.ambiguous = held.ambiguous or park.ambiguous
        held.cornered = "untried" if park.cornered else None
        head = self.batches.get(held.rivals[0]) if held.rivals else None
        if head and head.cornered:
            head.cornered = "tried"
        held.unlease()

    def _give_back(self, batch_id: str, held: Held) -> None:
        held.unlease()
        order = self.order[held.lane, held.line] if held.lane.ordered else [batch_id]
        before = order[order.index(batch_id) - 1] if order[0] != batch_id else None
        unsent = held.attempts == held.deaths == 0
        if held.behind and before and unsent:
            joined = self.batches[before]
            alike = (joined.behind, joined.destination) == (held.behind, held.destination)
            if alike and joined.attempts == joined.deaths == 0:
                joined.members += held.members
                self._finish(batch_id)
                return
        if unsent and not (held.part or held.behind or held.line) and len(order) == 1:
            self.lanes[held.lane][:0] = held.members
            self._finish(batch_id)

    # --- its end

    def reap(self, batch_ids: Iterable[str], *, died: bool) -> tuple[int, int]:
        ended = [(batch_id, self.batches[batch_id]) for batch_id in batch_ids]
        sizes = [len(held.members) for _, held in ended]
        for batch_id, held in ended:
            self._end_lease(batch_id, held, died=died)
        return len(sizes), sum(sizes)

    def _end_lease(self, batch_id: str, held: Held, *, died: bool) -> None:
        count = len(held.members)
        if held.sending:
            held.ambiguous = True
            held.attempts += 1
        held.unlease()
        held.deaths += died
        was_suspect = held.suspect
        if died and (was_suspect or held.deaths >= DEATHS_TOGETHER):
            held.suspect = True
            if count > 1:
                self._halve(batch_id, held)
            elif was_suspect:
                held.deaths_alone += 1
                if held.deaths_alone == DEATHS_ALONE:
                    self.bury(held.members[0], held.lane, "poison", held.attempts)
                    self._finish(batch_id)
                    return
        self.count("redelivered", count)

    def _halve(self, batch_id: str, held: Held) -> None:
        middle = (len(held.members) + 1) // 2
        part_id = f"{batch_id}-{held.deaths}"
        self.batches[part_id] = held.split_off(held.members[middle:])
        held.members = held.members[:middle]
        self._after(batch_id, part_id, held)

    def _after(self, before: str, part_id: str, held: Held) -> None:
        if held.lane.ordered:
            order = self.order[held.lane, held.line]
            order.insert(order.index(before) + 1, part_id)

    def _finish(self, batch_id: str) -> None:
        held = self.batches.pop(batch_id)
        if held.lane.ordered:
            self.order[held.lane, held.line].remove(batch_id)

    def has_batches(self, lane: Lane) -> bool:
        return any(held.lane is lane for held in self.batches.values())

    def bury(self, message: Message, lane: Lane, verdict: Dead | str, attempts: int) -> None:
        reason = verdict if isinstance(verdict, str) else verdict.reason
        self.letters[message.number] = Grave(
            message, lane, reason, message.past_attempts + attempts
        )
        self.count("dead", 1)
        self.count(f"dead:{message.kind}:{reason}", 1)

    def replay(self, numbers: Iterable[str]) -> int:
        graves = [self.letters.pop(number) for number in numbers if number in self.letters]
        for grave in sorted(graves, key=lambda grave: grave.message.place):
            grave.message.replays += 1
            grave.message.past_attempts = grave.attempts
            grave.message.past_deaths += 1
            self.lanes[grave.lane].append(grave.message)
        self.count("replayed", len(graves))
        return len(graves)

    def discard(self, numbers: Iterable[str]) -> int:
        gone = [self.letters.pop(number) for number in numbers if number in self.letters]
        self.count("discarded", len(gone))
        self.count("discarded:operator", len(gone))
        return len(gone)

    def lost(self, _batch: Batch) -> None:
        """One who no longer owns a batch would have settled it."""
        self.count("lost", 1)

    def count(self, name: str, by: int) -> None:
        if by:
            self.totals[name] += by
