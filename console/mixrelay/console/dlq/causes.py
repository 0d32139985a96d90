"""Letters by failure group: what died of one cause, and what to do about it."""

import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as made
from datetime import datetime
from typing import Any

from mixrelay.console.dlq.grouping import said
from mixrelay.console.dlq.paths import Path
from mixrelay.console.text import iso
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Letter
from mixrelay.shared.queue.letters.failure_group import general, general_field
from mixrelay.shared.queue.letters.letter import subjects

_CORRECTABLE = frozenset({Reason.INVALID, Reason.REJECTED, Reason.TOO_LARGE})
_NAMES = 1_000
"""Event names that are told apart in one group."""
_TOO_MUCH = ("nest", "fewer than")
"""Words of the rules that `--truncate` satisfies."""


@dataclass(slots=True)
class Cause:
    """One failure group."""

    group: str
    reason: str
    field: str
    error: str
    """As `general` writes it."""
    first: datetime
    last: datetime
    sample: str
    """The last that died."""
    instance: str
    """The error of that letter, word for word."""
    letters: int = 0
    names: Counter[str] = made(default_factory=Counter)
    """How many letters of each event name, or type of update."""

    @classmethod
    def of(cls, letter: Letter) -> "Cause":
        told = letter.reason, general_field(letter.field), general(letter.error)
        return cls(
            letter.group, *told, letter.dead_since, letter.dead_since, letter.id, said(letter)
        )

    def add(self, letter: Letter, name: str | None = "") -> None:
        """Counts a letter.

        Args:
            letter: of this group.
            name: its event, where its message was not fetched whole; None where it is not known.
        """
        self.letters += 1
        self.first = min(self.first, letter.dead_since)
        if letter.dead_since >= self.last:
            self.last, self.sample, self.instance = letter.dead_since, letter.id, said(letter)
        if name is None:
            return
        name = name or next((event for event, _ in subjects(letter.payload) if event), letter.type)
        if name in self.names or len(self.names) < _NAMES:
            self.names[name] += 1

    @property
    def look(self) -> str:
        """The command that lists its letters."""
        return f"mixrelay dlq list --group {self.group}"

    @property
    def mend(self) -> str:
        """The command that corrects or replays its letters, to be tried first."""
        if self.reason in _CORRECTABLE:
            return f"mixrelay dlq fix --group {self.group} {self._operation()} --dry-run"
        if self.reason == Reason.MALFORMED:
            return f"mixrelay dlq export --group {self.group} --raw"
        return f"mixrelay dlq replay --group {self.group} --dry-run"

    def _operation(self) -> str:
        """As far as the field and the rule tell it; the value is the operator's to say."""
        try:
            path = str(Path.parse(self.field.partition("[")[0]))
        except ValueError:
            return "--set PATH=JSON"
        if any(word in self.error for word in _TOO_MUCH):
            return f"--truncate {shlex.quote(path)}"
        return f"--set {shlex.quote(path + '=JSON')}"

    def to_json(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "reason": self.reason,
            "field": self.field,
            "error": self.error,
            "letters": self.letters,
            "names": dict(self.names.most_common()),
            "first": iso(self.first),
            "last": iso(self.last),
            "sample": self.sample,
            "for_instance": self.instance,
            "list": self.look,
            "mend": self.mend,
        }


def causes(letters: Iterable[Letter]) -> list[Cause]:
    """The failure groups among the letters, the most frequent first."""
    found: dict[str, Cause] = {}
    for letter in letters:
        if (known := found.get(letter.group)) is None:
            known = found[letter.group] = Cause.of(letter)
        known.add(letter)
    return sorted(found.values(), key=lambda one: (-one.letters, one.group))
