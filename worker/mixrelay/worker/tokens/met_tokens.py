"""The project tokens that one process met, and what it remembers of each for a moment."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

from mixrelay.shared.mixpanel.endpoints import token_fingerprint
from mixrelay.shared.mixpanel.proving import masked
from mixrelay.shared.queue import Identity, PutBack, Refusal

log = logging.getLogger(__name__)

REMEMBERED = 1_024
TOLD_SECONDS = 60.0
LONG_AGO = float("-inf")


@dataclass(slots=True)
class NewRefusal:
    """A refusal of which the other regions are not asked yet."""

    refusal: Refusal
    said: str
    """What Mixpanel answered."""


@dataclass(slots=True)
class MetToken:
    """One token. Times are of `time.monotonic`."""

    text: str = field(repr=False)
    identity: Identity
    known_at: float = LONG_AGO
    """When Redis last said that it is proven, or that its proof got no answer."""
    looked_at: float = LONG_AGO
    """When Redis last said that it is not refused; nobody may have proven it."""
    renewed_at: float = LONG_AGO
    """When an accepted import was last written down as evidence."""
    kept_bytes: int = 0
    """Of copies without evidence, as far as this process knows."""
    to_look_elsewhere: NewRefusal | None = None
    _told_at: float = LONG_AGO

    def tell_refused(self, error: str, *, again: bool = False) -> None:
        """Logs a refusal at once, and not more often than every minute.

        Args:
            error: what happened, why, and what to set.
            again: there is more to say than before.
        """
        if not again and time.monotonic() - self._told_at < TOLD_SECONDS:
            return
        self._told_at = time.monotonic()
        fields = {"masked_token": self.identity.masked, "reason": error}
        log.error("token_refused: %s", error, extra=fields)

    def tell_returned(self, returned: PutBack) -> None:
        """Logs what a refusal made of copies."""
        if not returned.messages:
            return
        log.warning(
            "returned: %d messages were accepted under the project token %s without evidence that "
            "Mixpanel knew it; they are in the queue again and not counted as delivered",
            returned.messages,
            self.identity.masked,
            extra={"records": returned.messages, "masked_token": self.identity.masked},
        )


class MetTokens:
    """All of them, up to a limit. Any thread may ask."""

    def __init__(self, *, base: str, own: str | None) -> None:
        """Remembers nothing.

        Args:
            base: Mixpanel's base address.
            own: MIXPANEL_TOKEN; without it every token is the worker's own.
        """
        self._base = base
        self._own = own
        self._met: dict[str, MetToken] = {}
        self._lock = threading.Lock()

    @property
    def own(self) -> MetToken | None:
        """MIXPANEL_TOKEN, where it is set."""
        return self.of(self._own) if self._own is not None else None

    def of(self, text: str) -> MetToken:
        with self._lock:
            token = self._met.pop(text, None) or self._meet(text)
            self._met[text] = token
            if len(self._met) > REMEMBERED:
                del self._met[next(iter(self._met))]
        return token

    def all(self) -> list[MetToken]:
        with self._lock:
            return list(self._met.values())

    def _meet(self, text: str) -> MetToken:
        own = self._own is None or text == self._own
        fingerprint = token_fingerprint(self._base, text)
        return MetToken(text, Identity(fingerprint, masked(text), self._base, own))
