"""The records of events, in the order in which Mixpanel's Ruby library writes them."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.id_checks import event_id, reduced, text_id
from mixrelay.producer.records.values import NotJSONError, milliseconds, simplify
from mixrelay.shared.mixpanel import times
from mixrelay.shared.mixpanel.rules import PLACEHOLDERS

if TYPE_CHECKING:
    from types import EllipsisType

    from mixrelay.producer.records.strict_json import Names

Id: TypeAlias = "str | int | uuid.UUID | None"
"""Of a user or a group. None and the empty text stand for an event of nobody."""

Properties: TypeAlias = "Mapping[str, Any]"

TextId: TypeAlias = "str | int | uuid.UUID"
"""Of a user or a device, as ``$user_id`` and ``$device_id``; written as text."""

Timestamp: TypeAlias = "date | float"
"""A datetime or a date (a naive one is taken as UTC), seconds or milliseconds since 1970."""

Groupings: TypeAlias = "Mapping[str, Id | list[Id]]"
"""The groups of an event: a group key, and one id or several."""

_INSERT_ID = re.compile("[A-Za-z0-9-]{1,36}")

_NEVER_GROUPS = frozenset({"token", "distinct_id", "time", "$insert_id"})

# Of a foreign key no more characters than this are repeated in an error.
_KEY_SHOWN = 60

EVENT_NAMES: Names = {
    ("properties",): "properties",
    ("properties", "distinct_id"): "distinct_id",
    ("properties", "ip"): "ip",
    ("properties", "token"): "token",
    ("meta",): "meta",
}


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@cache
def lib_version() -> str:
    """Return the value of ``$lib_version``, looked up once: that takes milliseconds."""
    from importlib.metadata import version  # noqa: PLC0415 - loads much, which redis-py loads too

    return version("mixrelay")


def event_record(
    token: str,
    distinct_id: Id | EllipsisType,
    event: str,
    given: Properties | None,
    ip: str | int | None,
) -> dict[str, Any]:
    """Return an event's record, stamped with ``time`` (milliseconds) and ``$insert_id``.

    Both are stamped at the call, so that however often it is sent it is one event
    (Mixpanel: Event Deduplication). What the caller gives wins over every default but the token.

    Args:
        token: the project's.
        distinct_id: whose event it is; the ellipsis where the caller named nobody.
        event: its name.
        given: the caller's properties.
        ip: an address to place the user by, unless the properties have one.

    Raises:
        InvalidPropertyError: the name is empty, the properties are no mapping or have another
            token, an id or the ``time`` is none.
    """
    if type(event) is not str or not event:
        check_event(event)
    stamp = now()
    properties: dict[str, Any] = {
        "distinct_id": distinct_id,
        "token": token,
        "time": stamp,
        "$insert_id": os.urandom(16).hex(),  # as random as a UUID, and four times as fast
        "mp_lib": "mixrelay",
        "$lib_version": lib_version(),
    }
    name = "distinct_id"
    if given is not None:
        properties |= checked_mapping(given, "properties")
        if properties["token"] != token:
            raise foreign_token('properties["token"]')
        own = properties["time"]
        if own is not stamp:
            properties["time"] = checked_time(own, 'properties["time"]')
        if "$user_id" in given or "$device_id" in given:
            _check_text_ids(properties)
        if "distinct_id" in given:
            name = 'properties["distinct_id"]'
    whose = properties["distinct_id"]
    if type(whose) is not str or whose in PLACEHOLDERS:
        _settle_whose(properties, whose, name)
    if ip is not None:
        properties.setdefault("ip", ip)
    return {"event": event, "properties": properties}


def _settle_whose(properties: dict[str, Any], whose: Any, name: str) -> None:
    """Write whose event it is as Mixpanel wants it.

    An event of nobody has the empty text, since Mixpanel makes a user of the request's address
    where there is none; beside ``$user_id`` or ``$device_id`` it has no distinct_id, which
    Mixpanel then derives (Identifying Users, Simplified ID Merge, server-side).
    """
    named = properties.get("$user_id") is not None or properties.get("$device_id") is not None
    if whose is ... and not named:
        raise InvalidPropertyError(
            name,
            "is missing; give it, or user_id=, or device_id=, or None for an event of nobody",
        )
    if named and (whose is ... or whose is None):
        del properties["distinct_id"]
    else:
        properties["distinct_id"] = event_id(whose, name)


def _check_text_ids(properties: dict[str, Any]) -> None:
    for key in ("$user_id", "$device_id"):
        own = properties.get(key)
        if type(own) is not str and own is not None:
            properties[key] = text_id(own, f'properties["{key}"]')


def with_meta(record: dict[str, Any], meta: Properties) -> tuple[dict[str, Any], Names]:
    """Return an event with the members that stand beside ``event`` and ``properties``.

    Returns:
        The record, and what its parts are called in errors.

    Raises:
        InvalidPropertyError: they are no mapping of texts, or name one of the two.
    """
    own = member_names(meta, "meta")
    for name in ("event", "properties"):
        if (name,) in own:
            raise InvalidPropertyError(
                f'meta["{name}"]', f"would replace the event's {name}; give it as an argument"
            )
    return {**record, **meta}, {**EVENT_NAMES, **own}


def member_names(given: object, name: str) -> Names:
    """Return what the members of a record that the caller wrote are called in errors.

    Raises:
        InvalidPropertyError: they are no mapping, or a key is no text.
    """
    members = checked_mapping(given, name)
    for key in members:
        if not isinstance(key, str):
            raise InvalidPropertyError(name, f"has a {type(key).__name__} as a key; keys are str")
    return {(key,): member(name, key) for key in members}


def foreign_token(path: str) -> InvalidPropertyError:
    """Return what to raise where the caller's own data names a project."""
    return InvalidPropertyError(
        path,
        "is where Mixpanel reads the project's token, so it would send this to another project; "
        "rename it, or track with a Tracker of that project",
    )


