"""A tuple as a view may show it: parsed where it parses, without its secrets.

An `api_key` is a secret of Mixpanel's project: every view masks it.
"""

import json
import re
from typing import Any

MASK = "***"
_SECRET = "api_key"  # noqa: S105 - the name of a field, not a secret
# In text that does not parse: the key, quoted as often as JSON in JSON quotes it, and its value.
_IN_TEXT = re.compile(
    rf'({_SECRET}\\*"\s*:\s*)(?:(\\*")(?:.*?)(?:(?<!\\)\2|$)|[^\s",}}\]]+)', re.DOTALL
)


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
        return text if raw else _IN_TEXT.sub(_mask_match, text)
    return shown


def pretty(payload: bytes) -> str:
    """The same for eyes: indented JSON, or the text."""
    shown = readable(payload)
    return shown if isinstance(shown, str) else json.dumps(shown, indent=2, ensure_ascii=False)


def _inner(parsed: Any) -> Any:
    """The tuple with its message, a JSON text in the documented form, parsed in place."""
    if not (isinstance(parsed, list) and len(parsed) > 1 and isinstance(parsed[1], str)):
        return parsed
    return [parsed[0], _loads(parsed[1]), *parsed[2:]]


def _loads(text: bytes | str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _mask_match(found: re.Match[str]) -> str:
    quote = found[2] or ""
    return f"{found[1]}{quote}{MASK}{quote}"


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: MASK if name == _SECRET and v else _masked(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value
