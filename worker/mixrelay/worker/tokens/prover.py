"""Proves project tokens for the fleet: one worker asks Mixpanel, the others wait for its answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeVar

from mixrelay.shared.mixpanel import proving
from mixrelay.shared.mixpanel.endpoints import REGIONS, Credentials, Destination, Endpoint
from mixrelay.shared.mixpanel.failures import Failure
from mixrelay.shared.mixpanel.proving import Proof
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.shared.queue import Lane, Next, Pause, Refusal, TokenAnswer, Tokens, new_id
from mixrelay.worker.base.retry import persist
from mixrelay.worker.tokens import refusals
from mixrelay.worker.tokens.met_tokens import LONG_AGO, MetToken, MetTokens, NewRefusal

log = logging.getLogger(__name__)

PROOF_HOLDS_SECONDS = 3600.0
_EARLIER_MS = 1_000
"""Evidence counts from so much earlier: two processes' clocks are not quite one."""
_MARGIN_SECONDS = 1.0

AnswerT = TypeVar("AnswerT")


class Found(NamedTuple):
    """What is known of a token by now; PROVE never, WAIT where another prover does not end."""

    next: Next
    error: str = ""
    status: int = 0
    buries: bool = False
    """When it was refused it was decided that its messages become dead letters."""


class Prover:
    """Any thread may ask.

    Methods raise `Abandoned` where Redis stayed away until the worker had to end.
    """

    def __init__(
        self,
        tokens: Tokens,
        met: MetTokens,
        post: Callable[[Destination, bytes], Answer | Failure],
        *,
        base: str,
        proof_seconds: float,
        pause: Callable[[], Pause],
        now_ms: Callable[[], int],
        stopping: Callable[[], bool],
        abandon: threading.Event,
    ) -> None:
        """Opens nothing.

        Args:
            tokens: what the fleet knows.
            met: what this process knows.
            post: sends to Mixpanel.
            base: Mixpanel's base address.
            proof_seconds: the longest that a request to Mixpanel takes.
            pause: until a refused token is proven again.
            now_ms: the time by the queue's own clock.
            stopping: whether no further request may begin.
            abandon: set when the process can wait no longer for Redis.
        """
        self._tokens = tokens
        self._met = met
        self._post = post
        self._base = base
        self._proof_seconds = proof_seconds + _MARGIN_SECONDS
        self._pause = pause
        self._now_ms = now_ms
        self._stopping = stopping
        self._abandon = abandon

    def find_out(
        self,
        token: MetToken,
        lane: Lane,
        *,
        within: float = PROOF_HOLDS_SECONDS,
        insists: bool = False,
        looks: bool = False,
    ) -> Found:
        """Asks the fleet, proves, or waits for who proves, for as long as a request may take.

        Args:
            token: which.
            lane: of the batch that waits for it.
            within: seconds that evidence may be old.
            insists: also where there is older evidence.
            looks: a proof only where the token is refused; else what is known will do.
        """
        who = new_id()
        ends = time.monotonic() + self._proof_seconds

        def ask() -> TokenAnswer:
            return self._tokens.ask(
                token.identity.fingerprint,
                who=who,
                proof_seconds=self._proof_seconds,
                within_seconds=within,
                insists=insists,
                looks=looks,
            )

        while True:
            answer = self.persist(ask)
            if answer.next is Next.PROVE:
                return self._prove(token, lane)
            is_late = time.monotonic() >= ends or self._stopping()
            if answer.next is not Next.WAIT or is_late:
                state = answer.state
                return (
                    Found(answer.next, state.error, state.status, state.buries)
                    if state
                    else Found(answer.next)
                )
            self._abandon.wait(answer.wait_seconds)

    def buries(self, token: MetToken, lane: Lane) -> bool:
        """Whether messages of a refused token become dead letters.

        They do where a message brought the token and Mixpanel knows MIXPANEL_TOKEN here. Else
        the region may be wrong for all, and they are kept.
        """
        own = self._met.own
        if own is None or token.identity.own:
            return False
        return self.find_out(own, lane).next is Next.PROVEN

    def write_proven(self, token: MetToken, began_ms: int) -> None:
        """Writes evidence down.

        Raises:
            redis.RedisError: it may be stored, or not.
        """
        alone = self._met.own is token
        began_ms -= _EARLIER_MS
        returned = self._tokens.proven(token.identity, began_ms=began_ms, alone=alone)
        token.known_at, token.kept_bytes = time.monotonic(), 0
        token.tell_returned(returned)

    def look_elsewhere(self) -> None:
        """Asks the other regions about tokens that were refused just now; once a refusal."""
        for token in self._met.all():
            new, token.to_look_elsewhere = token.to_look_elsewhere, None
            if new and not self._stopping():
                self._look_elsewhere(token, new)

    def _look_elsewhere(self, token: MetToken, new: NewRefusal) -> None:
        who = Credentials.of_token(token.text)
        elsewhere = proving.look_elsewhere(self._post, self._base, who)
        likelier = refusals.likelier(elsewhere, others_proven=self._knows_others(token))
        region = str(elsewhere) if elsewhere in REGIONS else None
        buries = not new.refusal.opens
        error = refusals.error(token.identity, new.said, likelier, region, buries=buries)
        found = replace(new.refusal, error=error, likelier=likelier, elsewhere=region)
        self.persist(lambda: self._tokens.amend(token.identity, found))
        token.tell_refused(error, again=True)

    def _prove(self, token: MetToken, lane: Lane) -> Found:
        began_ms = self._now_ms()
        answer = proving.ask_import(self._post, self._base, Credentials.of_token(token.text))
        proof = proving.judge_proof(answer)
        if proof is Proof.PROVEN:
            self.persist(lambda: self.write_proven(token, began_ms))
            return Found(Next.PROVEN)
        if proof is Proof.REFUSED and isinstance(answer, Answer):
            return self._refuse(token, lane, answer)
        return self._stay_unproven(token, lane, answer)

    def _refuse(self, token: MetToken, lane: Lane, answer: Answer) -> Found:
        token.known_at = token.looked_at = LONG_AGO
        said = refusals.quoted(answer)
        buries = self.buries(token, lane)
        likelier = refusals.likelier(None, others_proven=self._knows_others(token))
        error = refusals.error(token.identity, said, likelier, None, buries=buries)
        opens = () if buries else self._destinations(token, lane)
        refusal = Refusal(error, answer.status, opens=opens, pause=self._pause())
        is_new, returned = self.persist(lambda: self._tokens.refused(token.identity, refusal))
        token.tell_returned(returned)
        token.tell_refused(error)
        if is_new and self._base in REGIONS.values():
            token.to_look_elsewhere = NewRefusal(refusal, said)
        return Found(Next.REFUSED, error, answer.status, buries)

    def _stay_unproven(self, token: MetToken, lane: Lane, answer: Answer | Failure) -> Found:
        said = answer.detail if isinstance(answer, Failure) else refusals.quoted(answer)
        error = f"/import did not say whether Mixpanel knows the token: {said}"
        refusal = Refusal(error, opens=self._destinations(token, lane), pause=self._pause())
        if self.persist(lambda: self._tokens.silent(token.identity, refusal)):
            return Found(Next.REFUSED, error)
        masked = token.identity.masked
        log.warning(
            "unproven: Mixpanel has not confirmed the project token %s; its messages are sent "
            "nevertheless: %s",
            masked,
            error,
            extra={"masked_token": masked, "reason": error},
        )
        return Found(Next.UNPROVEN)

    def _knows_others(self, token: MetToken) -> bool:
        return any(
            one.state == "proven"
            and one.base == self._base
            and one.fingerprint != token.identity.fingerprint
            for one in self.persist(self._tokens.all)
        )

    def _destinations(self, token: MetToken, lane: Lane) -> list[tuple[str, str]]:
        """All destinations of a token, each with the lane that its messages are in."""
        imports = lane if lane is Lane.IMPORT else Lane.EVENT
        key, text = Credentials.of_token(token.text), token.text
        lanes = {
            Destination(Endpoint.IMPORT, self._base, key): imports,
            Destination(Endpoint.TRACK, self._base, token=text): Lane.EVENT,
            Destination(Endpoint.ENGAGE, self._base, token=text): Lane.PROFILE_UPDATE,
            Destination(Endpoint.GROUPS, self._base, token=text): Lane.GROUP_UPDATE,
        }
        return [(destination.name, of.value) for destination, of in lanes.items()]

    def persist(self, action: Callable[[], AnswerT]) -> AnswerT:
        """Repeats a move until Redis answers."""
        return persist(action, what="the proof of a token", abandon=self._abandon)
