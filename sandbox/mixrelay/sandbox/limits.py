"""Limits on the size and shape of one record (Mixpanel: Import Events, High-level requirements)."""

from __future__ import annotations

import json
from typing import Any

from mixrelay.sandbox.violation import Violation

# "Smaller than 1MB": the smaller of the two readings of a megabyte catches more.
MAX_RECORD_BYTES = 1_000_000
MAX_SIZE = 255
MAX_DEPTH = 3


def encoding_violation(record: Any) -> Violation | None:
    """A record of 1 MB and over, or with text that is no UTF-8 (a lone surrogate)."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return Violation("properties", "string should be valid utf8")
    if size >= MAX_RECORD_BYTES:
        return Violation("event", "must be smaller than 1MB of uncompressed JSON")
    return None


def nesting_violation(properties: dict[str, Any]) -> Violation | None:
    """A property whose lists or objects are too long, or whose objects nest too deep."""
    for name, value in properties.items():
        if type(value) is dict or type(value) is list:
            rule = _broken_rule(value)
            if rule:
                return Violation(f"properties.{name}", rule)
    return None


def _broken_rule(value: Any) -> str | None:
    # "Nested object properties ... max nesting depth is 3": objects and lists are counted each by
    # themselves, so that a list of objects is not refused for being in a list.
    pending: list[tuple[Any, int, int]] = [(value, 1, 1)]
    while pending:
        part, objects, lists = pending.pop()
        if isinstance(part, dict):
            if rule := _container_rule("objects", len(part), "keys", objects):
                return rule
            pending.extend((inner, objects + 1, lists) for inner in part.values())
        elif isinstance(part, list):
            if rule := _container_rule("arrays", len(part), "elements", lists):
                return rule
            pending.extend((inner, objects, lists + 1) for inner in part)
    return None


def _container_rule(kind: str, size: int, parts: str, depth: int) -> str | None:
    if size >= MAX_SIZE:
        return f"{kind} must have fewer than {MAX_SIZE} {parts}"
    return f"{kind} must be nested at most {MAX_DEPTH} deep" if depth > MAX_DEPTH else None
