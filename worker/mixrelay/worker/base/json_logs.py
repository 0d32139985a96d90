"""One JSON object an event, for machines: `{"ts": …, "level": "info", "event": "delivered", …}`.

The event's name is the stable first word of the text, and stands in docs/workers.md with its
fields. What an event is about comes by `extra=` from who logs it, and from `about` for all that
is logged meanwhile in the same thread. Only `FIELDS` are written: what a library adds to its
records, or somebody in haste, reaches no log.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

FIELDS = (
    "batch_id",
    "lane",
    "lease",
    "masked_token",
    "destination",
    "records",
    "seconds",
    "status",
    "reason",
    "batches",
    "letters",
    "job",
    "pid",
)
OTHER = "other"
"""The event of what a library tells."""

_EVENT = re.compile("([a-z_]+): ")
_about: ContextVar[dict[str, Any]] = ContextVar("mixrelay_log_about")


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Adds fields to every event that this thread logs meanwhile, whoever does."""
    before = _about.set(fields)
    try:
        yield
    finally:
        _about.reset(before)


class JsonFormatter(logging.Formatter):
    """A line is ASCII: no text from outside ends it, and any reader takes it."""

    def __init__(self, cut: Callable[[str], str], part: str = "worker") -> None:
        """`cut` bounds and escapes a text as in the lines for people; `part` is whose pid it is."""
        super().__init__()
        self._cut = cut
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        event, text = _parted(record)
        told: dict[str, Any] = {
            "ts": _moment(record.created),
            "level": record.levelname.lower(),
            "event": event,
            self._part: record.process,
            **self._fields(record),
            "message": self._cut(text),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        given = _about.get({}) | record.__dict__
        found = {name: given[name] for name in FIELDS if given.get(name) is not None}
        return {name: self._typed(value) for name, value in found.items()}

    def _typed(self, value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 3)
        return value if isinstance(value, int) else self._cut(str(value))


def _parted(record: logging.LogRecord) -> tuple[str, str]:
    """The event and the rest, told apart by the text without its values: those may be anyone's."""
    text = record.getMessage()
    named = _EVENT.match(str(record.msg))
    return (named[1], text[named.end() :]) if named else (OTHER, text)


def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
