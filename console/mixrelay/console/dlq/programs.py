"""Corrections by a program: a Python file, or an expression of jq. They run in the command."""

import json
import runpy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from mixrelay.console.dlq.operations import (
    READERS,
    Operation,
    UnfitError,
    changed_names,
    same_value,
)
from mixrelay.console.dlq.paths import Path
from mixrelay.console.text import cut

_FUNCTION = "fix"
_SAID = 200
"""Characters of what a program raised."""


@dataclass(frozen=True, slots=True)
class Program(Operation):
    """A function of a record, which changes it or returns another."""

    source: str
    change: Callable[[Any], Any]

    def apply(self, text: str) -> str:
        record = json.loads(text)
        try:
            returned = self.change(record)
            after = record if returned is None else returned
            written = json.dumps(after, ensure_ascii=False, allow_nan=False)
        except Exception as error:
            said = cut(f"{type(error).__name__}: {error}", _SAID)
            raise UnfitError(f"{self.source} failed with {said}") from error
        if not isinstance(after, dict):
            raise UnfitError(f"{self.source} made no object of it")
        # A text stays as it was written where the program changed nothing.
        return text if same_value(after, json.loads(text)) else written

    @property
    def words(self) -> str:
        return self.source

    def touches(self, before: str, after: str) -> Sequence[Path]:
        return list(_differing(json.loads(before), json.loads(after), ()))


def _differing(before: Any, after: Any, way: tuple[str, ...]) -> Iterator[Path]:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        yield Path(way or ("",))
        return
    for name in changed_names(before, after):
        yield from _differing(before.get(name), after.get(name), (*way, name))


def read_program(name: str) -> Program:
    """Run a Python file, and take its function `fix`.

    Raises:
        ValueError: there is no such file, it fails, or it has no such function.
    """
    try:
        found = runpy.run_path(name)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}.") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"{name} failed with {type(error).__name__}: {error}") from error
    change = found.get(_FUNCTION)
    if not callable(change):
        raise ValueError(  # noqa: TRY004 - of an option
            f"{name} has no function: write def {_FUNCTION}(record)."
        )
    return Program(Path(("$program",)), f"program {File(name).name}", change)


def read_jq(expression: str) -> Program:
    """Compile an expression of jq, whose first result is the record.

    Raises:
        ValueError: the library `jq` is not installed, or the expression is none.
    """
    try:
        import jq  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - it may lack
    except ImportError:
        raise ValueError(
            "the library jq is not installed: pip install jq, or write a --program."
        ) from None
    try:
        compiled = jq.compile(expression)
    except ValueError as error:
        raise ValueError(f"{cut(expression, _SAID)} is no expression of jq: {error}") from error

    def change(record: Any) -> Any:
        return compiled.input_value(record).first()

    return Program(Path(("$jq",)), f"jq {cut(expression, _SAID)}", change)


ALL_READERS: dict[str, Callable[[str], Operation]] = {
    **READERS,
    "program": read_program,
    "jq": read_jq,
}
"""By the name of the option."""
