"""Ids that nobody else chooses."""

import re
import secrets

_GIVEN = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


def new_id() -> str:
    """A claim or the id of a move: random, so that no two workers ever choose the same."""
    return secrets.token_hex(12)


def is_id(text: str) -> bool:
    """Whether an id that a caller chose may stand in an address and in a key."""
    return _GIVEN.fullmatch(text) is not None


def check_id(text: str, what: str) -> None:
    """Refuse an id that a caller chose and that could not.

    Raises:
        ValueError: it is empty, too long, or has other characters than letters, digits, - and _.
    """
    if not is_id(text):
        raise ValueError(f"{what} is 1 to 64 letters, digits, - and _")
