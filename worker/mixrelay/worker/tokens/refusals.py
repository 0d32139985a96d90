"""What a refused token means, in words: which token, where, what is likelier wrong, what to set.

Pure functions, without Redis or network.
"""

from __future__ import annotations

from mixrelay.shared.mixpanel.answers import said
from mixrelay.shared.mixpanel.endpoints import REGIONS
from mixrelay.shared.mixpanel.proving import Elsewhere
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.shared.queue import Identity

_IF_TRACK_TAKES_IT = (
    "Should this project's /import refuse a token that /track takes, set "
    "MIXRELAY_EVENTS_ENDPOINT=track and MIXRELAY_PROVE_TOKENS=off."
)


_BURIED = "Its messages are dead letters, since MIXPANEL_TOKEN is another and is accepted."


def region_of(base: str) -> str | None:
    """The region whose address a base is; None for a MIXPANEL_API_HOST."""
    return next((region for region, address in REGIONS.items() if address == base), None)


def likelier(elsewhere: str | Elsewhere | None, *, others_proven: bool) -> str:
    """Which setting is likelier wrong: `token`, `region` or `unknown`.

    Args:
        elsewhere: what the other regions say; None where they were not asked.
        others_proven: the same address knows another token.
    """
    if elsewhere in REGIONS:
        return "region"
    if others_proven or elsewhere is Elsewhere.NOWHERE:
        return "token"
    return "unknown"


def error(
    identity: Identity, answer: str, likelier_wrong: str, elsewhere: str | None, *, buries: bool
) -> str:
    """What happened, why, and what to set.

    Args:
        identity: the token.
        answer: what Mixpanel said.
        likelier_wrong: as `likelier` returns it.
        elsewhere: the region that knows the token.
        buries: its messages become dead letters, since it is not MIXPANEL_TOKEN, which is known.
    """
    if buries:
        what, becomes, todo = "a message's own project token", _BURIED, _what_to_push(elsewhere)
    else:
        what, becomes = "the project token", "Its messages are kept in the queue."
        todo = _what_to_set(identity, likelier_wrong, elsewhere)
    return (
        f"Mixpanel refuses {what} {_which(identity)} ({answer}). "
        f"{_why(likelier_wrong, elsewhere)}{becomes} {todo} {_IF_TRACK_TAKES_IT}"
    )


def quoted(answer: Answer) -> str:
    """What an answer says, short enough for a log line."""
    return f"{answer.status} {said(answer)[:200]}"


def _which(identity: Identity) -> str:
    region = region_of(identity.base)
    return f"{identity.masked} {f'in region {region!r}' if region else f'at {identity.base}'}"


def _why(likelier_wrong: str, elsewhere: str | None) -> str:
    if elsewhere:
        return f"The project is in region {elsewhere!r}. "
    return "The token is likelier wrong than the region. " if likelier_wrong == "token" else ""


def _what_to_set(identity: Identity, likelier_wrong: str, elsewhere: str | None) -> str:
    if elsewhere:
        return f"Set MIXPANEL_REGION={elsewhere} for the workers."
    which = "MIXPANEL_TOKEN, or the token that the application pushes with its messages,"
    if likelier_wrong == "token":
        return f"Set {which} to the one in the project's settings in Mixpanel."
    address = "MIXPANEL_REGION" if region_of(identity.base) else "MIXPANEL_API_HOST"
    return (
        f"Compare {which} with the project's settings in Mixpanel, and {address} with the "
        "project's data residency."
    )


def _what_to_push(elsewhere: str | None) -> str:
    if elsewhere:
        return f"Send them with workers of their own that have MIXPANEL_REGION={elsewhere}."
    return "Correct the token in the application that pushes them, and the letters, and replay."
