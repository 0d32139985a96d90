"""Filters of dead letters as an address carries them, so that a view can be kept and passed on."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mixrelay.console import moments
from mixrelay.console.dlq.filter_words import check_group, check_reason, check_word
from mixrelay.console.dlq.selection import Type
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import LetterFilter, Queue
from mixrelay.shared.queue.base.ids import check_id
from mixrelay.shared.reading import count, shown_value

TEXTS = ("reason", "type", "event", "distinct_id", "group", "job", "text")
NUMBERS = ("status", "min_attempts", "max_attempts", "min_replays", "max_replays")
TIMES = ("since", "until")
NAMES = (*TEXTS, *NUMBERS, *TIMES)
_OURS = frozenset({"cursor", "said", "moved", "of", "seal", "place", "looked", "out_of"})
"""What else our own links carry, and `n_` with a type behind it."""
_FORMS = frozenset(
    {"form_token", "typed", "planned", "why", "rate", "job_id", "op", "path", "value"}
)
"""And our forms."""
MOST = 1_000_000_000
"""As the commands take."""
REASONS = tuple(Reason)
TYPES = tuple(Type)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for."""

    wanted: LetterFilter
    given: Mapping[str, str]
    """As it was written, for the form and for links."""
    mistakes: tuple[str, ...]
    """What could not be read. Nothing may be acted on then: the filter would mean too much."""

    @property
    def is_all(self) -> bool:
        return not self.given

    def shown(self, name: str) -> str:
        """What a field of the form holds."""
        return self.given.get(name, "")

    def without(self, *names: str) -> dict[str, str]:
        return {name: value for name, value in self.given.items() if name not in names}


def asked_for(values: Mapping[str, str], queue: Queue) -> Asked:
    """Reads the filter's fields; empty ones count as not given.

    Args:
        values: of the address, or of a form.
        queue: tells which reasons its letters have.
    """
    given = {name: values[name].strip() for name in NAMES if values.get(name, "").strip()}
    read: dict[str, Any] = {name: given[name] for name in TEXTS if name in given}
    mistakes = [*_unknown(values), *_no_words(read, queue)]
    # By the clock that letters are dated by.
    now = _now(queue) if any(name in given for name in TIMES) else datetime.now(UTC)
    for name in (*NUMBERS, *TIMES):
        if name not in given:
            continue
        try:
            read[name] = _count(given[name]) if name in NUMBERS else moments.parse(given[name], now)
        except ValueError as error:
            said = str(error)
            mistakes.append(f"{name.replace('_', ' ')}: {said}")
    return Asked(LetterFilter(**read), given, tuple(mistakes))


def _now(queue: Queue) -> datetime:
    seconds, microseconds = queue.redis.time()
    return datetime.fromtimestamp(seconds + microseconds / 1_000_000, UTC)


def _unknown(values: Mapping[str, str]) -> Iterator[str]:
    """What is no filter: read as nothing, a mistyped name would mean every letter."""
    for name in values:
        if name not in _OURS | _FORMS and not name.startswith("n_"):
            try:
                check_word(name, "filter", NAMES)
            except ValueError as error:
                yield str(error)


def _no_words(read: Mapping[str, str], queue: Queue) -> Iterator[str]:
    """Words that no letter can have."""
    checks: dict[str, Callable[[str], None]] = {
        "reason": lambda word: check_reason(queue, word),
        "type": lambda word: check_word(word, "type", TYPES),
        "group": check_group,
        "job": lambda word: check_id(word, "a job's id"),
    }
    for name, check in checks.items():
        try:
            if name in read:
                check(read[name])
        except ValueError as error:
            yield str(error)


def _count(text: str) -> int:
    found = count(text)
    if found is None or found > MOST:
        raise ValueError(f"{shown_value(text)} is no number from 0 to {MOST:,}")
    return found


def written(wanted: LetterFilter) -> dict[str, str]:
    """A filter as an address, its times to the millisecond."""
    return {name: str(value) for name, value in wanted.to_json().items()}
