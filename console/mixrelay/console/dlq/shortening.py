"""Cuts a value of a record to what Mixpanel's rules allow, or shorter.

Limits: Mixpanel's Import Events (fewer than 255 elements or keys, 3 levels of objects or lists) and
Supported Properties Data Type (255 characters).
"""

import json
from itertools import islice

from mixrelay.shared.jsontext import items, members
from mixrelay.shared.mixpanel.rules import MAX_COUNT, MAX_DEPTH
from mixrelay.shared.mixpanel.unasked import MAX_TEXT


def shortened(text: str, most: int | None) -> str:
    """The text of a value, cut.

    Args:
        text: of a text, a list or an object; what else it is stays as it is.
        most: characters of a text, elements of a list, keys of an object; None for as many as the
            rules allow. Within it lists and objects are always cut to what the rules allow, and
            those that are nested too deep are left out.
    """
    if text.startswith('"'):
        value: str = json.loads(text)
        limit = MAX_TEXT if most is None else most
        return text if len(value) <= limit else _written(value[:limit])
    return _container(text, most, 0, 0)


def _container(text: str, most: int | None, objects: int, lists: int) -> str:
    """A list or an object, cut; `objects` and `lists` are those around it."""
    limit = MAX_COUNT if most is None else most
    if text.startswith("{"):
        # Of a doubled key the last counts.
        fields = {one.key: text[one.start : one.end] for one in members(text)}
        kept = (
            f"{_written(name)}:{_inner(value, objects + 1, lists)}"
            for name, value in fields.items()
            if not _is_too_deep(value, objects + 1, lists)
        )
        return f"{{{','.join(islice(kept, limit))}}}"
    if text.startswith("["):
        inside = (
            _inner(value, objects, lists + 1)
            for value in items(text)
            if not _is_too_deep(value, objects, lists + 1)
        )
        return f"[{','.join(islice(inside, limit))}]"
    return text


def _inner(text: str, objects: int, lists: int) -> str:
    return _container(text, None, objects, lists) if text[0] in "[{" else text


def _is_too_deep(text: str, objects: int, lists: int) -> bool:
    return (text.startswith("{") and objects >= MAX_DEPTH) or (
        text.startswith("[") and lists >= MAX_DEPTH
    )


def _written(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
