"""A worker's own sign of life, as a file: what a container's health check looks at.

It says that the worker's loops run, and nothing of Redis or Mixpanel: no restart helps these.
"""

import logging
import time
from pathlib import Path

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
STALE_SECONDS = 60
"""Without a beat for so long, something is wrong with the worker."""


class Pulse:
    """The file, touched every few seconds by who waits in a loop."""

    def __init__(self, file: str) -> None:
        """Writes nothing yet.

        Args:
            file: its path; empty for none.
        """
        self._file = Path(file) if file else None
        self._next = 0.0

    def beat(self) -> None:
        """Touches the file where that is due; a failure is logged once and ends it."""
        if self._file is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + BEAT_SECONDS
        try:
            self._file.touch()
        except OSError as error:
            log.warning(
                "health_file: MIXRELAY_HEALTH_FILE cannot be written (%s): there is no sign of "
                "life for a health check",
                error.strerror,
            )
            self._file = None
