"""The queue against the model: any moves, by anyone, in any order, each perhaps asked twice.

A worker may vanish between any two commands: it just does nothing more, until its lease ends;
and it may come back as one that no longer owns what it holds.
"""

import os
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mixrelay.shared.queue import (
    Batch,
    Dead,
    Division,
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
from tests.integration.queue.walk import Walk
from tests.support.bench import Bench

THOROUGH = os.environ.get("MIXRELAY_HYPOTHESIS") == "thorough"
EXAMPLES, STEPS = (1_000, 80) if THOROUGH else (80, 40)

WORKERS = ("w1", "w2", "w3")
DESTINATIONS = ("here", "there")
PROFILES = ("p", "q", "r")
WORK = (
    *("begin", "extend", "deliver_all", "expand", "divide_in_order", "divide_in_order"),
    *["settle_each"] * 4,
)
ENDS = (
    *("time_passes", "time_passes", "lease_runs_out", "lease_runs_out", "reap", "reap"),
    *("end_leases", "a_batch_kills_its_workers"),
)
NEVER_MS = 3_600_000
KINDS = (
    *("event", "event", "import", "group_update", "list", "list", "odd"),
    *["profile_update"] * 4,
)
PUSHED = st.tuples(st.sampled_from(KINDS), st.sampled_from(PROFILES))
OUTAGE = Pause(PauseKind.OUTAGE, base_ms=NEVER_MS, cap_ms=NEVER_MS)
WRONG = Pause(PauseKind.CONFIGURATION, base_ms=NEVER_MS, cap_ms=NEVER_MS)
PARKS = (
    Park("later", delay_ms=NEVER_MS),
    Park("at once"),
    Park("counts", counts=True),
    Park("no answer", ambiguous=True),
    Park("503", status=503, pause=OUTAGE, ambiguous=True),
    Park("500", status=500, pause=OUTAGE, counts=True),
    Park("401", status=401, pause=WRONG),
)
CORNERED = (
    Park("500 alone", status=500, counts=True, cornered=True),
    Park("500 alone", status=500, counts=True, cornered=True, pause=OUTAGE),
)


class Machine(RuleBasedStateMachine):
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

    def pick(self, data: st.DataObject) -> tuple[Batch, Held | None]:
        """A batch someone was given; with what it holds where it still is theirs."""
        owned = [batch for batch in self.held if self.model.owns(batch)]
        stale = [batch for batch in self.held if not self.model.owns(batch)][-2:]
        batch = data.draw(st.sampled_from((owned * 3)[:9] + stale), label="batch")
        return batch, self.model.batches[batch.id] if self.model.owns(batch) else None

    def settle(self, batch: Batch, settlement: Settlement) -> None:
        op = self.new_id()
        if self.model.owns(batch):
            self.model.settle(batch, settlement)
            answers = Settled.DONE, Settled.ALREADY
        else:
            self.model.count("lost", 1)
            answers = Settled.LOST, Settled.LOST
        self.twice(lambda: self.queue.settle(batch, settlement, op=op), *answers)

    def divide(self, batch: Batch, division: Division) -> None:
        op = self.new_id()
        ids = [f"{op}-{index}" for index in range(len(division.parts))]
        answers = Settled.LOST, Settled.LOST
        if self.model.owns(batch):
            self.model.divide(batch, division, ids)
            answers = Settled.DONE, Settled.ALREADY
        self.twice(lambda: self.queue.divide(batch, division, op=op), *answers)

    # --- producers, routing, time

    @initialize(kinds=st.lists(PUSHED, min_size=5, max_size=40))
    def begin_with_a_backlog(self, kinds: list[tuple[str, str]]) -> None:
        self.push(kinds)
        self.route(1_000)

    @rule(kinds=st.lists(PUSHED, max_size=12), most=st.integers(0, 20))
    def arrive(self, kinds: list[tuple[str, str]], most: int) -> None:
        if kinds:
            self.push(kinds)
        self.route(most)

    def push(self, kinds: list[tuple[str, str]]) -> None:
        messages = [self.message(*each) for each in kinds]
        self.queue.push([message.payload for message in messages])
        self.model.queued += messages

    def route(self, most: int) -> None:
        moved = min(most, len(self.model.queued))
        self.model.route(most)
        assert self.queue.route(most) == (moved, len(self.model.queued))

    def a_batch_kills_its_workers(self, data: st.DataObject) -> None:
        times = data.draw(st.integers(1, 8), label="times")
        lane = data.draw(st.sampled_from(self.busy_lanes() or list(Lane)), label="lane")
        for _ in range(times):
            before = len(self.held)
            self.ask(self.new_id(), lane, "doomed", 4, "here", alone=True)
            theirs = [b for b, held in self.model.batches.items() if held.owner == "doomed"]
            ended = self.model.reap(theirs, died=True)
            assert self.queue.end_leases("doomed", died=True) == ended
            if len(self.held) == before:
                break

    def time_passes(self, _data: st.DataObject | None = None) -> None:
        for destination in self.bench.redis.smembers(self.bench.key("pauses")):
            self.bench.pause_over(destination.decode())
        self.bench.due()

    # --- workers

    @rule(
        data=st.data(),
        owner=st.sampled_from(WORKERS),
        records=st.integers(1, 8),
        destination=st.sampled_from((*DESTINATIONS, "here", "here")),
        alone=st.booleans(),
        vanishes=st.integers(0, 9),
    )
    def reserve(
        self,
        data: st.DataObject,
        owner: str,
        records: int,
        destination: str,
        *,
        alone: bool,
        vanishes: int,
    ) -> None:
        lanes = st.sampled_from(self.busy_lanes() or list(Lane))
        for lane in data.draw(st.lists(lanes, min_size=1, max_size=4), label="lanes"):
            before = len(self.held)
            self.ask(self.new_id(), lane, owner, records, destination, alone=alone)
            for batch in self.held[before:] if vanishes else ():
                self.leave_rivals_out(batch)

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

    @rule(lane=st.sampled_from([lane for lane in Lane if lane.ordered]), pause=st.booleans())
    def an_ordered_lane_fails_on(self, lane: Lane, *, pause: bool) -> None:
        """The head, or the trial in its place, fails once more; alone it is cornered."""
        before = len(self.held)
        self.ask(self.new_id(), lane, "w1", 1, "here", alone=True)
        for batch in self.held[before:]:
            self.leave_rivals_out(batch)
            if not self.model.owns(batch):
                continue
            held = self.model.batches[batch.id]
            park = CORNERED[pause] if len(held.members) == 1 else Park("500", counts=True)
            self.settle(batch, Settlement(rest=park, sent=True, destination=held.destination))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def reserve_again_with_an_old_claim(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self.held), label="old")
        held = [b for b, held in self.model.batches.items() if held.claim == old.claim]
        if held:
            reply = self.reply_of(old.claim, old.lane, "w1", 3, "here", alone=False)
            assert [reply.id] == held
            self.model.same(reply)
        else:
            self.ask(old.claim, old.lane, "w1", 3, "here", alone=False)

    def reply_of(
        self, claim: str, lane: Lane, owner: str, records: int, destination: str, *, alone: bool
    ) -> Any:
        return self.queue.reserve(
            lane,
            owner=owner,
            claim=claim,
            lease_seconds=NEVER_MS / 1000,
            destination=destination,
            limits=Limits(records=records, linger_seconds=0),
            alone=alone,
        )

    def ask(
        self, claim: str, lane: Lane, owner: str, records: int, destination: str, *, alone: bool
    ) -> None:
        reply = self.reply_of(claim, lane, owner, records, destination, alone=alone)
        if isinstance(reply, Nothing):
            assert not self.must_have_something(lane), reply
            return
        self.model.reserved(
            reply, owner=owner, records=records, destination=destination, alone=alone
        )
        self.held.append(reply)
        before = self.bench.dump()
        assert self.reply_of(claim, lane, owner, records, destination, alone=alone) == reply
        assert self.bench.dump() == before

    def must_have_something(self, lane: Lane) -> bool:
        """Messages wait in the lane, and neither a pause nor a batch before them is in the way."""
        paused = self.bench.redis.exists(self.bench.key("pauses"))
        return bool(self.model.lanes[lane]) and not paused and not self.model.order.get(lane)

    def leave_rivals_out(self, batch: Batch) -> None:
        """A trial leaves out what is about the profiles of its rivals, as a worker does."""
        held = self.model.batches[batch.id]
        profiles = {self.model.batches[r].members[0].profile for r in held.rivals}
        behind = [Number(m.number) for m in held.members if m.profile in profiles]
        if len(behind) == len(held.members):
            self.settle(batch, Settlement(rest="back", behind=True))
        elif behind:
            self.divide(batch, Division([Part(behind)], behind=True))

    @rule(data=st.data(), moves=st.lists(st.sampled_from(WORK), min_size=2, max_size=8))
    def workers_go_on(self, data: st.DataObject, moves: list[str]) -> None:
        for move in moves:
            if not any(self.model.owns(batch) for batch in self.held):
                self.reserve_any(data)
            if self.held:
                getattr(self, move)(data)
            else:
                self.arrive([("event", "p"), ("profile_update", "q")], 2)

    # Twice, since rules are chosen alike and this one does most.
    workers_go_on_and_on = workers_go_on

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
            destination=held.destination if held else "here",
            exhausts=rivals[0] if rivals else None,
        )
        self.settle(batch, settlement)

    def settle_each(self, data: st.DataObject) -> None:
        batch, held = self.pick(data)
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
                destination=held.destination if held else "here",
            ),
        )

    def verdicts(self, data: st.DataObject, batch: Batch, held: Held | None) -> dict[str, Any]:
        """A verdict for some; in an ordered lane for the first, as bodies are sent in order."""
        numbers = [Number(m.number) for m in held.members] if held else list(numbers_of(batch))
        words = ["deliver", "die"] if batch.lane.ordered else ["deliver", "die", "move", "none"]
        chosen = data.draw(st.lists(st.sampled_from(words), max_size=len(numbers)), label="verdict")
        pairs = list(zip(numbers, chosen, strict=False))
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
        numbers = [Number(m.number) for m in held.members] if held else list(numbers_of(batch))
        if len(numbers) < 2:
            return
        cuts = sorted(data.draw(st.sets(st.integers(1, len(numbers) - 1), min_size=1)))
        ends = [*cuts[1:], len(numbers)]
        destination = "abroad" if foreign and not batch.lane.ordered else None
        parts = [
            Part(numbers[start:end], destination=destination)
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
                number,
                [child.payload for child in children],
                rest=tail[0].payload if tail else None,
                op=op,
            ),
            *answers,
        )

    # --- the end of leases

    @rule(data=st.data(), move=st.sampled_from(ENDS))
    def time_or_death_intervenes(self, data: st.DataObject, move: str) -> None:
        getattr(self, move)(data)

    def lease_runs_out(self, data: st.DataObject) -> None:
        if not self.held:
            return
        batch, held = self.pick(data)
        if held:
            held.expired = True
            self.bench.lease_over(batch)

    def reap(self, data: st.DataObject) -> None:
        most = data.draw(st.integers(1, 3), label="most")
        over = sorted(b for b, held in self.model.batches.items() if held.expired)[:most]
        assert self.queue.reap(most) == self.model.reap(over, died=True)

    def end_leases(self, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(WORKERS), label="owner")
        died = data.draw(st.booleans(), label="died")
        theirs = [b for b, held in self.model.batches.items() if held.owner == owner]
        ended = self.model.reap(theirs, died=died)
        self.twice(lambda: self.queue.end_leases(owner, died=died), ended, (0, 0))

    # --- operators

    @precondition(lambda self: self.model.letters)
    @rule(data=st.data(), replayed=st.sampled_from((True, True, False)))
    def replay_or_discard(self, data: st.DataObject, *, replayed: bool) -> None:
        known = [*self.model.letters, "0-1", "0-999"]
        numbers = list(map(Number, data.draw(st.lists(st.sampled_from(known), max_size=6))))
        op = self.new_id()
        move = self.queue.replay if replayed else self.queue.discard
        moved = self.model.replay(numbers) if replayed else self.model.discard(numbers)
        self.twice(lambda: move(numbers, op=op), moved)

    # --- what always holds

    @invariant()
    def the_books_balance(self) -> None:
        books = self.queue.books()
        assert books.difference == 0
        assert books.in_flight == sum(len(held.members) for held in self.model.batches.values())

    @invariant()
    def every_message_is_where_the_model_says_and_nowhere_else(self) -> None:
        Walk(self.bench).compare(self.model)

    @invariant()
    def a_pause_is_listed_and_its_probe_is_leased(self) -> None:
        redis, key = self.bench.redis, self.bench.key
        listed = {name.decode() for name in redis.smembers(key("pauses"))}
        prefix = key("pause:").encode()
        assert {k.removeprefix(prefix).decode() for k in redis.keys(key("pause:*"))} == listed
        for destination in listed:
            probe = redis.hget(key(f"pause:{destination}"), "probe")
            held = self.model.batches.get(probe.decode()) if probe else None
            assert probe is None or (held is not None and held.claim)

    def teardown(self) -> None:
        """Mixpanel is well and a good worker is left: everything ends, in order."""
        for _ in range(400):
            self.recover()
            books = self.queue.books()
            if books.waiting == 0:
                break
            for lane in Lane:
                self.drain(lane)
        else:
            pytest.fail(f"stuck: {orjson.dumps(self.bench.dump(), default=str)!r}")
        Walk(self.bench).compare(self.model)
        assert self.queue.books().batches == 0

    def recover(self) -> None:
        for batch_id, held in self.model.batches.items():
            held.expired = held.expired or held.claim is not None
            self.bench.redis.zadd(self.bench.key("leases"), {batch_id: 1}, xx=True)
        over = [b for b, held in self.model.batches.items() if held.expired]
        assert self.queue.reap(1_000) == self.model.reap(sorted(over), died=True)
        self.time_passes()
        self.route(1_000)

    def drain(self, lane: Lane) -> None:
        before = len(self.held)
        self.ask(self.new_id(), lane, "last", 5, "here", alone=True)
        for batch in self.held[before:]:
            self.leave_rivals_out(batch)
            if self.model.owns(batch):
                held = self.model.batches[batch.id]
                self.settle(
                    batch,
                    Settlement(
                        delivered="all",
                        sent=True,
                        accepted=True,
                        destination=held.destination,
                        exhausts=held.rivals[0] if held.rivals else None,
                    ),
                )


def numbers_of(batch: Batch) -> list[Number]:
    return [member.number for member in batch.members]


@pytest.mark.timeout(7_200 if THOROUGH else 180)
def test_any_sequence_of_moves_keeps_every_message_in_one_place(bench: Bench) -> None:
    machine = type("BenchedMachine", (Machine,), {"bench": bench})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
