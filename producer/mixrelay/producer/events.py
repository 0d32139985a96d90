"""The records of events, in the order in which Mixpanel's Ruby library writes them."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.values import NotJSONError, milliseconds, simplify

if TYPE_CHECKING:
    from mixrelay.producer.plain import Names

Id: TypeAlias = "str | int | uuid.UUID | None"
"""Of a user or a group. None and the empty text stand for an event of nobody."""

Properties: TypeAlias = "Mapping[str, Any]"

Groupings: TypeAlias = "Mapping[str, Id | list[Id]]"
"""The groups of an event: a group key, and one id or several."""

_INSERT_ID = re.compile("[A-Za-z0-9-]{1,36}")

EVENT_NAMES: Names = {
    ("properties",): "properties",
    ("properties", "distinct_id"): "distinct_id",
    ("properties", "ip"): "ip",
    ("properties", "token"): "token",
    ("properties", "$identified_id"): "identified_id",
    ("properties", "$anon_id"): "anonymous_id",
    ("properties", "alias"): "alias_id",
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
    distinct_id: Id,
    event: str,
    given: Properties | None,
    ip: str | int | None,
) -> dict[str, Any]:
    """Return an event's record, stamped with ``time`` (milliseconds) and ``$insert_id``.

    Both are stamped at the call, so that however often it is sent it is one event
    (Mixpanel: Event Deduplication). What the caller gives wins over every default.

    Raises:
        InvalidPropertyError: the name is empty, the properties are no mapping, or their own
            ``time`` has no place on the calendar.
    """
    if type(event) is not str or not event:
        check_event(event)
    properties: dict[str, Any] = {
        "distinct_id": distinct_id,
        "token": token,
        "time": now(),
        "$insert_id": os.urandom(16).hex(),  # as random as a UUID, and four times as fast
        "mp_lib": "mixrelay",
        "$lib_version": lib_version(),
    }
    if given is not None:
        properties |= checked_mapping(given, "properties")
        own = properties["time"]
        if isinstance(own, date):
            properties["time"] = moment(own, 'properties["time"]')
    if ip is not None:
        properties.setdefault("ip", ip)
    return {"event": event, "properties": properties}


def identity_record(event: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the record of an identity event; Mixpanel wants neither time nor ``$insert_id``."""
    return {"event": event, "properties": properties}


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
