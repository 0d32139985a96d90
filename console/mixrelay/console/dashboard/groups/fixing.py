"""Corrects the letters of a filter within one request: first a survey, then the correction."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from mixrelay.console import masking
from mixrelay.console.dlq.applying import Applying
from mixrelay.console.dlq.correcting import Corrector
from mixrelay.console.dlq.operations import Operation
from mixrelay.console.dlq.survey import Survey
from mixrelay.console.text import cut
from mixrelay.shared.queue import Job, Letter, LetterFilter, Queue

LETTERS = 5_000
"""That one request corrects; more take the command, which shows how far it is."""
LOOKED_AT = 20_000
_AROUND, _LINES, _COLUMNS = 2, 40, 200


@dataclass(frozen=True, slots=True)
class Diff:
    """One letter before and after."""

    number: str
    lines: Sequence[tuple[str, str]]
    """Each with its sign: `+`, `-` or a space."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a correction would do."""

    survey: Survey
    is_whole: bool
    """False where there are more letters than one request looks at: nothing may be applied."""

    @property
    def diffs(self) -> list[Diff]:
        return [Diff(letter.id, _diff(letter, after)) for letter, after in self.survey.samples]


def preview(queue: Queue, wanted: LetterFilter, operations: Sequence[Operation]) -> Preview:
    """Judges the letters that match, and changes none.

    Raises:
        redis.RedisError: the queue's node is away.
    """
    survey = Survey()
    corrector = Corrector(operations, queue.books().now_ms)
    looked, cursor, more = 0, "", True
    while more and looked < LOOKED_AT and survey.matched < LETTERS:
        seen = queue.letters.slice(wanted, cursor)
        looked += seen.looked
        cursor, more = seen.cursor, seen.more
        for _ in survey.look(seen.letters, corrector):
            pass
    return Preview(survey, not more)


def apply(
    queue: Queue,
    wanted: LetterFilter,
    operations: Sequence[Operation],
    survey: Survey,
    *,
    who: str,
    why: str,
    rate: float | None = None,
) -> Job:
    """Corrects what a survey planned, and has a worker re-queue it: a job that can be undone.

    As `mixrelay dlq fix --background` does it; whatever was changed meanwhile is left alone.

    Raises:
        redis.RedisError: the queue's node is away; the job has what was corrected by then.
    """
    corrector = Corrector(operations, queue.books().now_ms)
    applying = Applying(queue, corrector, wanted, why=why, rate=rate, who=who)
    for _ in applying.correct(survey):
        pass
    applying.send(background=True)
    return applying.job


def _diff(letter: Letter, payload: bytes) -> list[tuple[str, str]]:
    before, after = (masking.pretty(one).splitlines() for one in (letter.payload, payload))
    lines = [
        (line[0], cut(line[1:], _COLUMNS))
        for line in difflib.unified_diff(before, after, lineterm="", n=_AROUND)
        if line and not line.startswith(("---", "+++", "@@"))
    ]
    left = len(lines) - _LINES
    return [*lines[:_LINES], *([(" ", f"… {left} lines more")] if left > 0 else [])]
