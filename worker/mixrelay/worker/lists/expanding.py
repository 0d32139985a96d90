"""Puts the records of a batch's lists in their places, as many as one request takes.

What is over leaves for batches of their own at once, so that none of it is read again before its
turn. A long list becomes shorter ones first. In a parallel lane most of them go to the lane's end:
what others pushed meanwhile is sent in between.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from mixrelay.shared.queue import Division, Number, Part
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.deliver.contents import Sorted
from mixrelay.worker.deliver.writer import Ledger
from mixrelay.worker.lists.cutting import Listed, at_once

BEHIND = 4
"""Batches of lists that follow this one before anyone's of the same lane."""
PARTS_AT_ONCE = 100
"""Into which one call of the queue's parts a batch."""


def expand(held: Held, found: Sorted, ledger: Ledger, most: int) -> None:
    """Does one step: afterwards fewer of the batch's messages are lists, or shorter ones.

    Args:
        held: the batch.
        found: what was found in it.
        ledger: writes down what happens.
        most: records of one request.
    """
    lists = {one.number: one for one in found.lists}
    sizes = [_sizes(lists.get(member.number)) for member in held.batch.members]
    long = [one for one in found.lists if one.is_long]
    for one in long:
        ledger.expand(held, [one.expansion()])
    if long:
        ledger.refresh(held)
    groups = list(_groups(held, list(chain.from_iterable(sizes)), most))
    _part_off(held, groups[1:], ledger)
    if long:
        return
    for some in at_once(lists[number] for number in groups[0] if number in lists):
        ledger.expand(held, some)
    ledger.refresh(held)


def _sizes(listed: Listed | None) -> list[int]:
    return listed.sizes if listed else [1]


def _groups(held: Held, sizes: Sequence[int], most: int) -> Iterator[list[Number]]:
    """Members in a row that fill one request, the first of which may be over it."""
    group: list[Number] = []
    size = 0
    for member, more in zip(held.batch.members, sizes, strict=True):
        if group and size + more > most:
            yield group
            group, size = [], 0
        group.append(member.number)
        size += more
    yield group


def _part_off(held: Held, groups: list[list[Number]], ledger: Ledger) -> None:
    """Gives each group a batch behind this one, in their order."""
    behind, home = groups[:BEHIND], groups[BEHIND:]
    # Parts stand right behind the batch, before those that are there already: the last go first.
    for first in reversed(range(0, len(home), PARTS_AT_ONCE)):
        parts = [Part(one) for one in home[first : first + PARTS_AT_ONCE]]
        ledger.divide(held, Division(parts, home=True))
    if behind:
        ledger.divide(held, Division([Part(one) for one in behind]))
