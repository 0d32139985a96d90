"""Decides whether a batch may be sent under its project token.

`/track`, `/engage` and `/groups` answer 200 to a token that Mixpanel does not know, and keep
nothing. `/import` refuses it. So nothing goes there under a token that `/import` refuses; a proof
that gets no answer holds nothing back. What is known stands in Redis, for the whole fleet
(docs/internals.md, Proven tokens).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from enum import Enum, auto

from redis.exceptions import RedisError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.mixpanel.endpoints import Destination, Endpoint
from mixrelay.shared.queue import KeepCopy, Lane, Next, Tokens
from mixrelay.worker.deliver.verdicts import TokenRefused, Unauthorized, Verdict
from mixrelay.worker.tokens.met_tokens import LONG_AGO, MetToken, MetTokens
from mixrelay.worker.tokens.prover import PROOF_HOLDS_SECONDS, Found, Prover

log = logging.getLogger(__name__)

CACHED_SECONDS = 1.0
"""So long a process trusts what Redis said: another may learn of a refusal meanwhile."""
RENEWED_SECONDS = 2.0
"""Accepted imports of one token are written down as evidence at most so often by a process."""
KEPT_BYTES = 8 * 1024 * 1024
"""Of a token's copies without evidence, after which a proof is asked for."""
REFUSED_MS = 1_000
"""Until a batch is tried again whose token is refused, where no circuit holds it back longer."""


def _is_recent(moment: float) -> bool:
    return time.monotonic() - moment < CACHED_SECONDS


class Clearance(Enum):
    """What is to become of a batch before it is sent."""

    SEND = auto()
    KEEP = auto()
    """Its token is refused: it waits behind the circuit."""
    BURY = auto()
    """Its token is refused, and is not the worker's own, which Mixpanel knows: dead letters."""
    WAIT = auto()
    """Another proves the token, and does not end."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """A clearance, and what Mixpanel said where it is a refusal."""

    clearance: Clearance
    error: str = ""
    status: int = 0


_SEND = Cleared(Clearance.SEND)


class Proofs:
    """What one process asks about tokens. Any thread may ask.

    Methods raise `Abandoned` where Redis stayed away until the worker had to end.
    """

    def __init__(self, tokens: Tokens, met: MetTokens, prover: Prover) -> None:
        self._tokens = tokens
        self._met = met
        self._prover = prover
        self._dropped: int | None = None

    def before(self, destination: Destination, lane: Lane, partition: int) -> Cleared:
        """Decides whether a batch may be sent; proves its token where nobody did lately.

        To `/import` it goes without a proof, since it is one, unless the token is refused.
        """
        token = self._token_of(destination)
        if token is None:
            return _SEND
        if destination.endpoint is Endpoint.IMPORT:
            return self._before_import(token, lane)
        if _is_recent(token.known_at) and token.kept_bytes <= KEPT_BYTES:
            return _SEND
        within = 0.0 if self._keeps_much(token, partition) else PROOF_HOLDS_SECONDS
        cleared = self._cleared(token, lane, self._prover.find_out(token, lane, within=within))
        if cleared is _SEND:
            token.known_at = time.monotonic()
        return cleared

    def _before_import(self, token: MetToken, lane: Lane) -> Cleared:
        if _is_recent(token.looked_at):
            return _SEND
        cleared = self._cleared(token, lane, self._prover.find_out(token, lane, looks=True))
        if cleared is _SEND:
            token.looked_at = time.monotonic()
        return cleared

    def judge_refusal(
        self, verdict: Verdict, destination: Destination, lane: Lane, seconds: float
    ) -> Verdict:
        """Decides after `/import` refused the credentials of a batch.

        A proof is asked for: the batch may be refused for another reason than its token. Where
        the token is not refused, the verdict stands.

        Args:
            verdict: without a look at the token.
            destination: where the batch went.
            lane: the batch's.
            seconds: since the request began; evidence must be newer.
        """
        token = self._token_of(destination)
        if token is None or destination.endpoint is not Endpoint.IMPORT:
            return verdict
        found = self._prover.find_out(token, lane, within=seconds, insists=True)
        cleared = self._cleared(token, lane, found)
        if cleared.clearance is Clearance.KEEP:
            return TokenRefused(cleared.status, cleared.error)
        if cleared.clearance is Clearance.BURY:
            return Unauthorized(cleared.status, cleared.error)
        return verdict

    def accepted(self, destination: Destination, began_ms: int) -> None:
        """Takes what `/import` accepted for evidence; elsewhere it is none."""
        token = self._token_of(destination)
        if token is None or destination.endpoint is not Endpoint.IMPORT:
            return
        now = time.monotonic()
        if now - token.renewed_at < RENEWED_SECONDS:
            return
        token.renewed_at = now
        try:
            self._prover.write_proven(token, began_ms)
        except (RedisError, WrongKeyType) as error:
            # The next one is evidence too.
            log.warning("redis_away: the evidence for a token is not stored: %s", error)

    def copy(self, destination: Destination, began_ms: int, size: int) -> KeepCopy | None:
        """Returns how to keep a copy of an accepted batch; None where that is evidence itself."""
        token = self._token_of(destination)
        if token is None or destination.endpoint is Endpoint.IMPORT:
            return None
        token.kept_bytes += size
        return KeepCopy(token.identity.fingerprint, began_ms, size)

    def look_elsewhere(self) -> None:
        """Asks the other regions about tokens that were refused just now."""
        self._prover.look_elsewhere()

    def _token_of(self, destination: Destination) -> MetToken | None:
        text = destination.project_token
        return self._met.of(text) if text else None

    def _cleared(self, token: MetToken, lane: Lane, found: Found) -> Cleared:
        if found.next in {Next.PROVEN, Next.UNPROVEN}:
            return _SEND
        if found.next is Next.WAIT:
            return Cleared(Clearance.WAIT)
        token.known_at = token.looked_at = LONG_AGO
        token.tell_refused(found.error)
        # A refusal from when MIXPANEL_TOKEN was refused too may be over by now.
        buries = found.buries and self._prover.buries(token, lane)
        return Cleared(Clearance.BURY if buries else Clearance.KEEP, found.error, found.status)

    def _keeps_much(self, token: MetToken, partition: int) -> bool:
        """Whether so much is kept without evidence that a proof is due."""
        fingerprint = token.identity.fingerprint
        kept = self._prover.persist(lambda: self._tokens.kept(partition, fingerprint))
        token.kept_bytes = kept.bytes
        before, self._dropped = self._dropped, kept.dropped
        if before is not None and kept.dropped > before:
            log.warning(
                "kept_dropped: copies of %d batches that wait for evidence of their project token "
                "were over the limit of 64 MB; should it be refused, they are not sent again",
                kept.dropped - before,
            )
        return kept.bytes > KEPT_BYTES
