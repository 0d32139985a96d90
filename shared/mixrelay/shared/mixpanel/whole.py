"""Everything that a worker would refuse a record for before it sends it, for who has no worker.

A worker judges in steps, between which it addresses and stamps (its `Preparation`); here the same
rules are asked in the same order. tests/unit/shared/test_whole.py compares the two.
"""

from __future__ import annotations

from typing import Any

from mixrelay.shared.mixpanel import rules
from mixrelay.shared.mixpanel.rules import Breach
from mixrelay.shared.mixpanel.times import milliseconds
from mixrelay.shared.tuples import Kind

_USERS = ("distinct_id", "$distinct_id")
_TIMES = ("time", "$time")


def breach_of(kind: Kind, record: Any, text: str) -> Breach | None:
    """Return the first rule of Mixpanel's that a record breaks; None where it may be sent.

    Args:
        kind: of the record.
        record: as parsed.
        text: the same as JSON.
    """
    if kind is Kind.PROFILE_UPDATE:
        breach = rules.profile_breach(record)
    elif kind is Kind.GROUP_UPDATE:
        breach = rules.group_breach(record)
    else:
        breach = rules.event_breach(record, text) or _event(record["event"], record["properties"])
    if breach is None and len(size := text.encode()) >= rules.MAX_RECORD_BYTES:
        return rules.too_large(len(size))
    return breach


def _event(name: str, properties: dict[str, Any]) -> Breach | None:
    if name in rules.IDENTITY_EVENTS:
        return rules.identity_breach(name, properties)
    user = _first(properties, _USERS)
    return _time(_first(properties, _TIMES)) or rules.distinct_id_breach(user) or _count(properties)


def _time(time: Any) -> Breach | None:
    if time is None:
        return None
    time_ms = milliseconds(time)
    return rules.UNREADABLE_TIME if time_ms is None else rules.time_breach(time_ms)


def _count(properties: dict[str, Any]) -> Breach | None:
    """Check how many properties there are once a worker has added its own."""
    growth = sum(name not in properties for name in ("ip", "$insert_id"))
    growth += _one_of(properties, _TIMES)
    if _first(properties, _USERS) is None and rules.has_user(properties):
        growth -= sum(name in properties for name in _USERS)
    else:
        growth += _one_of(properties, _USERS)
    if len(properties) + growth > rules.MAX_COUNT:
        return rules.too_many_properties(len(properties), growth)
    return None


def _one_of(properties: dict[str, Any], names: tuple[str, str]) -> int:
    """Members that are added where the first name is written and the second is left out."""
    first, second = names
    if properties.get(first) is not None:
        return 0
    return (first not in properties) - (second in properties)


def _first(properties: dict[str, Any], names: tuple[str, str]) -> Any:
    """Return the value of the first name; where that is null, of the second."""
    value = properties.get(names[0])
    return properties.get(names[1]) if value is None else value
