"""The queue against the model: any moves, by anyone, in any order, each perhaps asked twice.

A worker may vanish between any two commands: it just does nothing more, until its lease ends;
and it may come back as one that no longer owns what it holds.
"""

import os

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

from mixrelay.shared.queue import HOLDABLE, Batch, Lane, Number, Park, Settlement
from tests.integration.queue.walk import Walk
from tests.integration.queue.workers import CORNERED, Workers
from tests.support.bench import Bench

THOROUGH = os.environ.get("MIXRELAY_HYPOTHESIS") == "thorough"
EXAMPLES, STEPS = (1_000, 80) if THOROUGH else (40, 40)

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
KINDS = (
    *("event", "event", "import", "group_update", "list", "list", "odd"),
    *["profile_update"] * 4,
)
PUSHED = st.tuples(st.sampled_from(KINDS), st.sampled_from(PROFILES))


def as_chosen(claim: str | None) -> str | None:
    """A claim as its worker chose it, before a partition's number was put behind it."""
    return claim and claim.partition(".")[0]


class Machine(Workers):
    takes_from_list = True
    """Whether a reserve may take out of the list what its lane lacks."""

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

    # --- workers

    @rule(
        data=st.data(),
        owner=st.sampled_from(WORKERS),
        records=st.integers(1, 8),
        destination=st.sampled_from((*DESTINATIONS, "here", "here")),
        alone=st.booleans(),
        vanishes=st.integers(0, 9),
        arrives=st.lists(PUSHED, max_size=8),
        routes=st.integers(0, 12),
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
        arrives: list[tuple[str, str]],
        routes: int,
    ) -> None:
        if not self.takes_from_list:
            routes = 0
        elif arrives:
            self.push(arrives)
        lanes = st.sampled_from(self.busy_lanes() or list(Lane))
        for lane in data.draw(st.lists(lanes, min_size=1, max_size=4), label="lanes"):
            before = len(self.held)
            self.ask(self.new_id(), lane, owner, records, destination, alone=alone, routes=routes)
            for batch in self.held[before:] if vanishes else ():
                self.leave_rivals_out(batch)

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
            self.settle(batch, Settlement(rest=park, sent=True, destination=held.line))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def reserve_again_with_an_old_claim(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self.held), label="old")
        claim = as_chosen(old.claim)
        held = [b for b, held in self.model.batches.items() if as_chosen(held.claim) == claim]
        if held:
            known = [b for b in self.held if as_chosen(b.claim) == claim and b.id in held]
            reply = self.asked_again(known[-1])
            assert [reply.id] == held
            self.model.same(reply)
        else:
            self.ask(claim, old.lane, "w1", 3, "here", alone=False)

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
            self.lease_over(batch)

    def lease_over(self, batch: Batch) -> None:
        self.bench.lease_over(batch)

    def reap(self, data: st.DataObject) -> None:
        most = data.draw(st.integers(1, 3), label="most")
        assert self.queue.reap(most) == self.model.reap(self.overdue(most), died=True)

    def overdue(self, most: int) -> list[str]:
        return sorted(b for b, held in self.model.batches.items() if held.expired)[:most]

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

    @rule(lane=st.sampled_from(HOLDABLE), held=st.sampled_from((True, False, False)))
    def pause_or_resume(self, lane: Lane, *, held: bool) -> None:
        op = self.new_id()
        move = self.queue.pause if held else self.queue.resume
        changed = held != (lane in self.model.on_hold)
        self.twice(lambda: move(lane, who="ann", why="", op=op), changed)
        (self.model.on_hold.add if held else self.model.on_hold.discard)(lane)

    # --- what always holds

    @invariant()
    def the_books_balance(self) -> None:
        books = self.queue.books()
        assert {hold.lane for hold in books.held} == self.model.on_hold
        assert books.difference == 0
        assert books.in_flight == sum(len(held.members) for held in self.model.batches.values())

    @invariant()
    def every_message_is_where_the_model_says_and_nowhere_else(self) -> None:
        self.compare()

    def compare(self) -> None:
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
        for lane in tuple(self.model.on_hold):
            self.pause_or_resume(lane, held=False)
        for _ in range(400):
            self.recover()
            books = self.queue.books()
            if books.waiting == 0:
                break
            for lane in Lane:
                self.drain(lane)
        else:
            pytest.fail(f"stuck: {orjson.dumps(self.bench.dump(), default=str)!r}")
        self.compare()
        assert self.queue.books().batches == 0

    def recover(self) -> None:
        for held in self.model.batches.values():
            held.expired = held.expired or held.claim is not None
        self.leases_over()
        assert self.queue.reap(1_000) == self.model.reap(self.overdue(1_000), died=True)
        self.time_passes()
        self.route(1_000)

    def leases_over(self) -> None:
        for batch_id in self.model.batches:
            self.bench.redis.zadd(self.bench.key("leases"), {batch_id: 1}, xx=True)

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
                        destination=self.way_of(held),
                        exhausts=held.rivals[0] if held.rivals else None,
                    ),
                )


def run(machine: type[RuleBasedStateMachine]) -> None:
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


@pytest.mark.timeout(7_200 if THOROUGH else 180)
def test_any_sequence_of_moves_keeps_every_message_in_one_place(bench: Bench) -> None:
    run(type("BenchedMachine", (Machine,), {"bench": bench}))
