"""What the fleet knows of project tokens: proven, refused, or not known (docs/internals.md)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import orjson
from redis import Redis

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.messages.settlement import Pause, PauseKind
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.partitions.partitions import FAILURES, Partitions
from mixrelay.shared.queue.tokens.kept_copies import Kept, PutBack
from mixrelay.shared.queue.tokens.state import TokenState, token_states

AnswerT = TypeVar("AnswerT")


class Next(StrEnum):
    """What whoever asked for a token is to do."""

    PROVEN = "proven"
    UNPROVEN = "unproven"
    REFUSED = "refused"
    PROVE = "prove"
    WAIT = "wait"


class TokenAnswer(NamedTuple):
    """The answer to a question for a token."""

    next: Next
    state: TokenState | None
    wait_seconds: float
    """Until it is worth asking again, where `next` is WAIT or REFUSED."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A token at a base address, as the queue stores and shows it."""

    fingerprint: str
    masked: str
    base: str
    own: bool

    def facts(self) -> dict[str, Any]:
        return {"masked": self.masked, "base": self.base, "own": self.own}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Mixpanel said, and what it means."""

    error: str
    status: int = 0
    likelier: str | None = None
    """`token`, `region` or `unknown`; None keeps what was found before."""
    elsewhere: str | None = None
    opens: Sequence[tuple[str, str]] = field(default=())
    """Destinations and their lanes, to which nobody sends before the token is proven; none where
    its messages become dead letters."""
    pause: Pause = field(default=Pause(PauseKind.CONFIGURATION))
    """How long until it is proven again."""

    def facts(self) -> dict[str, Any]:
        told = {
            "error": self.error,
            "status": self.status or None,
            "likelier": self.likelier,
            "elsewhere": self.elsewhere,
            "opens": [{"destination": name, "lane": lane} for name, lane in self.opens],
            "pause": {
                "base": self.pause.base_ms,
                "cap": self.pause.cap_ms,
                "jitter": self.pause.jitter_ms,
            },
        }
        return {name: value for name, value in told.items() if value is not None}


class Tokens:
    """The states in Q's own slot, and the copies in each partition. Any thread may ask.

    All methods raise `redis.RedisError` where a node did not answer, and may be repeated.
    """

    def __init__(self, redis: Redis, name: str, partitions: Partitions) -> None:
        self._redis = redis
        self._keys = Keys.of(name)
        self._scripts = Scripts(redis, self._keys)
        self._partitions = partitions

    def ask(
        self,
        fingerprint: str,
        *,
        who: str,
        proof_seconds: float,
        within_seconds: float,
        insists: bool = False,
        looks: bool = False,
    ) -> TokenAnswer:
        """Asks before something is sent under a token. Asked twice by the same, it answers alike.

        Args:
            fingerprint: the token's.
            who: names the asker, who is to prove it where nobody does.
            proof_seconds: that a proof may take; then another may prove.
            within_seconds: how old evidence may be.
            insists: wait for another's proof also where there is older evidence.
            looks: prove only where the token is refused, else answer what is known.
        """
        told = self._scripts.run(
            "token",
            fingerprint,
            who,
            round(proof_seconds * 1000),
            round(within_seconds * 1000),
            int(insists),
            int(looks),
        )
        return _asked(fingerprint, told)

    def all(self) -> tuple[TokenState, ...]:
        """Everything that is known."""
        stored: Mapping[bytes, bytes] = self._redis.hgetall(self._keys("tokens"))  # type: ignore[assignment, unused-ignore]
        with reading("the state of a token"):
            return token_states(
                {name.decode(): orjson.loads(text) for name, text in stored.items()}
            )

    def proven(self, identity: Identity, *, began_ms: int, alone: bool = False) -> PutBack:
        """There is evidence that Mixpanel knows the token.

        Copies of what was sent before it are dropped. Where the token was refused until now they
        are put back first, since they may be lost; then all its circuits end.

        Args:
            identity: the token.
            began_ms: when the request that proves it began, by Redis's clock.
            alone: it is the only token of the worker's own, so other refusals of such are over.
        """
        facts = identity.facts() | {"alone": alone}
        before = self._write(identity, "proven", facts)
        returned = PutBack(0, 0)
        if before == "refused":
            returned = self.put_back(identity, "sent while the token may have been refused", 0)
            self._write(identity, "proven", facts | {"returned": True})
        self._where_well(lambda one: one.kept.drop(identity.fingerprint, began_ms))
        return returned

    def refused(self, identity: Identity, refusal: Refusal) -> tuple[bool, PutBack]:
        """Mixpanel refuses the token: opens its circuits, then puts back what may be lost.

        Returns:
            Whether it was not refused before, and what was put back.
        """
        before = self._write(identity, "refused", identity.facts() | refusal.facts())
        error, status = refusal.error, refusal.status
        some = self._where_well(lambda one: self._put_back(one, identity, error, status))
        return before != "refused", _sum(some)

    def amend(self, identity: Identity, refusal: Refusal) -> None:
        """Says more of a refusal; changes nothing else."""
        self._write(identity, "refused", identity.facts() | refusal.facts() | {"amends": True})

    def silent(self, identity: Identity, refusal: Refusal) -> bool:
        """A proof got no answer. What was refused stays so, with another pause.

        Returns:
            Whether the token was refused before.
        """
        before = self._write(identity, "silent", identity.facts() | refusal.facts())
        return before == "refused"

    def kept(self, partition: int, fingerprint: str) -> Kept:
        """What is kept in one partition."""
        return self._partitions[partition].kept.amount(fingerprint)

    def put_back(self, identity: Identity, error: str, status: int) -> PutBack:
        """Makes batches again of all copies, on every partition."""
        return _sum([self._put_back(one, identity, error, status) for one in self._partitions])

    def _put_back(self, one: Partition, identity: Identity, error: str, status: int) -> PutBack:
        returned = one.kept.put_back(identity.fingerprint, error, status)
        self._partitions.wake(one.index)
        return returned

    def _where_well(self, do: Callable[[Partition], AnswerT]) -> list[AnswerT]:
        """On all partitions whose node answers; what another has is done with the next evidence."""
        done = []
        for one in self._partitions:
            if self._partitions.is_left_alone(one.index):
                continue
            try:
                done.append(do(one))
            except FAILURES as error:
                self._partitions.failed(one.index, error)
        return done

    def _write(self, identity: Identity, outcome: str, facts: Mapping[str, Any]) -> str:
        told = orjson.dumps(facts)
        return str(self._scripts.run("proof", identity.fingerprint, outcome, told).decode())


def _sum(returned: Iterable[PutBack]) -> PutBack:
    some = list(returned)
    return PutBack(sum(one.batches for one in some), sum(one.messages for one in some))


@reading("the state of a token")
def _asked(fingerprint: str, told: Sequence[Any]) -> TokenAnswer:
    next_, text, wait_ms = told
    state = TokenState.parse(fingerprint, orjson.loads(text)) if text else None
    return TokenAnswer(Next(next_.decode()), state, int(wait_ms) / 1000)
