"""What a ``before_send`` hook may not change."""

from __future__ import annotations

import inspect
from typing import Any


def check_hooked(changed: object) -> None:
    """Raise TypeError where a hook returned no record."""
    if isinstance(changed, dict):
        return
    if inspect.iscoroutine(changed):
        changed.close()
    raise TypeError(
        f"it returned {changed if isinstance(changed, bool) else f'a {type(changed).__name__}'}; "
        "return the record to send, or None to send nothing"
    )


def with_token_of(record: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Return a hook's record with the token of the one that it was given.

    A hook that masks whatever is called *token* would else send to no project, and nothing would
    say so. What is no record is returned as it is; the encoder refuses it.

    >>> with_token_of({"$token": "t", "$set": {}}, {"$token": "***", "$set": {"a": 1}})
    {'$token': 't', '$set': {'a': 1}}
    """
    if "$token" in record:
        return {**changed, "$token": record["$token"]}
    properties = changed.get("properties")
    if not isinstance(properties, dict):
        return changed
    return {**changed, "properties": {**properties, "token": record["properties"]["token"]}}
