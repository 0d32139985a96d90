"""Where each message went: what was sent against what arrived, died or was discarded."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mixrelay.console.demo.visitors import Diary
from mixrelay.shared.queue import Letter
from mixrelay.shared.queue.letters.letter import subjects

_HANDLERS = ("Signed Up", "Song Played", "Joined Band")
EVENTS = "web events"
PROFILES = "profile updates"
INCREMENTS = "increments"
GROUPS = "group updates"
RUBY = "events from Ruby"
REFUSED = "refused events"
HOPELESS = "broken on purpose"


@dataclass(slots=True)
class Row:
    """One kind of message. A label tells two messages of a kind apart."""

    name: str
    sent: Counter[Any] = field(default_factory=Counter)
    arrived: Counter[Any] = field(default_factory=Counter)
    dead: int = 0
    discarded: int = 0

    @property
    def nowhere(self) -> int:
        """Sent, and neither arrived nor a letter nor discarded."""
        return (self.sent - self.arrived).total() - self.dead - self.discarded

    @property
    def doubled(self) -> int:
        return (self.arrived - self.sent).total()

    @property
    def agrees(self) -> bool:
        return self.nowhere == 0 and self.doubled == 0


class Ledger:
    """Rows by name, in the order in which they are shown."""

    def __init__(self) -> None:
        names = (EVENTS, PROFILES, INCREMENTS, GROUPS, RUBY, REFUSED, HOPELESS)
        self._rows = {name: Row(name) for name in names}

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def enter_sent(self, name: str, labels: Iterable[Any]) -> None:
        self._rows[name].sent.update(labels)

    def enter_visits(self, diary: Diary) -> None:
        for kind, name in (("event", EVENTS), ("profile", PROFILES), ("group", GROUPS)):
            self.enter_sent(name, diary.numbers.get(kind, ()))
        self._rows[INCREMENTS].sent += diary.plays

    def enter_event(self, event: dict[str, Any]) -> None:
        """An event that arrived at the sandbox."""
        self._rows[_row_of(event["event"])].arrived[event["properties"].get("n")] += 1

    def enter_update(self, update: dict[str, Any]) -> None:
        """A profile or group update that arrived there."""
        if "$add" in update:
            self._rows[INCREMENTS].arrived[update["$distinct_id"]] += 1
        else:
            name = GROUPS if "$group_key" in update else PROFILES
            self._rows[name].arrived[update["$set"]["n"]] += 1

    def enter_letters(self, letters: Iterable[Letter], *, discarded: bool = False) -> None:
        for letter in letters:
            row = self._rows[_row_of_letter(letter)]
            if discarded:
                row.discarded += 1
            else:
                row.dead += 1


def _row_of(event: str | None) -> str:
    if event in _HANDLERS:
        return EVENTS
    return {"Email Opened": RUBY, "Order Paid": REFUSED}.get(event or "", HOPELESS)


def _row_of_letter(letter: Letter) -> str:
    if letter.type == "group_update":
        return GROUPS
    if letter.type == "profile_update":
        return INCREMENTS if b"$add" in letter.payload else PROFILES
    return _row_of(next((event for event, _ in subjects(letter.payload)), None))
