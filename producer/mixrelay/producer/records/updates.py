"""What updates of users and of groups have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mixrelay.producer.bounds import bounded
from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.events import (
    checked_mapping,
    checked_time,
    foreign_token,
    member,
    member_names,
    now,
)
from mixrelay.producer.records.id_checks import reduced
from mixrelay.producer.records.unwritable import NotJSONError
from mixrelay.shared.mixpanel.rules import OPERATIONS

if TYPE_CHECKING:
    from mixrelay.producer.records.events import Properties
    from mixrelay.producer.records.strict_json import Names

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

_SPECIAL = frozenset({"ignore_alias", "time", "latitude", "longitude"})

_PLACES = ("$latitude", "$longitude")
"""They stand beside ``$set``, not in it (Mixpanel: Geolocation)."""

_ARGUMENTS = frozenset({"$token", "$distinct_id", "$group_key", "$group_id"}) | OPERATIONS


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
        InvalidPropertyError: one is unknown or an argument of its own, or ``time`` is none.
    """
    found = {_dollar(name): value for name, value in special.items()} if special else {}
    if ignore_time:
        found["$ignore_time"] = True
    if "$time" in found:
        found["$time"] = checked_time(found["$time"], "time")
    for place in _PLACES if special else ():
        if place in found and found[place] is None:
            del found[place]
    if ip is not None:
        found["$ip"] = ip
    return found


def placed(operation: str, properties: Properties, beside: dict[str, Any]) -> dict[str, Any]:
    """Return an operation that sets, and move ``$latitude`` and ``$longitude`` beside it.

    Args:
        operation: ``$set`` or ``$set_once``.
        properties: the caller's, which are not changed.
        beside: where the two go, unless they are there.
    """
    if "$latitude" not in properties and "$longitude" not in properties:
        return {operation: properties}
    rest = dict(properties)
    for place in _PLACES:
        if place in rest:
            beside.setdefault(place, rest.pop(place))
    return {operation: rest}


def checked_numbers(properties: Properties, name: str = "properties") -> Properties:
    """Return what is added to numbers, as it is (Mixpanel: Increment Numeric Properties).

    Raises:
        InvalidPropertyError: one is a text, a bool, None or a list.
    """
    for key, value in dict(properties).items():  # one step: another thread may change it
        check_number(value, member(name, key))
    return properties


def check_number(value: object, name: str) -> None:
    """Refuse what is no number.

    Raises:
        InvalidPropertyError: it is a text, a bool, None or a list.
    """
    plain = reduced(value)
    if plain is None or isinstance(plain, bool | str | list | dict):
        raise InvalidPropertyError(
            name, f"must be a number, not {type(value).__name__}; convert it first"
        )


def checked_lists(properties: Properties, name: str = "properties") -> dict[str, Any]:
    """Return the lists of a union; a single text or number becomes a list of one.

    Mixpanel's pages want a list that is not empty (Add to List), and its Node library makes one
    of a scalar.

    Raises:
        InvalidPropertyError: one is empty, None, or an object.
    """
    found = {}
    for key, value in dict(properties).items():  # one step: another thread may change it
        plain = reduced(value)
        path = member(name, key)
        if plain is None or isinstance(plain, dict):
            kind = type(value).__name__
            raise InvalidPropertyError(path, f"must be a list of values, not {kind}")
        if plain == []:
            raise InvalidPropertyError(path, "holds no value; leave it out")
        found[key] = plain if isinstance(plain, list) else [plain]
    return found


def _are_several(names: object) -> bool:
    return isinstance(names, Iterable) and not isinstance(names, str)


def unset_names(names: object, path: str = "names") -> list[str]:
    """Return one name, or several, as the list that Mixpanel wants.

    Raises:
        InvalidPropertyError: they are no text, or there is none.
    """
    listed: list[Any]
    try:
        listed = [*bounded(names)] if _are_several(names) else [names]  # type: ignore[arg-type]
    except NotJSONError as error:
        raise InvalidPropertyError(path, str(error)) from None
    for name in listed:
        if not isinstance(name, str):
            kind = type(name).__name__
            raise InvalidPropertyError(path, f"must be a str or a list of str, not {kind}")
        if not name:
            raise InvalidPropertyError(path, "holds an empty name; give the property's name")
    if not listed:
        raise InvalidPropertyError(path, "is empty; name the properties to remove")
    return listed


def given_update(token: str, record: object, meta: object) -> tuple[dict[str, Any], Names]:
    """Return an update that the caller put together, and what its parts are called in errors.

    Args:
        token: the project's.
        record: members of the record under Mixpanel's names; several operations are allowed.
        meta: more of them, which win: the official library's argument.

    Raises:
        InvalidPropertyError: it has another project's token, no operation, or one whose values
            Mixpanel refuses.
    """
    names = {**member_names(record, "record")}
    given = dict(checked_mapping(record, "record"))
    if meta is not None:
        names |= member_names(meta, "meta")
        given |= checked_mapping(meta, "meta")
    if given.setdefault("$token", token) != token:
        raise foreign_token('record["$token"]')
    if OPERATIONS.isdisjoint(given):
        known = ", ".join(sorted(OPERATIONS))
        raise InvalidPropertyError("record", f"holds no operation; give one of {known}")
    if "$time" in given:
        given["$time"] = checked_time(given["$time"], 'record["$time"]')
    _check_operations(given)
    return {"$token": token, "$time": now(), **given}, names


def _check_operations(given: dict[str, Any]) -> None:
    for operation in OPERATIONS & given.keys():
        path, value = f'record["{operation}"]', given[operation]
        if operation == "$unset":
            given[operation] = unset_names(value, path)
        elif operation != "$delete":
            checked_mapping(value, path)
    if "$add" in given:
        checked_numbers(given["$add"], 'record["$add"]')
    if "$union" in given:
        given["$union"] = checked_lists(given["$union"], 'record["$union"]')
    for operation in ("$set", "$set_once"):
        if operation in given:
            given |= placed(operation, given[operation], given)


def _dollar(name: str) -> str:
    """Return a special property's name in Mixpanel: ``ignore_alias`` is ``$ignore_alias``.

    Mixpanel would ignore a misspelt one without a word; hence only those that are known.
    """
    if name == "$token":
        raise foreign_token(name)
    if name in _ARGUMENTS:
        raise InvalidPropertyError(
            name, "is no special property; update() takes a record with several operations"
        )
    if name.startswith("$") and name.isprintable():
        return name
    if name in _SPECIAL:
        return f"${name}"
    shown = ascii(name)[1:-1]
    raise InvalidPropertyError(
        shown,
        "is no special property of an update. A property of the profile belongs into the dict; "
        f'a special one that is not known here is given as **{{"${shown}": value}}',
    )
