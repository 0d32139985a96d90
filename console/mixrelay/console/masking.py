"""A tuple as a view may show it: parsed where it parses, without its secrets.

An `api_key` is a secret of Mixpanel's project: every view masks it, whatever the tuple's shape.
"""

import json
from typing import Any

from mixrelay.console.secrets_in_text import KEYS, MASK, mask_text

__all__ = ["MASK", "pretty", "readable"]


def readable(payload: bytes, *, raw: bool = False) -> Any:
    """The tuple as JSON, its message parsed too; as text where it is no JSON.

    Args:
        payload: the tuple, verbatim.
        raw: leave secrets in.
    """
    try:
        parsed = _inner(_loads(payload))
        shown = parsed if raw else _masked(parsed)
        json.dumps(shown)
    except (ValueError, RecursionError):
        text = payload.decode(errors="backslashreplace")
        return text if raw else mask_text(text)
    return shown


def pretty(payload: bytes) -> str:
    """The same for eyes: indented JSON, or the text."""
    shown = readable(payload)
    if isinstance(shown, str):
        return shown
    try:
        return json.dumps(shown, indent=2, ensure_ascii=False)
    except RecursionError:  # an indented text takes more of the stack than a plain one
        return json.dumps(shown, ensure_ascii=False)


def _inner(parsed: Any) -> Any:
    """The tuple with its message, a JSON text in the documented form, parsed in place."""
    if not (isinstance(parsed, list) and len(parsed) > 1 and isinstance(parsed[1], str)):
        return parsed
    return [parsed[0], _loads(parsed[1]), *parsed[2:]]


def _loads(text: bytes | str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        # As in {"name": "api_key", "value": "…"}.
        is_pair = any(isinstance(one, str) and _is_secret(one) for one in value.values())
        return {
            _masked_text(name): MASK
            if v and (_is_secret(name) or _is_beside(v, is_pair))
            else _masked(v)
            for name, v in value.items()
        }
    if isinstance(value, list):
        # As in ["api_key", "…"].
        behind = [False, *(isinstance(one, str) and _is_secret(one) for one in value)]
        return [
            MASK if item and is_value else _masked(item)
            for item, is_value in zip(value, behind, strict=False)
        ]
    return _masked_text(value) if isinstance(value, str) else value


def _is_secret(name: str) -> bool:
    return KEYS.fullmatch(name.strip()) is not None


def _is_beside(value: Any, is_pair: bool) -> bool:
    return is_pair and not isinstance(value, dict | list) and not _is_name(value)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _is_secret(value)


def _masked_text(text: str) -> str:
    """A text within JSON may be JSON, a form or base64 itself."""
    return mask_text(text, KEYS)