def check_event(event: object) -> None:
    """Refuse what is no name.

    Raises:
        InvalidPropertyError: it is empty or no text.
    """
    if not isinstance(event, str):
        kind = type(event).__name__
        raise InvalidPropertyError("event", f"must be a str, not {kind}; give the event a name")
    if not event:
        raise InvalidPropertyError("event", "is empty; give the event a name")


def checked_insert_id(insert_id: object) -> str:
    """Return an own ``$insert_id`` as it is (Mixpanel: Import Events, its form).

    Raises:
        InvalidPropertyError: Mixpanel would refuse it.
    """
    if isinstance(insert_id, str) and _INSERT_ID.fullmatch(insert_id):
        return insert_id
    raise InvalidPropertyError(
        "insert_id", "must be 1 to 36 letters, digits and -; a longer key can be hashed to hex"
    )


def checked_time(value: object, name: str) -> int | float | str:
    """Return a time as Mixpanel takes it: a date in milliseconds, another one as it is.

    Raises:
        InvalidPropertyError: it is no time, or lies outside the years 1 to 9999 in UTC.
    """
    if isinstance(value, date):
        return moment(value, name)
    plain: Any = reduced(value)
    if times.milliseconds(plain) is None:
        raise InvalidPropertyError(
            name, "is no time; give a datetime, or seconds or milliseconds since 1970"
        )
    return cast("int | float | str", plain)


def checked_groups(groups: object) -> Properties:
    """Return the groups of an event as properties.

    Raises:
        InvalidPropertyError: they are no mapping of group keys to ids or lists of ids.
    """
    given = dict(checked_mapping(groups, "groups"))  # one step: another thread may change it
    for key, ids in given.items():
        if key in _NEVER_GROUPS:
            raise InvalidPropertyError(
                f'groups["{key}"]', "is no group key but a property that each event has"
            )
        listed = reduced(ids)
        for one in listed if isinstance(listed, list) else [listed]:
            if isinstance(reduced(one), bool | list | dict):
                kind = type(one).__name__
                raise InvalidPropertyError(
                    member("groups", key), f"holds a {kind}; give one id or a list of ids"
                )
    return given


def member(name: str, key: object) -> str:
    """Return a member of an argument as the caller would write it, escaped and short.

    >>> member("properties", "a")
    'properties["a"]'
    """
    return f"{name}[{json.dumps(key[:_KEY_SHOWN])}]" if isinstance(key, str) else name


def checked_mapping(given: object, name: str) -> Properties:
    """Return properties as they are if they are a dict; else a copy of the mapping as a dict.

    Raises:
        InvalidPropertyError: they are no mapping.
    """
    if type(given) is dict:
        return given
    if isinstance(given, Mapping):
        try:
            # A copy of one moment, since another thread may change it; and of a proxy what it
            # stands for, which may need one more step.
            return checked_mapping(simplify(given), name)
        except NotJSONError as error:
            raise InvalidPropertyError(name, str(error)) from None
    raise InvalidPropertyError(name, f"must be a dict, not {type(given).__name__}")


def moment(value: date, name: str) -> int:
    """Return a point in time in milliseconds.

    Raises:
        InvalidPropertyError: it lies outside the years 1 to 9999 in UTC.
    """
    try:
        return milliseconds(value)
    except NotJSONError as error:
        raise InvalidPropertyError(name, str(error)) from None
