"""The checks of ids at the call: of events, of profiles and groups, and of identity events.

A worker checks the same rules before it sends, for producers that do not. Here the caller still
has the value in hand, and can change it.

Sources: Mixpanel's reference pages Import Events (invalid values of ``distinct_id``), Create
Identity, Create Alias, Merge Identities, and Identifying Users (Original ID Merge).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final

from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.values import NotJSONError, simplify
from mixrelay.shared.mixpanel.rules import PLACEHOLDERS

# The prefix is what Mixpanel's own browser and mobile libraries put before a device's id.
# Compiled when it is first needed, which in most processes is never.
_UUID_V4: Final = (
    "(?i:([$]device:)?[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"
)

_PLACEHOLDER_NUMBERS: Final = frozenset({0, -1})

# An enum of an enum of a UUID is three steps away from its text; nobody has more.
_STEPS = 4

_JSON = (str, int, float, list, dict)

_MOST_BITS = 64
"""Of an id that is an int; a larger one is no id, and writing it as text may even fail."""


def reduced(value: Any) -> Any:
    """Return the JSON value that stands for a scalar, such as a UUID's text; others as they are.

    What stands for nothing in JSON is returned too: the encoder refuses it, with its path.
    """
    for _ in range(_STEPS):
        if value is None or (isinstance(value, _JSON) and not isinstance(value, Enum)):
            return value
        try:
            value = simplify(value)
        except NotJSONError:
            return value
    return value


def event_id(value: Any, name: str) -> Any:
    """Return an event's ``distinct_id``; the empty text for None, an event of nobody.

    Raises:
        InvalidPropertyError: it is a bool, a list or an object, or one of the placeholders that
            Mixpanel refuses.
    """
    plain = reduced(value)
    if plain is None:
        return ""
    _check_scalar(plain, name, "the user's id, a str or an int, or None for an event of nobody")
    if _is_placeholder(plain):
        raise InvalidPropertyError(
            name,
            f"{plain!r} is one of the placeholders that Mixpanel refuses as an id; "
            "give the user's id, or None for an event of nobody",
        )
    return plain


def profile_id(value: Any, name: str) -> Any:
    """Return the id of a user's profile.

    Raises:
        InvalidPropertyError: it is None or empty, a bool, a list or an object, or a placeholder:
            events of such a user are refused, and all profiles of one would be a single one.
    """
    if type(value) is str and value and value not in PLACEHOLDERS:
        return value  # as nearly all are
    plain = group_id(value, name)
    if _is_placeholder(plain):
        raise InvalidPropertyError(
            name,
            f"{plain!r} is one of the placeholders that Mixpanel refuses as an id; "
            "give the profile's id",
        )
    return plain


def group_id(value: Any, name: str) -> Any:
    """Return the id of a group's profile.

    Raises:
        InvalidPropertyError: it is None or empty, a bool, a list or an object.
    """
    plain = reduced(value)
    if plain is None or plain == "":
        what = "None" if plain is None else "empty"
        raise InvalidPropertyError(name, f"is {what}; give the profile's id, a str or an int")
    _check_scalar(plain, name, "the profile's id, a str or an int")
    return plain


def text_id(value: Any, name: str) -> str:
    """Return the value of ``$user_id`` or ``$device_id`` as text, which Mixpanel wants.

    Raises:
        InvalidPropertyError: it is no text or whole number, empty, or a placeholder.
    """
    plain = reduced(value)
    if plain is None or plain == "":
        raise InvalidPropertyError(name, "is empty; give the id, or leave it out")
    _check_scalar(plain, name, "the id, a str or an int")
    if isinstance(plain, int) and plain.bit_length() <= _MOST_BITS:
        plain = str(plain)
    if not isinstance(plain, str):
        kind = type(value).__name__
        raise InvalidPropertyError(name, f"must be a str or an int of 64 bits, not {kind}")
    if plain in PLACEHOLDERS:
        raise InvalidPropertyError(
            name,
            f"{plain!r} is one of the placeholders that Mixpanel refuses as an id; "
            "give the id, or leave it out",
        )
    return plain


def identity_id(value: Any, name: str) -> str:
    """Return an id of ``$identify``, ``$create_alias`` or ``$merge``.

    Raises:
        InvalidPropertyError: it is no text, empty, or a placeholder.
    """
    plain = reduced(value)
    if plain is None or plain == "":
        what = "None" if plain is None else "empty"
        raise InvalidPropertyError(name, f"is {what}; give the id, a str")
    if not isinstance(plain, str):
        raise InvalidPropertyError(
            name,
            f"must be a str, not {type(value).__name__}: Mixpanel takes only text as an id here; "
            "give the text that your events have as distinct_id",
        )
    if plain in PLACEHOLDERS:
        raise InvalidPropertyError(
            name, f"{plain!r} is one of the placeholders that Mixpanel refuses as an id"
        )
    return plain


def anonymous_id(value: Any, name: str) -> str:
    """Return the ``$anon_id`` of ``$identify``, which is a UUID v4.

    Raises:
        InvalidPropertyError: it is none; Original ID Merge would merge nothing, without a word.
    """
    text = identity_id(value, name)
    if re.fullmatch(_UUID_V4, text):
        return text
    raise InvalidPropertyError(
        name,
        "must be a UUID v4, such as str(uuid.uuid4()): with another id Mixpanel's Original ID "
        "Merge connects nobody, and Simplified ID Merge ignores identify (docs/identity.md)",
    )


def check_two(first: str, second: str, name: str, of_first: str) -> None:
    """Refuse to make one id the same as itself.

    Raises:
        InvalidPropertyError: both are equal.
    """
    if first == second:
        raise InvalidPropertyError(name, f"is the same as {of_first}; give two different ids")


def _check_scalar(plain: Any, name: str, advice: str) -> None:
    if isinstance(plain, bool | list | dict):
        raise InvalidPropertyError(name, f"must not be a {type(plain).__name__}; give {advice}")


def _is_placeholder(plain: object) -> bool:
    """Whether a value is in Mixpanel's list, as text or as the number that it stands for."""
    if isinstance(plain, int):
        return plain in _PLACEHOLDER_NUMBERS
    return isinstance(plain, str) and plain in PLACEHOLDERS
