"""Ids that nobody else chooses."""

import secrets


def new_id() -> str:
    """A claim or the id of a move: random, so that no two workers ever choose the same."""
    return secrets.token_hex(12)
