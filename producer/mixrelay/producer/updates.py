"""What updates of users and of groups have in common."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.events import moment, now

if TYPE_CHECKING:
    from mixrelay.producer.plain import Names

UPDATE_NAMES: Names = {
    ("$distinct_id",): "distinct_id",
    ("$group_key",): "group_key",
    ("$group_id",): "group_id",
    ("$ip",): "ip",
    ("$unset",): "names",
    **{
        (operation,): "properties"
        for operation in ("$set", "$set_once", "$add", "$append", "$union", "$remove")
    },
}

_SPECIAL = frozenset({"ignore_alias", "time"})


def update_record(
    token: str, target: dict[str, Any], operation: dict[str, Any], beside: dict[str, Any]
) -> dict[str, Any]:
    """Return an update's record, stamped with ``$time`` in milliseconds.

    Args:
        token: the project's.
        target: whose profile it is.
        operation: what is done to it.
        beside: special properties, as ``special_properties`` returns them; they win.
    """
    return {"$token": token, "$time": now(), **target, **operation, **beside}


def special_properties(
    ip: str | int | None, ignore_time: bool, special: dict[str, Any]
) -> dict[str, Any]:
    """Return what stands beside the operation, under Mixpanel's names.

    Raises:
        InvalidPropertyError: one is unknown, or ``time`` lies outside the years 1 to 9999.
    """
    found = {_dollar(name): value for name, value in special.items()}
    if ignore_time:
        found["$ignore_time"] = True
    own = found.get("$time")
    if isinstance(own, date):
        found["$time"] = moment(own, "time")
    if ip is not None:
        found["$ip"] = ip
    return found


def unset_names(names: object) -> list[str]:
    """Return one name, or several, as the list that Mixpanel wants.

    Raises:
        InvalidPropertyError: they are no text.
    """
    listed: list[Any]
    listed = [*names] if isinstance(names, Iterable) and not isinstance(names, str) else [names]
    for name in listed:
        if not isinstance(name, str):
            kind = type(name).__name__
            raise InvalidPropertyError("names", f"must be a str or a list of str, not {kind}")
    return listed


def _dollar(name: str) -> str:
    """Return a special property's name in Mixpanel: ``ignore_alias`` is ``$ignore_alias``.

    Mixpanel would ignore a misspelt one without a word; hence only those that are known.
    """
    if name.startswith("$"):
        return name
    if name in _SPECIAL:
        return f"${name}"
    raise InvalidPropertyError(
        name,
        "is no special property of an update. A property of the profile belongs into the dict; "
        f'a special one that is not known here is given as **{{"${name}": value}}',
    )
