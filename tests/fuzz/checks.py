"""What several targets hold to be true."""

from __future__ import annotations

import json
from typing import Any

import orjson

from mixrelay.shared.mixpanel.answers import MAX_SAID

LONGEST_TEXT = 10 * MAX_SAID + 100
"""Characters of a reason: what is kept, each escaped by ten at most, and the words around it."""


def exactly(text: str) -> Any:
    """Read a JSON text with another parser and every number by its digits.

    Raises:
        RecursionError: it is nested deeper than that parser follows.
    """
    return json.loads(text, parse_int=str, parse_float=str)


def is_deep(*texts: str) -> bool:
    """Whether a text is nested too deep for one of the parsers, or for one level more.

    The parser of Python 3.11 gives up first; that of later versions follows deeper than orjson.
    """
    try:
        for text in texts:
            exactly(f"[[{text}]]")
            orjson.loads(text)
            orjson.loads(f"[[{text}]]")
    except RecursionError:
        return True
    except orjson.JSONDecodeError as error:
        return "depth" in str(error) or is_orjsons_limit(error)
    except ValueError:
        return False
    return False


def is_orjsons_limit(error: orjson.JSONDecodeError) -> bool:
    """Whether orjson gives up on JSON: on many deep lists in an indented text, as of 3.13."""
    return "allocate" in str(error)


def loaded(text: str) -> Any:
    """Read what the product's parser takes; None for what it gives up on."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if is_orjsons_limit(error):
            return None
        raise


def is_reason(text: str) -> None:
    """Assert that a text may stand in a log line and on a page."""
    assert text, "a reason says something"
    is_line(text)


def is_line(text: str) -> None:
    """Assert that a text forges no line and fills no page."""
    assert text.isprintable(), f"a control character: {text!r}"
    assert len(text) <= LONGEST_TEXT, f"{len(text)} characters"
