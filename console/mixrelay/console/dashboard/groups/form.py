"""The operations of a correction as the page's form carries them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mixrelay.console.dlq.operations import READERS, Operation
from mixrelay.console.masking import readable
from mixrelay.shared.queue import Letter
from mixrelay.shared.queue.letters.failure_group import general_field

ROWS = 3
"""Operations that one form holds; the command takes any number."""
_PATHS = 200
_DEEP = 3
_TOO_MUCH = ("nest", "fewer than", "longer", "at most")
"""Words of the rules that a truncation satisfies."""


@dataclass(frozen=True, slots=True)
class Line:
    """One operation as it was chosen."""

    op: str = ""
    path: str = ""
    value: str = ""

    @property
    def text(self) -> str:
        """As the option of `mixrelay dlq fix` has it."""
        return f"{self.path}={self.value}" if self.value else self.path


def lines_of(ops: Sequence[str], paths: Sequence[str], values: Sequence[str]) -> list[Line]:
    """What a form's fields hold, row by row; rows without a path are left out."""
    rows = zip(ops, paths, values, strict=False)
    return [Line(op, path.strip(), value.strip()) for op, path, value in rows if path.strip()]


def read(lines: Sequence[Line]) -> tuple[list[Operation], list[str]]:
    """The operations, and what could not be read."""
    found, mistakes = [], []
    for line in lines[:ROWS]:
        reader = READERS.get(line.op)
        if reader is None:
            mistakes.append(f"There is no operation {line.op!r}.")
            continue
        try:
            found.append(reader(line.text))
        except ValueError as error:
            mistakes.append(str(error))
    return found, mistakes


def proposed(letter: Letter) -> Line:
    """What a letter's own field and error suggest; the value is the operator's to say."""
    path = general_field(letter.field).partition("[")[0]
    too_much = any(word in letter.error for word in _TOO_MUCH)
    return Line("truncate" if too_much else "set" if path else "delete", path)


def paths_of(letter: Letter) -> list[str]:
    """The places within a letter's record, for the form to choose from."""
    value = readable(letter.payload)
    message = value[1] if isinstance(value, list) and len(value) > 1 else None
    data = message.get("data") if isinstance(message, dict) else None
    return list(_places(data, ()))[:_PATHS]


def _places(value: Any, way: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(value, dict) or len(way) >= _DEEP:
        return
    for name, inner in value.items():
        escaped = name.replace("\\", "\\\\").replace(".", "\\.").replace("=", "\\=")
        yield ".".join((*way, escaped))
        yield from _places(inner, (*way, escaped))
