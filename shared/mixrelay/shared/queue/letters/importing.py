"""Exported letters that are put back as letters."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import orjson

from mixrelay.shared.queue.loads.loads import Loads
from mixrelay.shared.reading import shown_value

_LAST_MS = 253_402_300_799_999
"""The last that Python can show, of the year 9999."""
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""It stands in names of keys."""


class NoLetterError(ValueError):
    """A line that is no exported letter; its text says why."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A letter as a file told it."""

    facts: dict[str, Any]
    payload: bytes

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Reads what `mixrelay dlq export --raw` wrote.

        Raises:
            NoLetterError: it is none, or was exported without `--raw`.
        """
        try:
            told = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise NoLetterError(f"it is no JSON: {error}") from None
        if not isinstance(told, dict):
            raise NoLetterError("it is no object")
        try:
            return cls(_facts(told), _payload(told))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, NoLetterError):
                raise
            raise NoLetterError(f"a field is missing or wrong: {error}") from None


def _payload(told: dict[str, Any]) -> bytes:
    if "payload" in told:
        return str(told["payload"]).encode()
    if "payload_base64" in told:
        return base64.b64decode(told["payload_base64"], validate=True)
    raise NoLetterError("it has no exact bytes: export with --raw")


def _facts(told: dict[str, Any]) -> dict[str, Any]:
    if not _REASON.fullmatch(told["reason"]):
        raise NoLetterError(f"{told['reason'][:40]!r} is no reason")
    deaths = [
        {
            "reason": str(death["reason"]),
            "status": _count(death["status"]),
            "error": str(death["error"]),
            "at": _ms(death["at"]),
            "replayed_at": _ms(death["replayed_at"]),
        }
        for death in told.get("deaths", ())
    ]
    facts = {
        "reason": told["reason"],
        "status": _count(told["status"]),
        "error": str(told["error"]),
        "field": str(told.get("field", "")),
        "attempts": _count(told["attempts"]),
        "replays": _count(told.get("replays", 0)),
        "first_seen": _ms(told["first_seen"]),
        "imported": {"id": str(told["id"]), "dead_since": _ms(told["dead_since"])},
    }
    return facts | ({"deaths": deaths} if deaths else {})


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise NoLetterError(f"{shown_value(value)} is no count")
    return value


def _ms(text: str) -> int:
    ms = round(datetime.fromisoformat(text).timestamp() * 1000)
    if ms < 0:
        # It stands in front of the message, where scripts read digits only.
        raise NoLetterError(f"{text!r} lies before 1970")
    if ms > _LAST_MS:
        raise NoLetterError(f"{text!r} lies behind the year 9999")
    return ms


class LetterLoads(Loads):
    """How far files of letters are in, apart from logs of tuples with the same content."""

    def place(self, name: str) -> str:
        return super().place(self.named(name))

    def forget(self, name: str) -> None:
        super().forget(self.named(name))

    @staticmethod
    def named(name: str) -> str:
        return f"letters.{name}"

    def load_letters(
        self,
        name: str,
        letters: Sequence[Returned],
        *,
        before: str,
        after: str,
        partition: int,
        who: str,
        why: str = "",
    ) -> str:
        """Makes letters anew and notes the new place, both or neither.

        Each gets a number of this queue and counts one in `received`; its burial is now, and
        where it lay before is kept in `Letter.imported`. An event without `$insert_id` is
        another event under its new number.

        Args:
            name: the file's.
            letters: at most 1,000.
            before: the place that they follow; where another is noted, nothing happens.
            after: the place behind them.
            partition: stands in front of their numbers.
            who: is noted in the audit.
            why: likewise.

        Returns:
            The place noted now: `after`, also when a lost reply made the caller ask twice.
        """
        pairs = [part for one in letters for part in (orjson.dumps(one.facts), one.payload)]
        noted: bytes = self._scripts.run(
            "import", self.named(name), before, after, partition, who, why, *pairs
        )
        return noted.decode()
