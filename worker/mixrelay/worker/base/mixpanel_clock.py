"""Mixpanel's clock, by the `Date` of its answers: it tells which of two other clocks is right."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from mixrelay.shared.mixpanel import answers
from mixrelay.shared.mixpanel.failures import Failure
from mixrelay.shared.mixpanel.transport import Answer

TOLERANCE_SECONDS = 60.0
"""Apart by more, one of two clocks is wrong."""
_HEARD_EVERY = 5.0
"""Seconds between two answers whose date is read."""


class MixpanelClock:
    """What Mixpanel's last answers said, counted on by a clock that no one sets. Of any thread."""

    def __init__(self) -> None:
        self._wall: float | None = None
        self._due = 0.0

    def hear(self, answer: Answer | Failure) -> None:
        """Note the date of an answer (RFC 9110, 6.6.1), if Mixpanel itself wrote it."""
        now = time.monotonic()
        if isinstance(answer, Failure) or now < self._due:
            return
        if not answers.is_mixpanels(answers.parsed(answer)):
            return  # a proxy's page, whose clock is anyone's
        try:
            said = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return
        self._wall, self._due = said - now, now + _HEARD_EVERY

    def host(self) -> float:
        """Return this host's time in seconds; Mixpanel's where the two are apart by a minute."""
        host = time.time()
        if self._wall is None:
            return host
        mixpanel = self._wall + time.monotonic()
        return host if abs(host - mixpanel) < TOLERANCE_SECONDS else mixpanel
