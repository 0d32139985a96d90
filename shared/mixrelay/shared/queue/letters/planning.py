"""How many letters a filter means: the same that an action takes."""

from collections import Counter
from dataclasses import dataclass, replace

from mixrelay.shared.queue.letters.letter import LetterFilter
from mixrelay.shared.queue.merged.letters import MergedLetters

_LOOKED_AT = 5_000
"""Letters that one call looks at: well under a second."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action by a filter would take, as far as it was counted."""

    wanted: LetterFilter
    """With its end fixed: letters that die from now on are not meant."""
    by_type: Counter[str]
    looked: int
    """Letters looked at; 0 where indexes answered."""
    out_of: int
    """Letters to look at in all."""
    cursor: str | None
    """Where to go on counting; None where `count` is all."""

    @property
    def count(self) -> int:
        return self.by_type.total()

    @property
    def is_exact(self) -> bool:
        return self.cursor is None

    @property
    def late(self) -> int:
        """Updates that a replay brings after what was updated since: an old value may win."""
        return self.by_type["profile_update"] + self.by_type["group_update"]


def plan(letters: MergedLetters, wanted: LetterFilter) -> Plan:
    """Counts by the indexes; where these do not do, looks at the first letters.

    Args:
        letters: the queue's.
        wanted: with its `until`.
    """
    indexed = replace(
        LetterFilter(wanted.reason, wanted.type, wanted.status),
        since=wanted.since,
        until=wanted.until,
    )
    groups = letters.groups(indexed)
    out_of = sum(group.letters for group in groups)
    counted: Counter[str] = Counter()
    if wanted.is_indexed and all(group.is_indexed for group in groups):
        for group in groups:
            counted[group.type] += group.letters
        return Plan(wanted, counted, 0, out_of, None)
    return count_on(letters, Plan(wanted, counted, 0, out_of, ""))


def count_on(letters: MergedLetters, begun: Plan, *, look_at: int = _LOOKED_AT) -> Plan:
    """Goes on counting, for that many letters.

    Args:
        letters: the queue's.
        begun: a plan whose `cursor` is not None.
        look_at: letters after which it answers with what it has.
    """
    by_type, looked, cursor = Counter(begun.by_type), begun.looked, begun.cursor
    while cursor is not None and looked - begun.looked < look_at:
        found = letters.slice(begun.wanted, cursor, whole=False)
        by_type.update(letter.type for letter in found.letters)
        looked += found.looked
        cursor = found.cursor if found.more else None
    return replace(
        begun, by_type=by_type, looked=looked, out_of=max(begun.out_of, looked), cursor=cursor
    )
