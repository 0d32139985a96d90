"""One readable line an event: `12:00:01 worker[41] delivered: 2000 records to track:1f2e3d4c`.

An event's first word is stable, for alerts. Payloads and credentials are never logged. Where no
person looks, an event is a JSON object (`log_json`).
"""

import logging
import os
import sys
from contextlib import suppress
from typing import Any

from mixrelay.worker.base.json_logs import JsonFormatter

FORMATS = ("auto", "human", "json")
LEVELS = ("debug", "info", "warning", "error")

MAX_LINE = 2_000
"""Characters of one event: what comes from outside may be of any length."""
MAX_TRACE_LINES = 60
_TRACE_MARK = "  | "


class LineFormatter(logging.Formatter):
    """Cuts, and writes control characters out: no text from outside makes a line of its own."""

    def __init__(self, part: str = "worker") -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {part}[%(process)d] %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """A traceback is of many lines, each marked: an error's own text may be anyone's."""
        lines = _trace(super().formatException(ei))
        return "\n".join(_TRACE_MARK + _line(line) for line in lines)


class ObjectFormatter(JsonFormatter):
    """The same cuts in JSON, where a traceback's lines need no mark."""

    def __init__(self, part: str = "worker") -> None:
        super().__init__(_line, part)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return "\n".join(map(_line, _trace(super().formatException(ei))))


class LineHandler(logging.Handler):
    """Writes each event at once and by one call, so that those of two processes never mix.

    What a full disk or a closed pipe does not take is dropped: delivery goes on, and nothing
    stays in a buffer to spoil the exit code.
    """

    def __init__(self, descriptor: int, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.setFormatter(formatter or LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            os.write(self._descriptor, f"{self.format(record)}\n".encode())


def configure(form: str = "auto", level: str = "info") -> None:
    """Logs to stderr, unless the program has handlers of its own, or no stderr.

    Args:
        form: one of FORMATS; `auto` is for people on a terminal, and JSON elsewhere.
        level: one of LEVELS.
    """
    logging.basicConfig(level=level.upper(), handlers=[handler(form)])
    # RQ tells of every start and end of a job, and of each in its own colours.
    logging.getLogger("rq").setLevel(logging.WARNING)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)


def handler(form: str = "auto", part: str = "worker") -> logging.Handler:
    """What writes to stderr; `part` names the process in its lines."""
    if not sys.stderr:
        return logging.NullHandler()
    for_people = form == "human" or (form == "auto" and sys.stderr.isatty())
    formatter = LineFormatter(part) if for_people else ObjectFormatter(part)
    try:
        return LineHandler(sys.stderr.fileno(), formatter)
    except (AttributeError, OSError, ValueError):
        # No file: a program put something else in its place, to show it or to test with it.
        plain = logging.StreamHandler(sys.stderr)
        plain.setFormatter(formatter)
        return plain


def _trace(text: str) -> list[str]:
    """A traceback's lines; of a long one the first and the last."""
    lines = text.splitlines()
    left_out = len(lines) - MAX_TRACE_LINES
    if left_out <= 0:
        return lines
    half = MAX_TRACE_LINES // 2
    return [*lines[:half], f"… {left_out} lines …", *lines[-half:]]


def _line(text: str) -> str:
    if len(text) > MAX_LINE:
        # Both ends: an error says at its end what it is.
        half = MAX_LINE // 2
        text = f"{text[:half]}…{text[-half:]} ({len(text)} characters)"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
