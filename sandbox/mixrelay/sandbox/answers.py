"""The bodies Mixpanel answers with (Mixpanel: Ingestion API, `components.responses`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

JSON = "application/json"
TEXT = "text/plain"

# HTTPStatus in Python 3.13 says "Content Too Large"; Mixpanel's sample keeps the older words.
_WORDS = {413: "Request Entity Too Large"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    content_type: str = JSON


def plain(*, accepted: bool) -> Answer:
    """`1` or `0`, as clients that are not verbose expect it."""
    return Answer(200, "1" if accepted else "0", TEXT)


def verbose(error: str | None, **more: Any) -> Answer:
    """The JSON object of `verbose=1`: status 1, or 0 with the error."""
    return _json(200, {"status": 0 if error else 1, "error": error, **more})


def coded(code: int, error: str | None = None, **more: Any) -> Answer:
    """The JSON object of `/import` and of every refusal: code, error and the status in words."""
    words = _WORDS.get(code) or HTTPStatus(code).phrase
    told = {"error": error} if error else {}
    return _json(code, {"code": code, **told, "status": words, **more})


def _json(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(body))
