"""The bodies Mixpanel answers with (Mixpanel: Ingestion API, `components.responses`)."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

JSON = "application/json"
TEXT = "text/plain"
JAVASCRIPT = "text/javascript"
# Mixpanel: Track Events, "a 1x1 transparent pixel image"; of which type no page says.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_FUNCTION = re.compile(r"[A-Za-z_$][\w$.]{0,99}", re.ASCII)

# HTTPStatus in Python 3.13 says "Content Too Large"; Mixpanel's sample keeps the older words.
_WORDS = {413: "Request Entity Too Large"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `image` stands in place of the text."""

    status: int
    body: str
    content_type: str = JSON
    image: bytes | None = None

    @property
    def payload(self) -> bytes:
        """The bytes that are sent."""
        return self.body.encode() if self.image is None else self.image


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


def pixel() -> Answer:
    """The answer to `img=1`, whatever became of the records."""
    return Answer(200, "", "image/gif", PIXEL)


def called_back(answer: Answer, function: str) -> Answer:
    """The answer to `callback=NAME`: JavaScript that calls the function with the plain answer.

    A name that is no name of a function is passed over, since it would be run as it stands.
    """
    if answer.status != HTTPStatus.OK or not _FUNCTION.fullmatch(function):
        return answer
    return Answer(answer.status, f"{function}({answer.body});", JAVASCRIPT)


def _json(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(body))
