"""One readable line an event: `12:00:01 worker[41] delivered: 2000 records to track:1f2e3d4c`.

An event's first word is stable, for alerts. Payloads and credentials are never logged.
"""

import logging
import sys


class LineFormatter(logging.Formatter):
    """Writes control characters out, so that no text from outside makes a line of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s worker[%(process)d] %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _escaped(super().formatMessage(record))


def configure(level: int = logging.INFO) -> None:
    """Logs to stderr, unless the program has handlers of its own."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # RQ tells of every start and end of a job, and of each in its own colours.
    logging.getLogger("rq").setLevel(logging.WARNING)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
