"""Proves a project token before anything is sent where Mixpanel accepts any token.

`/track`, `/engage` and `/groups` answer 200 to a token that Mixpanel does not know, and keep
nothing. `/import` refuses it. So nothing goes there under a token that `/import` refuses; a proof
that gets no answer holds nothing back. What is known stands in Redis, for the whole fleet
(docs/internals.md, Proven tokens).
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from redis.exceptions import RedisError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.mixpanel import answers, proving
from mixrelay.shared.mixpanel.endpoints import (
    REGIONS,
    Credentials,
    Destination,
    Endpoint,
    token_fingerprint,
)
from mixrelay.shared.mixpanel.failures import Failure
from mixrelay.shared.mixpanel.proving import Proof
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.shared.queue import (
    Identity,
    KeepCopy,
    Lane,
    Next,
    Pause,
    PutBack,
    Refusal,
    TokenState,
    Tokens,
    new_id,
)
from mixrelay.worker import refusals
from mixrelay.worker.patience import persist

log = logging.getLogger(__name__)

PROOF_HOLDS_SECONDS = 3600.0
CACHED_SECONDS = 1.0
"""So long a process trusts what Redis said: another may learn of a refusal meanwhile."""
RENEWED_SECONDS = 2.0
"""Accepted imports of one token are written down as evidence at most so often by a process."""
TOLD_SECONDS = 60.0
KEPT_BYTES = 8 * 1024 * 1024
"""Of a token's copies without evidence, after which a proof is asked for."""
_EARLIER_MS = 1_000
"""Evidence counts from so much later on: two processes' clocks are not quite one."""
_MARGIN_SECONDS = 1.0
_REMEMBERED = 1_024

Post = Callable[[Destination, bytes], Answer | Failure]


