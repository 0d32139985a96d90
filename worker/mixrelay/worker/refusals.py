"""What a refused token means, in words: which token and region, which is likelier wrong, what to set.

Pure functions, without Redis or network.
"""

from __future__ import annotations

from mixrelay.shared.mixpanel.endpoints import REGIONS
from mixrelay.shared.mixpanel.proving import Elsewhere
from mixrelay.shared.queue import Identity

_IF_TRACK_TAKES_IT = (
    "Should this project's /import refuse a token that /track takes, set "
    "MIXRELAY_EVENTS_ENDPOINT=track and MIXRELAY_PROVE_TOKENS=off."
)


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


def error(identity: Identity, answer: str, likelier_wrong: str, elsewhere: str | None) -> str:
    """What happened, why, and what to set."""
    region = region_of(identity.base)
    where = f"in region {region!r}" if region else f"at {identity.base}"
    return (
        f"Mixpanel refuses the project token {identity.masked} {where} ({answer}). "
        f"{_why(likelier_wrong, elsewhere)}Its messages are kept in the queue. "
        f"{_what_to_set(identity, likelier_wrong, elsewhere)} {_IF_TRACK_TAKES_IT}"
    )


def _why(likelier_wrong: str, elsewhere: str | None) -> str:
    if elsewhere:
        return f"The project is in region {elsewhere!r}. "
    return "The token is likelier wrong than the region. " if likelier_wrong == "token" else ""


def _what_to_set(identity: Identity, likelier_wrong: str, elsewhere: str | None) -> str:
    if elsewhere:
        return f"Set MIXPANEL_REGION={elsewhere} for the workers."
    token = "MIXPANEL_TOKEN, or the token that the application pushes with its messages,"
    if likelier_wrong == "token":
        return f"Set {token} to the one in the project's settings in Mixpanel."
    address = "MIXPANEL_REGION" if region_of(identity.base) else "MIXPANEL_API_HOST"
    return (
        f"Compare {token} with the project's settings in Mixpanel, and {address} with the "
        "project's data residency."
    )


def foreign_error(identity: Identity, answer: str) -> str:
    """The same, of a token that a message brought and that is not MIXPANEL_TOKEN."""
    return (
        f"Mixpanel refuses the message's own project token {identity.masked} ({answer}), and "
        "knows MIXPANEL_TOKEN: correct the token in what pushes these messages. "
        f"{_IF_TRACK_TAKES_IT}"
    )
