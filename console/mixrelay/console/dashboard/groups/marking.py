"""A message with the field that failed marked in it."""

import json
import re
from dataclasses import dataclass
from typing import Any

from mixrelay.console.dashboard import payloads
from mixrelay.console.masking import readable

_STEP = re.compile(r"\[(\d+)\]|((?:[^.\[\\]|\\.)+)")
_MARK = "\ue000the field that failed\ue000"
"""Stands in for the value while the rest is written; no message holds it."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A text in three parts; `field` is empty where nothing is marked."""

    before: str
    field: str = ""
    after: str = ""


def marked(payload: bytes, field: str, *, mask: bool) -> Marked:
    """The message as a page shows it, with the value of a field apart.

    Args:
        payload: the tuple, verbatim.
        field: as the error names it, such as `properties.items[3].price`.
        mask: shows no values.
    """
    plain = Marked(payloads.shown(payload, mask=mask))
    if mask or not field or len(plain.before) >= payloads.SHOWN_AT_MOST:
        return plain
    value = readable(payload)
    steps = [int(index) if index else name for index, name in _STEP.findall(field)]
    holder = _holder(value, steps)
    if holder is None:
        return plain
    place, last = holder
    found, place[last] = place[last], _MARK
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        inner = json.dumps(found, indent=2, ensure_ascii=False)
    except RecursionError:
        return plain
    before, _, after = text.partition(json.dumps(_MARK, ensure_ascii=False))
    line = before.rpartition("\n")[2]
    indent = " " * (len(line) - len(line.lstrip()))
    name = f"{json.dumps(last, ensure_ascii=False)}: " if isinstance(last, str) else ""
    return Marked(before.removesuffix(name), name + inner.replace("\n", f"\n{indent}"), after)


def _holder(value: Any, steps: list[Any]) -> tuple[Any, Any] | None:
    """What holds the value at the end of the way, and under which name; None where none does."""
    message = value[1] if isinstance(value, list) and len(value) > 1 else None
    at: Any = message.get("data") if isinstance(message, dict) else None
    for step in steps[:-1]:
        if not _has(at, step):
            return None
        at = at[step]
    return (at, steps[-1]) if steps and _has(at, steps[-1]) else None


def _has(value: Any, step: Any) -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and step < len(value)
    return isinstance(value, dict) and step in value
