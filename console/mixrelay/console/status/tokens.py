"""What Mixpanel says about the project tokens that messages are sent under."""

import math
from typing import Any

from mixrelay.console.status.problem import Problem
from mixrelay.console.text import count, cut, duration, iso_ms
from mixrelay.shared.mixpanel.endpoints import REGIONS
from mixrelay.shared.queue import Books, PausedDestination, TokenState

TOKEN_REFUSED, TOKEN_UNPROVEN = "token_refused", "token_unproven"
REFUSED, UNPROVEN, PROVEN = "refused", "unproven", "proven"
STATES = (REFUSED, UNPROVEN, PROVEN)
"""What a token can be, the one that needs attention first."""
_ERROR_SHOWN = 120
_RESTART = "restart the workers"


def token_problems(books: Books, patience: float = math.inf) -> list[Problem]:
    """The tokens that Mixpanel refuses, then those that nothing has proven yet.

    Args:
        books: the queue's.
        patience: seconds for which a token may be unproven.
    """
    tokens = sorted_tokens(books)
    return [
        *(_refused(token, books) for token in tokens if token.state == REFUSED),
        *(_unproven(token, books.now_ms, patience) for token in tokens if token.state == UNPROVEN),
    ]


def sorted_tokens(books: Books) -> list[TokenState]:
    """Refused tokens first, then unproven, then proven; the worker's own before others."""
    order = {state: number for number, state in enumerate(STATES)}
    return sorted(
        books.tokens,
        key=lambda token: (order.get(token.state, 0), not token.own, token.fingerprint),
    )


def pauses_of_their_own(books: Books) -> list[PausedDestination]:
    """The pauses without those that a refused token caused: `token_problems` has their cause."""
    refused = {token.fingerprint for token in books.tokens if token.state == REFUSED}
    return [pause for pause in books.paused if pause.token not in refused]


def unproven_seconds(token: TokenState, now_ms: int) -> float:
    """For how long a token has been unproven; 0 where it is proven or refused."""
    return max(0.0, (now_ms - token.since_ms) / 1000) if token.state == UNPROVEN else 0.0


def region_of(base: str) -> str | None:
    """The region whose address this is; None for a proxy or the sandbox."""
    return next((region for region, address in REGIONS.items() if address == base), None)


def tokens_as_json(books: Books) -> list[dict[str, Any]]:
    """The key `tokens` of `mixrelay status --json` (a contract)."""
    return [
        {
            "token": token.masked,
            "fingerprint": token.fingerprint,
            "state": token.state,
            "own": token.own,
            "region": region_of(token.base),
            "base": token.base,
            "status": token.status,
            "error": token.error,
            "likelier": token.likelier if token.state == REFUSED else None,
            "elsewhere": token.elsewhere,
            "since": iso_ms(token.since_ms),
            "at": iso_ms(token.at_ms),
        }
        for token in sorted_tokens(books)
    ]


def _refused(token: TokenState, books: Books) -> Problem:
    from_messages = "" if token.own else ", which comes from messages,"
    status = f" ({token.status})" if token.status else ""
    why, what_to_do = _advice(token)
    return Problem(
        TOKEN_REFUSED,
        token.fingerprint,
        f"Mixpanel refuses token {token.masked}{from_messages} {place(token)}{status}. "
        f"{why}{_fate(token, books)}",
        what_to_do,
    )


def place(token: TokenState) -> str:
    """`in region us`, or `at http://…` for a proxy or the sandbox."""
    region = region_of(token.base)
    return f"in region {region}" if region else f"at {token.base}"


def _advice(token: TokenState) -> tuple[str, str]:
    """What the other regions said about a refused token, and what to set."""
    if token.elsewhere:
        return f"Region {token.elsewhere} knows it.", _set_region(token, token.elsewhere)
    if token.likelier == "token":
        return "The token is likelier wrong than the region.", _correct_token(token)
    compare = (
        "Compare MIXPANEL_REGION (or MIXPANEL_API_HOST) with the project's data residency too."
    )
    doubt = "Whether the token or the region is wrong is not known."
    return doubt, f"{_correct_token(token)} {compare}"


def _set_region(token: TokenState, region: str) -> str:
    setting = f"MIXPANEL_REGION={region}"
    if token.own:
        return f"Set {setting} and {_RESTART}."
    return f"Send this project's messages through a queue whose workers have {setting}."


def _correct_token(token: TokenState) -> str:
    settings = "the project token in Mixpanel's project settings"
    if token.own:
        return (
            "Compare MIXPANEL_TOKEN, and the token that the application gives to its tracker, "
            f"with {settings}; correct it and {_RESTART}."
        )
    return f"Compare the token that the application gives to its tracker with {settings}."


def _fate(token: TokenState, books: Books) -> str:
    """What becomes of the messages under a refused token, as docs/operate.md says."""
    if not token.own and _is_own_proven(token.base, books):
        return " Its messages become dead letters (unauthorized)."
    if not books.waiting:
        return ""
    waiting = count(books.waiting, "message")
    if len(books.tokens) == 1:
        return f" {waiting} {'is' if books.waiting == 1 else 'are'} kept."
    return f" Its messages are kept ({waiting} in the backlog)."


def _is_own_proven(base: str, books: Books) -> bool:
    """Whether the same workers have a token that Mixpanel knows: then the region is right."""
    return any(one.own and one.state == PROVEN and one.base == base for one in books.tokens)


def _unproven(token: TokenState, now_ms: int, patience: float) -> Problem:
    error = f" ({cut(token.error, _ERROR_SHOWN).rstrip('.')})" if token.error else ""
    return Problem(
        TOKEN_UNPROVEN,
        token.fingerprint,
        f"Token {token.masked} has been unproven {place(token)} for "
        f"{duration(unproven_seconds(token, now_ms))}: /import neither accepts nor refuses "
        f"it{error}.",
        "Updates are sent meanwhile, and Mixpanel takes them under a wrong token too: check the "
        "token with mixrelay doctor.",
        is_urgent=unproven_seconds(token, now_ms) > patience,
        is_page=False,
    )
