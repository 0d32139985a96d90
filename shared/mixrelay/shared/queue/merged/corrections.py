"""Corrects letters, in whichever partitions they lie."""

from collections import defaultdict
from collections.abc import Sequence

from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.letters.correcting import SEND, Corrected, Correction
from mixrelay.shared.queue.letters.letter import LetterFilter
from mixrelay.shared.queue.messages.batch import partition_of
from mixrelay.shared.queue.partitions.partitions import Partitions


class MergedCorrections:
    """Of one queue's letters."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    def apply(
        self,
        corrections: Sequence[Correction],
        *,
        what: str,
        who: str = "",
        why: str = "",
        wanted: LetterFilter | None = None,
        op: str | None = None,
        how: str = SEND,
        job: str = "",
    ) -> Corrected:
        """As `Corrections.apply`; the letters may be of several partitions.

        Raises:
            redis.RedisError: a node is away; what lies on the others was corrected.
        """
        op = op or new_id()
        shares: dict[int, list[Correction]] = defaultdict(list)
        for one in corrections:
            shares[partition_of(one.letter.id)].append(one)
        for index in shares:
            self._partitions.wake(index)
        answers = self._partitions.all(
            lambda one: one.corrections.apply(
                shares[one.index],
                what=what,
                who=who,
                why=why,
                wanted=wanted,
                op=op,
                how=how,
                job=job,
            ),
            shares,
        )
        return sum(answers, Corrected())
