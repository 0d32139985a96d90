"""Workers of whom each may ask twice, come late, or vanish: the moves that the machine makes."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from mixrelay.shared.queue import (
    Batch,
    Dead,
    Division,
    Expansion,
    Lane,
    Limits,
    Nothing,
    Number,
    Park,
    Part,
    Pause,
    PauseKind,
    Queue,
    Settled,
    Settlement,
)
from tests.integration.queue.model import Held, Message, Model
from tests.support.bench import Bench, numbers

NEVER_MS = 3_600_000
OUTAGE = Pause(PauseKind.OUTAGE, base_ms=NEVER_MS, cap_ms=NEVER_MS)
WRONG = Pause(PauseKind.CONFIGURATION, base_ms=NEVER_MS, cap_ms=NEVER_MS)
PARKS = (
    Park("later", delay_ms=NEVER_MS),
    Park("at once"),
    Park("counts", counts=True),
    Park("no answer", ambiguous=True),
    Park("503", status=503, pause=OUTAGE, ambiguous=True),
    Park("500", status=500, pause=OUTAGE, counts=True),
    Park("429", status=429, pause=OUTAGE),
    Park("401", status=401, pause=WRONG),
)
CORNERED = (
    Park("500 alone", status=500, counts=True, cornered=True),
    Park("500 alone", status=500, counts=True, cornered=True, pause=OUTAGE),
)


def goes_to(message: Message) -> str:
    """Two profiles are of one project, and one of another."""
    assert message.profile
    return {"p": "here", "q": "here", "r": "there"}[message.profile[-1]]


class Workers(RuleBasedStateMachine):
    bench: Bench  # set by the test, one server for all examples

    def __init__(self) -> None:
        super().__init__()
        self.bench.redis.flushall()
        self.queue: Queue = self.bench.queue
        self.model = Model()
        self.held: list[Batch] = []
        self.pushed = 0
        self.ids = 0

    # --- helpers

    def new_id(self) -> str:
        """Not random: the order of ids decides which of two leases is ended first."""
        self.ids += 1
        return f"id{self.ids:05}"

    def message(self, kind: str, profile: str) -> Message:
        """A message with bytes of its own; a list's kind is the lane's."""
        self.pushed += 1
        name = {"list": "people", "odd": "nobody"}.get(kind, kind)
        payload = b'["%s","%d \xff\x00\\n %s"]' % (name.encode(), self.pushed, profile.encode())
        ordered = kind in ("profile_update", "group_update", "list")
        shown = {"list": "profile_update", "odd": "unknown"}.get(kind, kind)
        message = Message("", payload, shown, f"{name}:{profile}" if ordered else None)
        if kind in ("list", "profile_update"):
            message.profile = profile
        return message

    def twice(self, move: Any, first: Any, second: Any = None) -> None:
        """Carries out a move; its reply is lost, so it is asked for again."""
        assert move() == first
        before = self.bench.dump()
        assert move() == (first if second is None else second)
        assert self.bench.dump() == before

    def note_closed(self) -> None:
        self.model.closed = self.paused(self.bench)

    def paused(self, bench: Bench) -> set[str]:
        return {name.decode() for name in bench.redis.smembers(bench.key("pauses"))}

    def pick(self, data: st.DataObject) -> tuple[Batch, Held | None]:
        """A batch someone was given; with what it holds where it still is theirs."""
        owned = [batch for batch in self.held if self.model.owns(batch)]
        stale = [batch for batch in self.held if not self.model.owns(batch)][-2:]
        batch = data.draw(st.sampled_from((owned * 3)[:9] + stale), label="batch")
        return batch, self.model.batches[batch.id] if self.model.owns(batch) else None

    def settle(self, batch: Batch, settlement: Settlement) -> None:
        op = self.new_id()
        self.note_closed()
        if self.model.owns(batch):
            self.model.settle(batch, settlement)
            answers = Settled.DONE, Settled.ALREADY
        else:
            self.model.lost(batch)
            answers = Settled.LOST, Settled.LOST
        self.twice(lambda: self.queue.settle(batch, settlement, op=op), *answers)

    def divide(self, batch: Batch, division: Division) -> None:
        op = self.new_id()
        ids = [f"{op}-{index}" for index in range(len(division.parts))]
        answers = Settled.LOST, Settled.LOST
        self.note_closed()
        if self.model.owns(batch):
            ended = self.model.divide(batch, division, ids)
            answers = ended, Settled.ALREADY if ended is Settled.DONE else ended
        self.twice(lambda: self.queue.divide(batch, division, op=op), *answers)

    # --- reserving

    def time_passes(self, _data: st.DataObject | None = None) -> None:
        for destination in self.bench.redis.smembers(self.bench.key("pauses")):
            self.bench.pause_over(destination.decode())
        self.all_due()

    def all_due(self) -> None:
        self.bench.due()

    def reserve_any(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(self.busy_lanes() or list(Lane)), label="lane")
        before = len(self.held)
        for _ in range(2):
            self.ask(self.new_id(), lane, "w3", 6, "here", alone=True)
            if self.held[before:]:
                self.leave_rivals_out(self.held[-1])
                return
            self.time_passes()

    def busy_lanes(self) -> list[Lane]:
        waiting = {held.lane for held in self.model.batches.values() if not held.claim}
        return [lane for lane in Lane if self.model.lanes[lane] or lane in waiting]

    def reply_of(
        self,
        claim: str,
        lane: Lane,
        owner: str,
        records: int,
        destination: str,
        *,
        alone: bool,
        routes: int = 0,
    ) -> Any:
        return self.queue.reserve(
            lane,
            owner=owner,
            claim=claim,
            lease_seconds=NEVER_MS / 1000,
            destination=destination,
            limits=Limits(records=records, linger_seconds=0),
            alone=alone,
            routes=routes,
        )

    def ask(
        self,
        claim: str,
        lane: Lane,
        owner: str,
        records: int,
        destination: str,
        *,
        alone: bool,
        routes: int = 0,
    ) -> None:
        self.clocks_stand_still()
        paces = self.queue.books().paces
        reply = self.reply_of(claim, lane, owner, records, destination, alone=alone, routes=routes)
        self.clocks_stand_still()
        self.takes_note_of_routing(reply, routes)
        if isinstance(reply, Nothing):
            assert not self.must_have_something(lane), reply
            return
        self.model.reserved(
            reply, owner=owner, records=records, destination=destination, alone=alone
        )
        self.held.append(reply)
        self.keeps_to_the_pace(reply, paces)
        before = self.bench.dump()
        assert self.asked_again(reply) == reply
        assert self.bench.dump() == before

    def takes_note_of_routing(self, reply: Any, routes: int) -> None:
        """What a reserve took out of the list, by how many are left there."""
        if not routes:
            assert not reply.routed
            return
        assert set(reply.routed) == self.taken_out(routes)

    def taken_out(self, routes: int) -> set[Lane]:
        """Lets the model route what is no longer in the list; the lanes that it belongs to."""
        gone = len(self.model.queued) - self.queue.books().queued
        assert 0 <= gone <= routes
        kinds = {message.kind for message in self.model.queued[:gone]}
        self.model.route(gone)
        return {Lane(kind) if kind in list(Lane) else Lane.ODD for kind in kinds}

    def clocks_stand_still(self) -> None:
        """What is due is due alike: how fast the test runs must change nothing."""
        for bench in self.benches():
            for lane in (lane for lane in Lane if lane.ordered):
                lines = bench.key(f"lines:{lane}")
                bench.redis.delete(bench.key(f"ahead:{lane}"))
                for line in bench.redis.zrangebyscore(lines, "-inf", time.time() * 1000):
                    bench.redis.zadd(lines, {line: 1})

    def benches(self) -> Sequence[Bench]:
        return [self.bench]

    def asked_again(self, batch: Batch) -> Any:
        """What one is answered whose reply was lost."""
        return self.reply_of(batch.claim, batch.lane, "w1", 3, "here", alone=False)

    def keeps_to_the_pace(self, batch: Batch, paces: Mapping[str, int]) -> None:
        """It is one of as many as its destination's pace allows; a probe comes before all that."""
        limit = paces.get(batch.destination or "")
        if limit and not batch.probe and not batch.lane.ordered:
            assert self.model.leased_to(batch.destination) <= limit

    def must_have_something(self, lane: Lane) -> bool:
        """Messages wait in the lane, and neither a pause nor a batch before them is in the way,
        nor, where there is a pace, one that is leased."""
        redis, key = self.bench.redis, self.bench.key
        slowed = redis.exists(key("paces")) and any(
            held.claim and not held.expired for held in self.model.batches.values()
        )
        before = lane.ordered and self.model.has_batches(lane)
        free = not redis.exists(key("pauses")) and not slowed and not before
        return bool(self.model.lanes[lane]) and free and lane not in self.model.on_hold

    def read(self, batch: Batch) -> bool:
        """Parts off what goes elsewhere, as a worker does first; whether it is theirs then."""
        held = self.model.batches[batch.id] if self.model.owns(batch) else None
        if not held or not batch.lane.ordered:
            return held is not None
        stays = goes_to(held.members[0])
        groups: dict[str, list[Number]] = {}
        for message in held.members:
            if goes_to(message) != stays:
                groups.setdefault(goes_to(message), []).append(Number(message.number))
        if groups or held.line != stays:
            parts = [Part(some, destination) for destination, some in groups.items()]
            own = stays == "here"
            self.divide(batch, Division(parts, destination=stays, own=own))
        return self.model.owns(batch)

    def leave_rivals_out(self, batch: Batch) -> None:
        """A trial leaves out what is about the profiles of its rivals, as a worker does."""
        if not self.read(batch):
            return
        held = self.model.batches[batch.id]
        profiles = {self.model.batches[r].members[0].profile for r in held.rivals}
        behind = [Number(m.number) for m in held.members if m.profile in profiles]
        if len(behind) == len(held.members):
            self.settle(batch, Settlement(rest="back", behind=True))
        elif behind:
            self.divide(batch, Division([Part(behind)], behind=True))

    def way_of(self, held: Held | None) -> str | None:
        """Where a request with it goes."""
        if held is None:
            return "here"
        return held.line if held.lane.ordered else held.destination

    # --- while it is held

    def begin(self, data: st.DataObject) -> None:
        batch, held = self.pick(data)
        doubtful = data.draw(st.integers(0, 3), label="doubtful")
        if held:
            self.model.begin(batch, doubtful)
        self.twice(lambda: self.queue.begin(batch, doubtful=doubtful), held is not None)

    def extend(self, data: st.DataObject) -> None:
        batch, held = self.pick(data)
        lost = frozenset() if held else frozenset({batch.id})
        assert self.queue.extend([batch], NEVER_MS / 1000) == lost
        if held:
            held.expired = False

    def deliver_all(self, data: st.DataObject) -> None:
        batch, held = self.pick(data)
        if held:
            self.leave_rivals_out(batch)
            held = self.model.batches.get(batch.id) if self.model.owns(batch) else None
        rivals = held.rivals if held else []
        settlement = Settlement(
            delivered="all",
            sent=True,
            accepted=True,
            destination=self.way_of(held),
            exhausts=rivals[0] if rivals else None,
        )
        self.settle(batch, settlement)

    def settle_each(self, data: st.DataObject) -> None:
        batch, held = self.pick(data)
        if held and not self.read(batch):
            return
        sent, accepted = data.draw(st.booleans()), data.draw(st.booleans())
        verdicts = self.verdicts(data, batch, held)
        lone = held is not None and len(held.members) == 1 and batch.lane.ordered
        parks = PARKS + CORNERED * 4 if lone else PARKS
        rest = data.draw(st.sampled_from(("keep", "back", "back", "back", *parks)), label="rest")
        self.settle(
            batch,
            Settlement(
                **verdicts,
                rest=rest,
                sent=sent,
                accepted=accepted,
                destination=self.way_of(held),
            ),
        )

    def verdicts(self, data: st.DataObject, batch: Batch, held: Held | None) -> dict[str, Any]:
        """A verdict for some; in an ordered lane for the first, as bodies are sent in order."""
        theirs = [Number(m.number) for m in held.members] if held else numbers(batch)
        words = ["deliver", "die"] if batch.lane.ordered else ["deliver", "die", "move", "none"]
        chosen = data.draw(st.lists(st.sampled_from(words), max_size=len(theirs)), label="verdict")
        pairs = list(zip(theirs, chosen, strict=False))
        if held and held.rivals and "deliver" in chosen:
            pairs = []  # a trial is accepted whole or not at all
        dead = [
            Dead(number, f"reason{len(number) % 2}", "x", status=400)
            for number, word in pairs
            if word == "die"
        ]
        return {
            "delivered": [number for number, word in pairs if word == "deliver"],
            "dead": dead,
            "move_to": Lane.IMPORT,
            "move": [number for number, word in pairs if word == "move"],
        }

    def divide_in_order(self, data: st.DataObject) -> None:
        batch, held = self.pick(data)
        strikes, foreign = data.draw(st.booleans()), data.draw(st.booleans())
        theirs = [Number(m.number) for m in held.members] if held else numbers(batch)
        if len(theirs) < 2:
            return
        cuts = sorted(data.draw(st.sets(st.integers(1, len(theirs) - 1), min_size=1)))
        ends = [*cuts[1:], len(theirs)]
        destination = "abroad" if foreign and not batch.lane.ordered else None
        parts = [
            Part(theirs[start:end], destination=destination)
            for start, end in zip(cuts, ends, strict=True)
        ]
        self.divide(batch, Division(parts, strikes=strikes))

    def expand(self, data: st.DataObject) -> None:
        batch, held = self.pick(data)
        records, rest = data.draw(st.integers(1, 4)), data.draw(st.booleans())
        lists = [m for m in held.members if m.payload.startswith(b'["people"')] if held else []
        if held and not lists:
            return
        number = Number(lists[0].number) if lists else Number("0-1")
        profile = lists[0].profile if lists else None
        children = [self.message("profile_update", profile or "p") for _ in range(records)]
        tail = [self.message("list", profile or "p")] if rest else []
        answers = Settled.LOST, Settled.LOST
        if held:
            self.model.expand(batch, number, children + tail)
            answers = Settled.DONE, Settled.ALREADY
        op = self.new_id()
        self.twice(
            lambda: self.queue.expand(
                batch,
                [
                    Expansion(
                        number,
                        [child.payload for child in [*children, *tail]],
                    )
                ],
                op=op,
            ),
            *answers,
        )
