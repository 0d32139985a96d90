"""Reading what Mixpanel answers; what it means for a batch is the worker's table."""

from __future__ import annotations

import math
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from mixrelay.shared.mixpanel.transport import Answer

MAX_RETRY_AFTER_SECONDS = 300.0
"""A server's wish beyond it is cut: a typing error there must not stop the fleet for a day."""

MAX_SAID = 1_000
"""Characters kept of what an answer says: enough for a reason, little enough for a log line."""

_SECONDS = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{0,30})?")


_LONGEST_WISH = 100
"""Characters of a ``Retry-After``; what is longer is neither seconds nor a date."""

_OWN_KEYS = frozenset({"error", "code", "status", "failed_records"})


class FailedRecord(NamedTuple):
    """One record that Mixpanel refused, in its words."""

    field: str
    message: str


def parsed(answer: Answer) -> Any:
    """Return the JSON that an answer's body is; None where it is none."""
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None


def is_mixpanels(body: Any) -> bool:
    """Whether a body has one of the forms of Mixpanel's answers: a proxy's or a WAF's has not.

    Mixpanel: Import Events and Track Events, responses, which are JSON for every status.
    """
    if isinstance(body, dict):
        return not body.keys().isdisjoint(_OWN_KEYS)
    return _is_int(body, 0) or _is_int(body, 1)


def accepted(body: Any) -> bool:
    """Whether a body says that all was taken: ``1``, ``status`` 1, or ``code`` 200."""
    if isinstance(body, dict):
        return _is_int(body.get("status"), 1) or _is_int(body.get("code"), 200)
    return _is_int(body, 1)


def refused(body: Any) -> bool:
    """Whether a body says that something was refused: ``0``, ``status`` 0, or ``code`` 400."""
    if isinstance(body, dict):
        return _is_int(body.get("status"), 0) or _is_int(body.get("code"), 400)
    return _is_int(body, 0)


def failed_records(body: Any, count: int) -> dict[int, FailedRecord] | None:
    """Return the refused records by their index in the request.

    None where a body names none, or names what cannot be: then nothing it names is to be
    trusted, and above all not that the others were taken.
    """
    named = body.get("failed_records") if isinstance(body, dict) else None
    if not isinstance(named, list) or not named:
        return None
    failed: dict[int, FailedRecord] = {}
    for entry in named:
        index = _index(entry, count)
        if index is None:
            return None
        field, message = (_text(entry.get(key)) for key in ("field", "message"))
        failed.setdefault(index, FailedRecord(field, message))
    return failed


def said(answer: Answer) -> str:
    """Return what an answer says, cut and escaped, fit for a log line and a page."""
    body = parsed(answer)
    error = body.get("error") if isinstance(body, dict) else None
    # Bytes beyond the cut are not decoded: a character has four at most.
    text = error if isinstance(error, str) else answer.body[: MAX_SAID * 4].decode(errors="replace")
    return printable(text)


def printable(text: str) -> str:
    """Return a text cut to MAX_SAID characters, with control characters escaped."""
    cut = text.strip()[:MAX_SAID]
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, between 0 and the maximum.

    Args:
        value: seconds, also with a fraction, or an HTTP date; None or anything else is no wish.
        now: seconds since the epoch, for a date.
    """
    wish = (value or "").strip()
    seconds = _seconds(wish, now) if 0 < len(wish) <= _LONGEST_WISH else None
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _seconds(value: str, now: float) -> float | None:
    if _SECONDS.fullmatch(value):
        return float(value)
    # Loads sockets, addresses and more, and the producer, which is here too, reads no answers.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        moment = parsedate_to_datetime(value)
        # A date without a zone is in GMT, as HTTP has it.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None


def _index(entry: Any, count: int) -> int | None:
    index = entry.get("index") if isinstance(entry, dict) else None
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int):
        return None
    return index if 0 <= index < count else None


def _text(value: Any) -> str:
    return printable(value) if isinstance(value, str) else ""


def _is_int(value: Any, expected: int) -> bool:
    """Compare as JSON does, where true is not 1."""
    return type(value) is int and value == expected
