"""Comparing what a test gives with what was tracked: a datetime is text by then, a tuple a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Any, TypeAlias

import orjson

from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.encoding import message_text
from mixrelay.producer.records.values import milliseconds

Given: TypeAlias = Mapping[str, Any]

ANYONE: Any = object()
_SHOWN = 300
_MATCHED: frozenset[type] = frozenset({dict, list, tuple})


class AnyOrder:
    """The members of a set, which a list has in one order or another."""

    def __init__(self, members: list[Any]) -> None:
        self._members = members

    def __eq__(self, other: object) -> bool:
        """Whether a list has the same members, each as often."""
        if not isinstance(other, list) or len(other) != len(self._members):
            return NotImplemented if isinstance(other, AnyOrder) else False
        left = [*other]
        for member in self._members:
            at = next((n for n, one in enumerate(left) if member == one), None)
            if at is None:
                return False
            del left[at]
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show it as the set that was given."""
        return f"{{{', '.join(map(repr, self._members))}}}"


def wanted(properties: Given, distinct_id: Any = ANYONE) -> dict[str, Any]:
    """Return what a test asks for as it would have been tracked."""
    whose = {} if distinct_id is ANYONE else {"distinct_id": distinct_id}
    asked = {name: as_tracked(value) for name, value in {**whose, **properties}.items()}
    if isinstance(properties.get("time"), date):
        asked["time"] = milliseconds(properties["time"])
    return asked


def as_tracked(value: Any) -> Any:
    """Return a value as tracking changes it; matchers, at any depth, compare by themselves."""
    if isinstance(value, AbstractSet):
        return AnyOrder([as_tracked(one) for one in value])
    if type(value) is dict:
        return {name: as_tracked(one) for name, one in value.items()}
    if type(value) in _MATCHED:
        return [as_tracked(one) for one in value]
    try:
        return orjson.loads(message_text({"": value}, {}))["data"][""]
    except InvalidPropertyError:
        return value  # a matcher


def target_as_tracked(target: Any) -> Any:
    """Return whose profile it is as it was tracked; a group's key and id stay a tuple."""
    return tuple(map(as_tracked, target)) if isinstance(target, tuple) else as_tracked(target)


def named(properties: Any) -> dict[str, Any]:
    """Return an operation's properties by name; of ``$unset`` there are only names."""
    if isinstance(properties, Mapping):
        return dict(properties)
    names = [properties] if isinstance(properties, str) and properties else properties
    return dict.fromkeys(names, "named")


def differences(asked: Given, found: Given) -> list[str]:
    """Return what is asked for and is not so, in words."""
    return [
        f"{name} is {cut(found[name])}, not {cut(value)}" if name in found else f"no {name}"
        for name, value in asked.items()
        if name not in found or value != found[name]
    ]


def told(
    asked: str, near: list[tuple[Any, dict[str, Any]]], sought: Given, others: Counter[str]
) -> str:
    """Return what a failure says: what was asked for, what is near it, and what else there is."""
    lines = [asked]
    for one, found in near:
        lines += [f"  {one}", *(f"    {each}" for each in differences(sought, found))]
    listed = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in others.items())  # noqa: RUF001
    if listed:
        lines.append(f"  Others: {listed}.")
    return "\n".join(lines if near or others else [*lines, "  Nothing was."])


def cut(value: Any) -> str:
    """Return a value as a failure shows it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
