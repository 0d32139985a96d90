"""Decisions and values out of the bytes that a fuzzer mutates, also where no fuzzer is installed.

Bytes that have run out read as zeros, so every input is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

ChoiceT = TypeVar("ChoiceT")

TEXTS = (
    *("", "E", "u1", "token", "$insert_id", "time", "distinct_id", "ip", "\ufeff", "\x00", "\n"),
    *("1795520500", "0.5e1", "null", "\ud83d", "\U0001f600", "</script>", "\u2028", "key"),
    *("$identify", "$merge", "$create_alias", "properties", "event", "data", "api_key"),
)
NUMBERS = (0, 1, -1, 200, 400, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**308, 1.5, 1e-7)


class Source:
    """Reads an input from its front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        value = self._data[self._at] if not self.is_empty else 0
        self._at += 1
        return value

    def below(self, end: int) -> int:
        """Return a whole number from 0 on; past 256 of two bytes."""
        if end <= 256:
            return self.byte() % end
        return (self.byte() * 256 + self.byte()) % end

    def flag(self) -> bool:
        return self.byte() % 2 == 1

    def pick(self, choices: Sequence[ChoiceT]) -> ChoiceT:
        return choices[self.below(len(choices))]

    def chunk(self, most: int = 64) -> bytes:
        """Return some bytes as they are."""
        length = self.below(most)
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def rest(self) -> bytes:
        taken, self._at = self._data[self._at :], max(self._at, len(self._data))
        return taken

    def text(self) -> str:
        """Return a known word or any text; half of a surrogate pair too."""
        if self.flag():
            return self.pick(TEXTS)
        return self.chunk(24).decode("utf-8", "surrogateescape")

    def number(self) -> int | float:
        return self.pick(NUMBERS) if self.flag() else int.from_bytes(self.chunk(12), signed=True)

    def json(self, depth: int = 4) -> Any:
        """Return a JSON value, with texts that may be no UTF-8."""
        kind = self.below(8 if depth else 5)
        if kind == 0:
            return self.text()
        if kind == 1:
            return self.number()
        if kind < 5:
            return (None, True, False)[kind - 2]
        inner = [self.json(depth - 1) for _ in range(self.below(5))]
        if kind == 5:
            return inner
        return {self.text(): value for value in inner}
