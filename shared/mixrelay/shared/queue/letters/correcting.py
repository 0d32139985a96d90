"""Corrects letters of one partition and puts them back into their lanes, in one step."""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import orjson

from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.letters.letter import Letter, LetterFilter
from mixrelay.shared.queue.messages.batch import Number

SEND, STAGE, UNDO = "send", "stage", "undo"
"""What a correction does beside replacing messages."""
CORRECTED_AT_MOST = 200
"""Letters that one call corrects; no script may hold the server for long."""
CORRECTED_BYTES = 2 * 1024 * 1024
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"\d+-[\d.]+")


@dataclass(frozen=True, slots=True)
class Correction:
    """A letter as it was read, and its message as it is to be sent."""

    letter: Letter
    payload: bytes

    @property
    def size(self) -> int:
        return len(self.payload) + len(self.letter.payload)


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of some corrections."""

    moved: int = 0
    gone: int = 0
    """No letters any more: replayed or discarded by someone else."""
    changed: int = 0
    """Edited by someone else, or replayed and dead once more; left as they are."""

    @property
    def skipped(self) -> int:
        return self.gone + self.changed

    def __add__(self, other: Self) -> "Corrected":
        return Corrected(
            self.moved + other.moved, self.gone + other.gone, self.changed + other.changed
        )


class Corrections:
    """Of one partition's letters."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

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
        """Replaces the messages and replays the letters; those that were sent stay `original`.

        A letter that is not as it was read is left alone and counted. Repeat it with the same
        `op` after a lost reply.

        Args:
            corrections: at most `CORRECTED_AT_MOST`, which are sent in the order of their numbers.
            what: was done to them, in words without values; noted with each and in the audit.
            who: is noted likewise.
            why: likewise.
            wanted: the filter that chose them, for the audit.
            op: the move's id.
            how: `SEND` replays them at once; `STAGE` leaves them letters, and adds them to a job
                of the kind `fix`; `UNDO` takes back what such a job did.
            job: the job's id.
        """
        told: list[str | bytes | int] = []
        for one in corrections:
            old = one.letter.payload
            # To tell it from another message; no security rests on it.
            seen = hashlib.sha1(old, usedforsecurity=False).hexdigest()
            told += [one.letter.id, one.letter.replays, seen, one.payload, base64.b64encode(old)]
        chosen = orjson.dumps(wanted.to_json()) if wanted else b""
        reply = self._scripts.run(
            "correct", op or new_id(), who, why, what, chosen, how, job, *told
        )
        return Corrected(*map(int, reply))


def place_of(letter: Letter) -> tuple[tuple[int, ...], ...]:
    """Where a letter stands among those that are replayed with it, as the scripts say it.

    By its number, or among others of its file by the number that it was exported with.
    """
    own = _numbers(letter.id)
    came = letter.imported
    if came is None or not came.file or not _NUMBER.fullmatch(came.id):
        return (own,)
    return (_numbers(came.file), _numbers(came.id), own)


def _numbers(number: str | Number) -> tuple[int, ...]:
    return tuple(map(int, _DIGITS.findall(number)))
