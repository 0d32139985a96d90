"""The same as `test_model`, for a queue of three partitions and its one set of gates."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest
from redis import Redis

from mixrelay.shared.queue import Batch, Lane
from tests.integration.queue.model import Message
from tests.integration.queue.test_model import THOROUGH, Machine, run
from tests.integration.queue.walk import Walk
from tests.integration.queue.wide_model import WideModel
from tests.support.bench import Bench
from tests.support.wide import Wide

PARTITIONS = 3
HOMES = {"p": 1, "q": 1, "r": 2}
"""Of updates; what has no order goes anywhere."""


class WideMachine(Machine):
    takes_from_list = False
    wide: Wide  # set by the test, one server for all examples
    model: WideModel  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        # Turns and claims of an earlier example would make this one another each time.
        self.queue = self.wide.queue = self.wide.another()
        self.model = WideModel(PARTITIONS)

    # --- where things are

    def push(self, kinds: list[tuple[str, str]]) -> None:
        for message in [self.message(*each) for each in kinds]:
            index = self.index_of(message)
            self.wide.push(index, message.payload)
            self.model.parts[index].queued.append(message)

    def index_of(self, message: Message) -> int:
        if message.profile is None:
            return self.pushed % PARTITIONS
        return HOMES[message.profile[-1]]

    def route(self, most: int) -> None:
        """One list in its turn; all of them where all is to be moved."""
        while True:
            before = [len(part.queued) for part in self.model.parts]
            moved, left = self.queue.route(most)
            after = [bench.redis.llen(bench.queue.name) for bench in self.wide.benches]
            changed = [i for i in range(PARTITIONS) if after[i] != before[i]]
            assert len(changed) == (most > 0 and any(before))
            for index in changed:
                assert moved == min(most, before[index])
                assert after[index] == before[index] - moved <= left
                self.model.parts[index].route(most)
            if moved == 0 or most < 1_000:
                return

    def asked_again(self, batch: Batch) -> Any:
        return self.queue.again(batch, owner="w1", lease_seconds=1)

    def all_due(self) -> None:
        for bench in self.wide.benches:
            bench.due()

    def lease_over(self, batch: Batch) -> None:
        self.wide.lease_over(batch)

    def leases_over(self) -> None:
        for bench, part in zip(self.wide.benches, self.model.parts, strict=True):
            for batch_id in part.batches:
                bench.redis.zadd(bench.key("leases"), {batch_id: 1}, xx=True)

    def benches(self) -> Sequence[Bench]:
        return self.wide.benches

    def note_closed(self) -> None:
        for bench, part in zip(self.wide.benches, self.model.parts, strict=True):
            part.closed = self.paused(bench)

    def overdue(self, most: int) -> list[str]:
        each = (
            sorted(b for b, held in part.batches.items() if held.expired)[:most]
            for part in self.model.parts
        )
        return list(chain.from_iterable(each))

    def must_have_something(self, lane: Lane) -> bool:
        redis, key = self.bench.redis, self.bench.key
        if lane in self.model.on_hold or redis.exists(key("pauses"), key("paces")):
            return False
        return any(
            part.lanes[lane] and not (lane.ordered and part.has_batches(lane))
            for part in self.model.parts
        )

    def compare(self) -> None:
        for bench, part in zip(self.wide.benches, self.model.parts, strict=True):
            Walk(bench).compare(part)


@pytest.mark.timeout(7_200 if THOROUGH else 300)
def test_any_sequence_of_moves_keeps_every_message_in_one_place(redis: Redis) -> None:
    wide = Wide(redis, PARTITIONS)
    bench = Bench(wide.queue)
    run(type("BenchedMachine", (WideMachine,), {"bench": bench, "wide": wide}))