class Clearance(Enum):
    """What is to become of a batch before it is sent."""

    SEND = auto()
    KEEP = auto()
    """Its token is refused: it waits behind the circuit."""
    BURY = auto()
    """Its token is refused, and is not the worker's own, which Mixpanel knows: dead letters."""
    WAIT = auto()
    """Another proves the token, and does not end."""
    STOP = auto()
    """The worker has to end: give it back."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """A clearance, and what Mixpanel said where it is a refusal."""

    clearance: Clearance
    error: str = ""
    status: int = 0


_SEND = Cleared(Clearance.SEND)


@dataclass(slots=True)
class _Token:
    """One that this process met."""

    text: str = field(repr=False)
    identity: Identity
    known_at: float = -1e9
    """When Redis last said that it may be used (monotonic)."""
    renewed_at: float = -1e9
    told_at: float = -1e9
    kept_bytes: int = 0
    look_elsewhere: Refusal | None = None
    """A new refusal, of which the other regions are not asked yet."""


class Proofs:
    """The tokens that one process meets. Any thread may ask.

    Methods raise `Abandoned` where Redis stayed away until the worker had to end.
    """

    def __init__(
        self,
        tokens: Tokens,
        post: Post,
        *,
        base: str,
        token: str | None,
        proof_seconds: float,
        pause: Callable[[], Pause],
        now_ms: Callable[[], int],
        stopping: Callable[[], bool],
        abandon: threading.Event,
    ) -> None:
        """Opens nothing.

        Args:
            tokens: what the fleet knows.
            post: sends to Mixpanel.
            base: Mixpanel's base address.
            token: MIXPANEL_TOKEN.
            proof_seconds: the longest that a request to Mixpanel takes.
            pause: until a refused token is proven again.
            now_ms: the time by Redis's clock.
            stopping: whether no further request may begin.
            abandon: set when the process can wait no longer for Redis.
        """
        self._tokens = tokens
        self._post = post
        self._base = base
        self._own = token
        self._proof_seconds = proof_seconds + _MARGIN_SECONDS
        self._pause = pause
        self._now_ms = now_ms
        self._stopping = stopping
        self._abandon = abandon
        self._met: dict[str, _Token] = {}
        self._lock = threading.Lock()
        self._dropped: int | None = None

    def before(self, destination: Destination, lane: Lane, partition: int) -> Cleared:
        """Decides whether a batch may be sent; proves its token where nobody did lately.

        To `/import` it goes without a proof, since it is one, unless the token is refused.
        """
        token = self._token_of(destination)
        if token is None:
            return _SEND
        is_evidence = destination.endpoint is Endpoint.IMPORT
        if time.monotonic() - token.known_at < CACHED_SECONDS and not self._keeps_much(token):
            return _SEND
        within = PROOF_HOLDS_SECONDS
        if not is_evidence and self._count_kept(token, partition):
            within = 0.0
        return self._clear(token, lane, within=within, looks=is_evidence)

    def refused(self, destination: Destination, lane: Lane, began_ms: int) -> Cleared:
        """Decides after `/import` refused the credentials of a batch itself.

        A proof is asked for: what a message holds may be refused although its token is not.
        """
        token = self._token_of(destination)
        if token is None:
            return _SEND
        within = max(self._now_ms() - began_ms, 0) / 1000
        return self._clear(token, lane, within=within, insists=True)

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
            self._write_proven(token, began_ms)
        except (RedisError, WrongKeyType) as error:
            # The next one is evidence too.
            log.warning("redis_away: the evidence for a token is not stored: %s", error)

    def copy(self, destination: Destination, began_ms: int, size: int) -> KeepCopy | None:
        """Returns how a copy of an accepted batch is kept; None where its acceptance is evidence."""
        token = self._token_of(destination)
        if token is None or destination.endpoint is Endpoint.IMPORT:
            return None
        token.kept_bytes += size
        return KeepCopy(token.identity.fingerprint, began_ms, size)

    def look_elsewhere(self) -> None:
        """Asks the other regions about tokens that were refused just now; once for each refusal."""
        for token in list(self._met.values()):
            refusal, token.look_elsewhere = token.look_elsewhere, None
            if refusal is None or self._stopping():
                continue
            who = Credentials.key(token.text)
            elsewhere = proving.look_elsewhere(self._post, self._base, who)
            likelier = refusals.likelier(elsewhere, others_proven=self._knows_others(token))
            region = elsewhere if elsewhere in REGIONS else None
            said = f"{refusal.status}"
            error = refusals.error(token.identity, said, likelier, region)
            found = replace(refusal, error=error, likelier=likelier, elsewhere=region)
            self._persist(lambda one=token, more=found: self._tokens.amend(one.identity, more))  # type: ignore[misc]
            token.told_at = -1e9
            self._tell_refused(token, error)

    def _token_of(self, destination: Destination) -> _Token | None:
        """The token that decides whether Mixpanel keeps what is sent to a destination."""
        text = destination.project_token
        if text is None:
            return None
        with self._lock:
            token = self._met.pop(text, None) or self._meet(text)
            self._met[text] = token
            if len(self._met) > _REMEMBERED:
                del self._met[next(iter(self._met))]
        return token

    def _meet(self, text: str) -> _Token:
        own = self._own is None or text == self._own
        fingerprint = token_fingerprint(self._base, text)
        return _Token(text, Identity(fingerprint, proving.masked(text), self._base, own))

    def _clear(
        self, token: _Token, lane: Lane, *, within: float, insists: bool = False, looks: bool = False
    ) -> Cleared:
        next_, state = self._ask(token, lane, within=within, insists=insists, looks=looks)
        if next_ in {Next.PROVEN, Next.UNPROVEN}:
            token.known_at = time.monotonic()
            return _SEND
        if next_ is Next.WAIT:
            return Cleared(Clearance.STOP if self._stopping() else Clearance.WAIT)
        token.known_at = -1e9
        error = state.error if state else ""
        status = state.status if state else 0
        if self._is_foreign(token) and self._is_own_proven(lane):
            said = f"{status}" if status else "refused"
            return Cleared(
                Clearance.BURY, refusals.foreign_error(token.identity, said), status
            )
        self._tell_refused(token, error)
        return Cleared(Clearance.KEEP, error, status)

    def _ask(
        self, token: _Token, lane: Lane, *, within: float, insists: bool = False, looks: bool = False
    ) -> tuple[Next, TokenState | None]:
        """Asks the fleet, proves, or waits for who proves, for as long as a request may take."""
        who = new_id()
        ends = time.monotonic() + self._proof_seconds

        def ask() -> tuple[Next, TokenState | None, float]:
            return self._tokens.ask(
                token.identity.fingerprint,
                who=who,
                proof_seconds=self._proof_seconds,
                within_seconds=within,
                insists=insists,
                looks=looks,
            )

        while True:
            next_, state, wait = self._persist(ask)
            if next_ is Next.PROVE:
                return self._prove(token, lane)
            out_of_time = time.monotonic() >= ends or self._stopping()
            if next_ is not Next.WAIT or out_of_time:
                return next_, state
            self._abandon.wait(wait)

    def _prove(self, token: _Token, lane: Lane) -> tuple[Next, TokenState | None]:
        began_ms = self._now_ms()
        answer = proving.ask_import(self._post, self._base, Credentials.key(token.text))
        proof = proving.judge_proof(answer)
        if proof is Proof.PROVEN:
            self._persist(lambda: self._write_proven(token, began_ms))
            token.kept_bytes = 0
            return Next.PROVEN, None
        if proof is Proof.REFUSED and isinstance(answer, Answer):
            return self._refuse(token, lane, answer)
        return self._stay_unproven(token, lane, answer)

    def _refuse(self, token: _Token, lane: Lane, answer: Answer) -> tuple[Next, TokenState | None]:
        said = f"{answer.status} {answers.said(answer)[:200]}".strip()
        likelier = refusals.likelier(None, others_proven=self._knows_others(token))
        error = refusals.error(token.identity, said, likelier, None)
        buries = self._is_foreign(token) and self._is_own_proven(lane)
        opens = () if buries else self._destinations(token, lane)
        refusal = Refusal(error, answer.status, opens=opens, pause=self._pause())
        fresh, returned = self._persist(lambda: self._tokens.refused(token.identity, refusal))
        self._tell_returned(token, returned)
        if fresh and self._base in REGIONS.values():
            token.look_elsewhere = refusal
        return Next.REFUSED, TokenState(
            token.identity.fingerprint,
            "refused",
            0,
            0,
            token.identity.masked,
            self._base,
            token.identity.own,
            answer.status,
            error,
        )

    def _stay_unproven(
        self, token: _Token, lane: Lane, answer: Answer | Failure
    ) -> tuple[Next, TokenState | None]:
        said = (
            f"{answer.status} {answers.said(answer)[:200]}"
            if isinstance(answer, Answer)
            else answer.detail
        )
        error = f"/import did not say whether Mixpanel knows the token: {said}"
        refusal = Refusal(error, opens=self._destinations(token, lane), pause=self._pause())
        was_refused = self._persist(lambda: self._tokens.silent(token.identity, refusal))
        if was_refused:
            return Next.REFUSED, None
        log.warning(
            "unproven: the project token %s could not be proven, and its messages are sent all the "
            "same: %s",
            token.identity.masked,
            error,
            extra={"token": token.identity.masked, "reason": error},
        )
        return Next.UNPROVEN, None

    def _write_proven(self, token: _Token, began_ms: int) -> None:
        alone = self._own is not None and token.identity.own
        returned = self._tokens.proven(
            token.identity, began_ms=began_ms - _EARLIER_MS, alone=alone
        )
        token.known_at = time.monotonic()
        self._tell_returned(token, returned)

    def _is_foreign(self, token: _Token) -> bool:
        return not token.identity.own

    def _is_own_proven(self, lane: Lane) -> bool:
        """Whether Mixpanel knows MIXPANEL_TOKEN here: else the region may be wrong for all."""
        if self._own is None:
            return False
        with self._lock:
            own = self._met.get(self._own) or self._meet(self._own)
            self._met[self._own] = own
        return self._ask(own, lane, within=PROOF_HOLDS_SECONDS)[0] is Next.PROVEN

    def _knows_others(self, token: _Token) -> bool:
        return any(
            one.state == "proven"
            and one.base == self._base
            and one.fingerprint != token.identity.fingerprint
            for one in self._persist(self._tokens.all)
        )

    def _destinations(self, token: _Token, lane: Lane) -> list[tuple[str, str]]:
        """All destinations of a token, with the lane that most of their messages are in."""
        key = Credentials.of_token(token.text)
        imports = lane if lane is Lane.IMPORT else Lane.EVENT
        lanes = {
            Destination(Endpoint.IMPORT, self._base, key): imports,
            Destination(Endpoint.TRACK, self._base, token=token.text): Lane.EVENT,
            Destination(Endpoint.ENGAGE, self._base, token=token.text): Lane.PROFILE_UPDATE,
            Destination(Endpoint.GROUPS, self._base, token=token.text): Lane.GROUP_UPDATE,
        }
        return [(destination.name, of.value) for destination, of in lanes.items()]

    def _keeps_much(self, token: _Token) -> bool:
        return token.kept_bytes > KEPT_BYTES

    def _count_kept(self, token: _Token, partition: int) -> bool:
        """Whether so much is kept without evidence that a proof is due."""
        kept = self._persist(lambda: self._tokens.kept(partition, token.identity.fingerprint))
        token.kept_bytes = kept.bytes
        if self._dropped is not None and kept.dropped > self._dropped:
            log.warning(
                "kept_dropped: %d batches that wait for evidence of their token were over the "
                "limit of 64 MB: should their token be refused, they cannot be sent again",
                kept.dropped - self._dropped,
            )
        self._dropped = kept.dropped
        return self._keeps_much(token)

    def _tell_refused(self, token: _Token, error: str) -> None:
        if time.monotonic() - token.told_at < TOLD_SECONDS:
            return
        token.told_at = time.monotonic()
        log.error(
            "token_refused: %s", error, extra={"token": token.identity.masked, "reason": error}
        )

    def _tell_returned(self, token: _Token, returned: PutBack) -> None:
        token.kept_bytes = 0
        if returned.messages:
            log.warning(
                "returned: %d messages were accepted under the token %s without evidence that "
                "Mixpanel knew it; they are back in the queue and no longer counted as delivered",
                returned.messages,
                token.identity.masked,
                extra={"records": returned.messages, "token": token.identity.masked},
            )

    def _persist[AnswerT](self, action: Callable[[], AnswerT]) -> AnswerT:
        return persist(action, what="the proof of a token", abandon=self._abandon)
