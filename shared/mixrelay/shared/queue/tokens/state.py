"""What is known of one project token (docs/internals.md, Proven tokens)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class TokenStatus(StrEnum):
    """What the newest evidence says."""

    PROVEN = "proven"
    REFUSED = "refused"
    UNPROVEN = "unproven"
    """The last proof got no answer: what waits for it is sent all the same."""


@dataclass(frozen=True, slots=True)
class TokenState:
    """What is known of one token at one base address. Times are Unix milliseconds."""

    fingerprint: str
    state: str
    """A `TokenStatus`."""
    at_ms: int
    """Of the newest evidence."""
    since_ms: int
    """Since when it is in this state."""
    masked: str
    """As it may be shown, such as `3f2a…b7`."""
    base: str
    own: bool
    """It is the worker's own setting, and not one that a message brought."""
    status: int = 0
    """HTTP status of the refusal."""
    error: str = ""
    """What happened, why, and what to set."""
    likelier: str = "unknown"
    """Which setting of a refusal is likelier wrong: `token`, `region` or `unknown`."""
    elsewhere: str | None = None
    """The region that knows a refused token, as in MIXPANEL_REGION."""
    buries: bool = False
    """Messages of this refused token become dead letters; those of others are kept."""

    @classmethod
    def parse(cls, fingerprint: str, told: Mapping[str, Any]) -> Self:
        return cls(
            fingerprint=fingerprint,
            state=str(told["state"]),
            at_ms=int(told["at"]),
            since_ms=int(told["since"]),
            masked=str(told["masked"]),
            base=str(told["base"]),
            own=bool(told["own"]),
            status=int(told.get("status") or 0),
            error=str(told.get("error") or ""),
            likelier=str(told.get("likelier") or "unknown"),
            elsewhere=told.get("elsewhere"),
            buries=bool(told.get("buries")),
        )


def token_states(told: Mapping[str, Mapping[str, Any]]) -> tuple[TokenState, ...]:
    """All of them, as `books.lua` answers them; those that are refused first."""
    states = (TokenState.parse(name, one) for name, one in told.items())
    return tuple(sorted(states, key=lambda one: (one.state != "refused", one.fingerprint)))
