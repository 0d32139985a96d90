"""What a record has against the plan, in words: never a value of it, which is people's data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from mixrelay.shared.mixpanel.answers import printable

_SHOWN = 80
"""Characters of a name, or of what the plan says, that are shown."""
_COMPOSED = frozenset({"anyOf", "oneOf", "not", "falseSchema", "contains", "propertyNames"})
_NAMES = {bool: "a boolean", dict: "an object", list: "a list", str: "a text", type(None): "null"}


class OffPlan(NamedTuple):
    """One place where a record is not what the plan says.

    Attributes:
        name: the event's name, or the operation of an update.
        field: where, such as ``properties.Price``.
        rule: what the plan says, and of the record only the type.
    """

    name: str
    field: str
    rule: str

    def __str__(self) -> str:
        """Show it on one line."""
        return f"{self.name}: {self.field}: {self.rule}"


def unknown_event(name: str) -> OffPlan:
    """Return what is said of an event that the plan does not have."""
    return OffPlan(cut(name), "event", "the tracking plan has no event of this name")


def unreadable(name: str, field: str) -> OffPlan:
    """Return what is said where the validator itself fails."""
    return OffPlan(cut(name), field, "cannot be compared with the tracking plan")


def told(name: str, field: str, errors: Iterable[Any]) -> list[OffPlan]:
    """Return what a validator's errors say.

    Args:
        name: the event's name, or the update's operation.
        field: where the object stands that was checked.
        errors: `jsonschema_rs.ValidationError`.
    """
    shown = cut(name)
    found = [OffPlan(shown, f"{field}{path}", rule) for one in errors for path, rule in _said(one)]
    return list(dict.fromkeys(found))


def cut(name: str) -> str:
    """Return a name as it is shown."""
    shown = printable(name[: _SHOWN + 1])
    return f"{shown[:_SHOWN]}…" if len(shown) > _SHOWN else shown


def _said(error: Any) -> Iterator[tuple[str, str]]:
    kind, path = error.kind, "".join(map(_step, error.instance_path))
    if kind.name == "required":
        yield f"{path}{_step(kind.property)}", "the tracking plan requires it"
    elif kind.name in {"additionalProperties", "unevaluatedProperties"}:
        for name in kind.unexpected:
            yield f"{path}{_step(name)}", "the tracking plan has no such property"
    else:
        yield path, _rule(kind, error.instance)


def _rule(kind: Any, instance: Any) -> str:
    if kind.name == "type":
        return f"the tracking plan says {_types(kind.as_dict())}; this is {_named(instance)}"
    if kind.name == "format":
        return f"the tracking plan says {kind.format}; this is {_named(instance)} that is none"
    if kind.name in _COMPOSED:
        return f"not what the tracking plan's {kind.name} says; this is {_named(instance)}"
    return f"the tracking plan says {kind.name} {_wanted(kind)}"


def _types(kind: dict[str, Any]) -> str:
    types = kind.get("types") or kind.get("type") or "another type"
    return types if isinstance(types, str) else " or ".join(map(str, types))


def _wanted(kind: Any) -> str:
    try:
        text = orjson.dumps(kind.value).decode()
    except (AttributeError, TypeError):
        return "otherwise"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _step(part: Any) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{cut(str(part))}"


def _named(value: Any) -> str:
    return _NAMES.get(type(value), "a number")
