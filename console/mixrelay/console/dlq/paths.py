"""The place of a value within a record, as an operator writes it: `properties.price`."""

import re
from dataclasses import dataclass
from typing import Self

from mixrelay.shared.reading import shown_value

_ROOTS = frozenset({"event", "properties"})
_ESCAPED = re.compile(r"\\([.=\\])")
_DOT = re.compile(r"(?<!\\)\.")
_EQUALS = re.compile(r"(?<!\\)=")


@dataclass(frozen=True, slots=True)
class Path:
    """The names of the objects on the way, and last of the value itself."""

    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        r"""Read `properties.price` or `$set.email`; a dot or = within a name is written `\.`, `\=`.

        Raises:
            ValueError: a name is empty, or no record has anything there.
        """
        if any("\ud800" <= one <= "\udfff" for one in text):
            raise ValueError(f"{shown_value(text)} holds a byte that is no UTF-8.")
        names = tuple(_ESCAPED.sub(r"\1", part) for part in _DOT.split(text.strip()))
        if not all(names):
            raise ValueError(f"{shown_value(text)} is no path: write one as properties.price.")
        if names[0] not in _ROOTS and not names[0].startswith("$"):
            raise ValueError(
                f"{shown_value(text)} is not within a record: a property of an event is "
                f"properties.{names[0]}, one of a profile $set.{names[0]}."
            )
        return cls(names)

    @property
    def name(self) -> str:
        return self.names[-1]

    def sibling(self, name: str) -> "Path":
        return Path((*self.names[:-1], name))

    def __str__(self) -> str:
        return ".".join(re.sub(r"([.=\\])", r"\\\1", name) for name in self.names)


def halves(text: str) -> tuple[str, str | None]:
    """What stands before the first `=`, and behind it; None where there is none."""
    before, *behind = _EQUALS.split(text, maxsplit=1)
    return before, behind[0] if behind else None


def unescaped(name: str) -> str:
    return _ESCAPED.sub(r"\1", name)
