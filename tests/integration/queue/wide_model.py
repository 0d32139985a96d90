"""A queue of several partitions in plain Python: a model of each, and nothing between them."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from mixrelay.shared.queue import Batch, Division, Lane, Settled, Settlement
from mixrelay.shared.queue.messages.batch import partition_of
from tests.integration.queue.model import Grave, Held, Message, Model


class WideModel:
    """Is asked as a `Model` is."""

    def __init__(self, partitions: int) -> None:
        self.parts = [Model(index) for index in range(partitions)]
        self.on_hold: set[Lane] = set()
        for part in self.parts:
            part.on_hold = self.on_hold

    @property
    def batches(self) -> dict[str, Held]:
        return dict(chain.from_iterable(part.batches.items() for part in self.parts))

    @property
    def letters(self) -> dict[str, Grave]:
        return dict(chain.from_iterable(part.letters.items() for part in self.parts))

    @property
    def lanes(self) -> dict[Lane, list[Message]]:
        return {lane: list(chain(*(part.lanes[lane] for part in self.parts))) for lane in Lane}

    def reserved(self, batch: Batch, **asked: Any) -> None:
        self._of(batch).reserved(batch, **asked)

    def same(self, batch: Batch) -> None:
        self._of(batch).same(batch)

    def has_batches(self, lane: Lane) -> bool:
        return any(part.has_batches(lane) for part in self.parts)

    def owns(self, batch: Batch) -> bool:
        return self._of(batch).owns(batch)

    def lost(self, batch: Batch) -> None:
        self._of(batch).lost(batch)

    def leased_to(self, destination: str | None) -> int:
        return sum(part.leased_to(destination) for part in self.parts)

    def begin(self, batch: Batch, doubtful: int) -> None:
        self._of(batch).begin(batch, doubtful)

    def divide(self, batch: Batch, division: Division, ids: Sequence[str]) -> Settled:
        return self._of(batch).divide(batch, division, ids)

    def expand(self, batch: Batch, number: str, children: Sequence[Message]) -> None:
        self._of(batch).expand(batch, number, children)

    def settle(self, batch: Batch, settlement: Settlement) -> None:
        self._of(batch).settle(batch, settlement)

    def reap(self, batch_ids: Sequence[str], *, died: bool) -> tuple[int, int]:
        ended = [
            part.reap([b for b in batch_ids if b in part.batches], died=died) for part in self.parts
        ]
        return sum(batches for batches, _ in ended), sum(messages for _, messages in ended)

    def replay(self, numbers: Sequence[str]) -> int:
        of = [[n for n in numbers if partition_of(n) == part.partition] for part in self.parts]
        return sum(part.replay(own) for part, own in zip(self.parts, of, strict=True))

    def discard(self, numbers: Iterable[str]) -> int:
        return sum(self.parts[partition_of(number)].discard([number]) for number in numbers)

    def _of(self, batch: Batch) -> Model:
        return self.parts[batch.partition]
