"""The messages of a batch, as Redis answers them: one text, parted where someone looks.

A batch has thousands, and most are only sent on: their payloads are cut out where they are
read, and their numbers where something must be said about one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import gt
from typing import NamedTuple, NewType, Self, overload

Number = NewType("Number", str)
"""A message's number, `<partition>-<n>` or `<partition>-<n>.<k>`; a letter's id."""

# What routing wrote in front of a payload: number, received, replays.
_HEAD = re.compile(rb"[!-~]+ ([0-9]{1,20}) [0-9]{1,20} ")


class Member(NamedTuple):
    """One message of a batch, with what routing put in front of it."""

    number: Number
    received_ms: int
    """When it was routed, by Redis's clock (Unix milliseconds)."""
    replays: int
    payload: bytes
    """The tuple, verbatim."""

    @classmethod
    def parse(cls, stored: bytes) -> Self:
        number, received, replays, payload = stored.split(b" ", 3)
        return cls(Number(number.decode()), int(received), int(replays), payload)


class Members(Sequence[Member]):
    """Members that lie one behind the other in one text; as good as a tuple of them."""

    __slots__ = ("_bounds", "_joined", "_payloads_at", "_received")

    def __init__(
        self, joined: bytes, bounds: list[int], payloads_at: list[int], received: list[bytes]
    ) -> None:
        """`bounds` are where members begin, and last where they end; `received` is in digits."""
        self._joined = joined
        self._bounds = bounds
        self._payloads_at = payloads_at
        self._received = received

    @classmethod
    def parse(cls, joined: bytes, lengths: bytes) -> Self:
        """Finds each head, so that later no one meets a member that has none.

        Raises:
            ValueError: a member has none.
        """
        sizes = map(int, lengths.split(b",")) if lengths else ()
        bounds = list(accumulate(sizes, initial=0))
        head = _HEAD.match
        heads = [found for at in bounds[:-1] if (found := head(joined, at))]
        payloads_at = [found.end() for found in heads]
        if len(payloads_at) < len(bounds) - 1 or any(map(gt, payloads_at, bounds[1:])):
            raise ValueError("a member without a head")
        return cls(joined, bounds, payloads_at, [found[1] for found in heads])

    def payloads(self) -> list[bytes]:
        joined = self._joined
        return [joined[at:end] for at, end in zip(self._payloads_at, self._bounds[1:], strict=True)]

    def receipts(self) -> list[int]:
        """When each was received (Unix milliseconds)."""
        # Most were routed together, and share a time.
        known = {digits: int(digits) for digits in set(self._received)}
        return [known[digits] for digits in self._received]

    def __len__(self) -> int:
        return len(self._payloads_at)

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> Members: ...
    def __getitem__(self, index: int | slice) -> Member | Members:
        if isinstance(index, slice):
            first, end, _ = index.indices(len(self))
            bounds = self._bounds[first : end + 1]
            received = self._received[first:end]
            return Members(self._joined, bounds, self._payloads_at[first:end], received)
        return self._member(range(len(self))[index])

    def __iter__(self) -> Iterator[Member]:
        return map(self._member, range(len(self)))

    def _member(self, place: int) -> Member:
        payload_at = self._payloads_at[place]
        number, received, replays = self._joined[self._bounds[place] : payload_at].split()
        payload = self._joined[payload_at : self._bounds[place + 1]]
        return Member(Number(number.decode()), int(received), int(replays), payload)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


def receipts(members: Sequence[Member]) -> list[int]:
    """When each of some was received (Unix milliseconds)."""
    if isinstance(members, Members):
        return members.receipts()
    return [member.received_ms for member in members]
