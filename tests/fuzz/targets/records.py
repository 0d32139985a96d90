"""The record rules: what a record is checked by, stamped with, and sent as."""

from __future__ import annotations

import math
from typing import Any

import orjson

from mixrelay.shared.mixpanel.endpoints import Credentials, Endpoint, base_address
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.mixpanel.rules import (
    IDENTITY_EVENTS,
    MAX_COUNT,
    MAX_RECORD_BYTES,
    distinct_id_breach,
    has_user,
    is_insert_id,
)
from mixrelay.shared.mixpanel.times import milliseconds, number_in
from mixrelay.shared.tuples import Kind, MalformedTupleError, Message, read, write
from mixrelay.worker.deliver.prepare import Preparation, Ready, Refused
from tests.fuzz.checks import exactly, is_deep, is_line, is_reason
from tests.fuzz.source import Source

NOW = 1_795_520_500_000
_ACCOUNT = Credentials.service_account("svc-user", "svc-secret", "98765")
PREPARATIONS = [
    Preparation(queue_id="q1", base=base_address(), token=token, account=account, events=events)
    for token in (None, "token")
    for account in (None, _ACCOUNT)
    for events in (Endpoint.IMPORT, Endpoint.TRACK)
]
_DOORS = {
    Kind.EVENT: {Endpoint.TRACK, Endpoint.IMPORT},
    Kind.IMPORT: {Endpoint.IMPORT, Endpoint.TRACK},
    Kind.PROFILE_UPDATE: {Endpoint.ENGAGE},
    Kind.GROUP_UPDATE: {Endpoint.GROUPS},
}
_STAMPED = {"time", "$insert_id", "distinct_id", "ip", "token"}
_LEFT_OUT = {"$time", "$distinct_id"}


def records(data: bytes) -> None:
    """A record is refused with a field and a rule, or sent with every value as written."""
    source = Source(data)
    kind, preparation = source.pick(list(Kind)), source.pick(PREPARATIONS)
    received_ms = NOW - source.pick([0, 1_000, 6 * 86_400_000])
    try:
        text = source.rest().decode()
        message = read(write(kind, f'{{"data":{text}}}'))
    except (UnicodeDecodeError, MalformedTupleError):
        return
    if message.is_list:
        return
    outcome = preparation.prepare(message, number="0-7", received_ms=received_ms, now_ms=NOW)
    again = preparation.prepare(message, number="0-7", received_ms=received_ms, now_ms=NOW)
    assert outcome == again, "a redelivery is the same record"
    if isinstance(outcome, Refused):
        assert outcome.reason in {Reason.INVALID, Reason.TOO_LARGE}
        is_reason(outcome.message)
        is_line(outcome.field)
        return
    _is_fit(message, outcome)
    _changes_nothing_twice(message, outcome, preparation)


def _is_fit(message: Message, ready: Ready) -> None:
    assert len(ready.body) < MAX_RECORD_BYTES
    assert ready.destination.endpoint in _DOORS[message.kind]
    if is_deep(message.text, ready.body.decode()):
        return
    body = orjson.loads(ready.body)
    is_event = message.kind in {Kind.EVENT, Kind.IMPORT}
    if is_event and body["event"] not in IDENTITY_EVENTS:
        _is_a_full_event(body["properties"])
    wanted, result = exactly(message.text), exactly(ready.body.decode())
    if is_event:
        wanted, result = ({**one, "properties": _others(one)} for one in (wanted, result))
    elif isinstance(body.get("$time"), int | float):
        wanted, result = _without(wanted, "$time"), _without(result, "$time")
    assert result == wanted, "a value is not as its client wrote it"


def _is_a_full_event(properties: dict[str, Any]) -> None:
    assert isinstance(properties["time"], int | float)
    assert is_insert_id(properties["$insert_id"])
    assert len(properties) <= MAX_COUNT
    assert properties["ip"] not in (None, "")
    if "distinct_id" in properties:
        assert distinct_id_breach(properties["distinct_id"]) is None
        assert properties["distinct_id"] is not None
    else:
        assert has_user(properties)


def _others(event: dict[str, Any]) -> dict[str, Any]:
    properties = event["properties"]
    return {key: value for key, value in properties.items() if key not in _STAMPED | _LEFT_OUT}


def _without(record: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


def _changes_nothing_twice(message: Message, ready: Ready, preparation: Preparation) -> None:
    """What was stamped has all it needs: another number and another time change nothing."""
    if is_deep(ready.body.decode()):
        return
    message = read(write(message.kind, f'{{"data":{ready.body.decode()}}}'))
    again = preparation.prepare(message, number="0-8", received_ms=NOW, now_ms=NOW)
    assert isinstance(again, Ready)
    assert again.body == ready.body


def times(data: bytes) -> None:
    """A text is a time exactly where JSON takes it for a number; each is finite milliseconds."""
    text = data.decode("utf-8", "replace")
    number = number_in(text)
    if number is not None:
        value = orjson.loads(number)
        assert isinstance(value, int | float)
        assert milliseconds(text) == milliseconds(float(number))
    else:
        assert milliseconds(text) is None
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return
    time = milliseconds(value)
    assert time is None or (math.isfinite(time) and abs(time) < 1e14)
    assert time is not None or not isinstance(value, int | float) or _is_no_time(value)


def _is_no_time(value: float) -> bool:
    return isinstance(value, bool) or abs(value) >= 1e14
