"""Yes or no, as an application's function says it of a request."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixrelay.producer.context.options import Asked
    from mixrelay.producer.context.web_request import WebRequest


def says_yes(asked: Asked, request: WebRequest) -> bool:
    """Return whether a function's answer is true.

    Raises:
        TypeError: the answer would have to be awaited. Any such object counts as true in Python, so
            that a refusal would be taken for consent.
    """
    answer = asked(request)
    if isawaitable(answer):
        close = getattr(answer, "close", None)
        if close is not None:
            close()  # else Python warns that nobody awaited it
        raise TypeError("the function's answer would have to be awaited; return True or False")
    return bool(answer)
