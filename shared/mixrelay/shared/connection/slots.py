"""Which node of a cluster serves which slot, from what the nodes say. Opens nothing."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot


class Place(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def slot_of(key: str | bytes) -> int:
    return int(key_slot(key if isinstance(key, bytes) else key.encode()))


class SlotMap:
    """The masters by slot, and every node that was named."""

    def __init__(self, places: Sequence[Place]) -> None:
        """Knows of these nodes, and of no slot."""
        self.places = set(places)
        self._masters: list[Place | None] = [None] * REDIS_CLUSTER_HASH_SLOTS

    @classmethod
    def read(cls, reply: Any, asked: Place) -> Self:
        """From the answer to CLUSTER SLOTS (Redis: its page): ranges, each with its nodes.

        A node that does not know its own name answers for the one that was asked.
        """
        made = cls([asked])
        for first, last, *nodes in reply:
            places = [_place(node, asked) for node in nodes]
            made.places.update(places)
            made._masters[first : last + 1] = [places[0]] * (last + 1 - first)
        return made

    def master_of(self, slot: int) -> Place | None:
        return self._masters[slot]

    def move(self, slot: int, to: Place) -> None:
        self.places.add(to)
        self._masters[slot] = to

    def slot_at(self, place: Place) -> int:
        """The first that it serves."""
        return self._masters.index(place)

    def masters(self) -> list[Place]:
        """Those that serve slots, in the order of their first."""
        return [place for place in dict.fromkeys(self._masters) if place is not None]


def _place(node: Sequence[Any], asked: Place) -> Place:
    host = node[0]
    named = host.decode() if isinstance(host, bytes) else host
    return Place(named or asked.host, int(node[1]))
