"""Reads who may come in, and by which password."""

import json
from typing import Any

from mixrelay.shared.errors import ConfigurationError

_WANTED = (
    "write it as name:password,name:password, or as JSON where a password has a comma or a space "
    'at an end: {"name": "password"}'
)


def read_users(text: str) -> dict[str, str]:
    """Each user's password; a password is whatever stands behind a name's colon.

    A text that begins with a brace is JSON, in which a password may hold anything.

    Raises:
        ConfigurationError: it cannot be read, a name or a password is empty, a name holds a colon,
            which ends it in a browser's answer, or stands there twice. No password is repeated.
    """
    pairs = _of_json(text) if text.lstrip().startswith("{") else _of_list(text)
    for name, password in pairs:
        if not name or not password:
            raise _unusable(f"{name!r} has no password" if name else "a password has no name")
        if ":" in name:
            raise _unusable(f"the name {name!r} has a colon, which no browser can send")
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _unusable(f"{twice[0]!r} is there twice")
    return dict(pairs)


def _of_list(text: str) -> list[tuple[str, str]]:
    pairs = []
    for pair in filter(None, map(str.strip, text.split(","))):
        name, colon, password = pair.partition(":")
        if not colon:
            # Not the text itself: it may be the rest of a password.
            raise _unusable("between two commas stands no name:password")
        pairs.append((name, password))
    return pairs


def _of_json(text: str) -> list[tuple[str, str]]:
    try:
        # A list of pairs, since of two equal names an object would keep the last.
        read: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise _unusable("it begins with a brace and is no JSON") from None
    if not all(isinstance(password, str) for _, password in read):
        raise _unusable("in JSON a password is not a text")
    return read


def _unusable(why: str) -> ConfigurationError:
    return ConfigurationError(f"MIXRELAY_DASHBOARD_USERS is not usable: {why}; {_WANTED}.")
