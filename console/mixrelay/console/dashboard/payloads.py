"""A letter's message as the page shows it, and as an operator may edit it."""

import json
from typing import Any

from mixrelay.console.masking import MASK, pretty, readable
from mixrelay.shared.queue import Letter
from mixrelay.shared.tuples import write

SHOWN_AT_MOST = 100_000
"""Characters: a page must open, however large the message."""
EDITED_AT_MOST = 1_000_000
_SECRET = "api_key"  # noqa: S105 - the name of a field


def shown(payload: bytes, *, mask: bool) -> str:
    """Indented, without secrets; with `mask` without any value."""
    if mask:
        value = readable(payload)
        text = (
            f"{len(payload):,} bytes that are no JSON" if isinstance(value, str) else _shape(value)
        )
    else:
        text = pretty(payload)
    if len(text) <= SHOWN_AT_MOST:
        return text
    return text[:SHOWN_AT_MOST] + f"\n… {len(text) - SHOWN_AT_MOST:,} more characters"


def _shape(value: Any) -> str:
    try:
        return json.dumps(_without_values(value), indent=2, ensure_ascii=False)
    except RecursionError:
        return "values nested too deep to be shown without them"


def _without_values(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_values(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_values(inner) for inner in value]
    return None if value is None else MASK


def editable(letter: Letter) -> str | None:
    """What an editor starts from; None where a text field cannot hold it without a secret.

    A masked secret must be known again in what comes back: it is where it is the message's own
    `api_key`. Others are edited by `mixrelay dlq edit`.
    """
    if len(letter.payload) > EDITED_AT_MOST:
        return None
    try:
        text = letter.payload.decode()
    except UnicodeDecodeError:
        return None
    value, before = readable(letter.payload), readable(letter.payload, raw=True)
    if isinstance(value, str):
        return text if value == before else None
    try:
        if _unmasked(value, before) != before:
            return None
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return None


def _unmasked(value: Any, before: Any) -> Any:
    """With the message's own `api_key` as it was; a new value."""
    message = value[1] if isinstance(value, list) and len(value) > 1 else None
    if not (isinstance(message, dict) and message.get(_SECRET) == MASK):
        return value
    return [value[0], message | {_SECRET: before[1].get(_SECRET)}, *value[2:]]


def edited(letter: Letter, text: str) -> bytes:
    """The tuple that an edited text means, in the documented form.

    An `api_key` that is still masked is the one that was there. Text that is no JSON is taken as
    it stands: whether it is a tuple, the queue says.
    """
    try:
        return _tuple(letter, text)
    except (ValueError, TypeError, RecursionError):
        return text.encode(errors="replace")


def _tuple(letter: Letter, text: str) -> bytes:
    value = json.loads(text)
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)):  # noqa: PLR2004 - a tuple
        return text.encode()
    kind, message = value
    before = readable(letter.payload, raw=True)
    if isinstance(message, dict) and message.get(_SECRET) == MASK and isinstance(before, list):
        message[_SECRET] = _own_secret(before)
    return write(kind, message if isinstance(message, str) else _compact(message))


def _own_secret(before: list[Any]) -> Any:
    message = before[1] if len(before) > 1 else None
    return message.get(_SECRET, MASK) if isinstance(message, dict) else MASK


def _compact(message: Any) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
