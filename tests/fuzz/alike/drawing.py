"""Draws hundreds of messages: mostly of the common forms, some unusual in one place or in two."""

import copy
import random
from typing import Any

import orjson

from mixrelay.shared.tuples import Kind

NOW = 1_795_520_500_000
OURS, THEIRS = "00112233445566778899aabbccddeeff", "theirs"
_DAY = 86_400_000

Draw = random.Random


def hundred(draw: Draw, size: int = 100) -> tuple[Kind, list[bytes], list[int]]:
    """Messages of one kind, and when each was received."""
    kind = draw.choice(list(Kind))
    unusual = draw.choice([0, 0.01, 0.01, 0.05, 0.5])
    tail = draw.choice(["}", "}", ',"api_key":"KEY"}']) if kind is Kind.IMPORT else "}"
    payloads = [_payload(draw, kind, tail, unusual) for _ in range(draw.choice([size, size, 7, 3]))]
    spread = draw.choice([0, 1_000, _DAY])
    return kind, payloads, [NOW - draw.randrange(spread + 1) for _ in payloads]


def _payload(draw: Draw, kind: Kind, tail: str, unusual: float) -> bytes:
    is_event = kind in {Kind.EVENT, Kind.IMPORT}
    record = _event(draw) if is_event else _update(draw, kind)
    while draw.random() < unusual:
        _change(draw, record)
    message = f'{{"data":{orjson.dumps(record).decode()}{tail}'
    if draw.random() < unusual / 4:
        at = draw.randrange(len(message))
        message = message[:at] + draw.choice('"{}[],:\\x1') + message[at + draw.randrange(2) :]
    return orjson.dumps([kind, message])


def _event(draw: Draw) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "distinct_id": draw.choice(["u", "user-1", 12, ""]),
        "token": OURS,
        "time": _time(draw),
        "$insert_id": "a" * 32,
        "Tags": ["web", "spring"],
        "Text": draw.choice(["plain", 'quo"ted', "time", "ü\u2028", "a,b{c"]),
    }
    if draw.random() < 0.3:
        del properties["$insert_id"]
    if draw.random() < 0.3:
        properties["Cart"] = [{"sku": "a", "n": 1, "tags": ["x"]}] * draw.randrange(4)
    return {"event": draw.choice(["E", "Plan Upgraded"]), "properties": properties}


def _time(draw: Draw) -> float:
    when = NOW - draw.randrange(draw.choice([2_000, _DAY, 9 * _DAY]))
    return draw.choice([when, when // 1000, when / 1000])


def _update(draw: Draw, kind: Kind) -> dict[str, Any]:
    who: dict[str, Any] = {"$distinct_id": draw.choice(["u", "v", 3])}
    if kind is Kind.GROUP_UPDATE:
        who = {"$group_key": "team", "$group_id": draw.choice(["red", 3])}
    operation = draw.choice(["$set", "$set", "$add", "$append", "$set_once", "$unset"])
    value = ["a"] if operation == "$unset" else {"a": draw.randrange(9), "time": "time"}
    when = {"$time": _time(draw)} if draw.random() < 0.5 else {}
    return {"$token": OURS, **who, **when, operation: value}


_WORTH = (None, "", "null", 0, -1, True, "a b", [], {}, [[[[1]]]], {"a": {"b": {"c": {"d": 1}}}})
_LONG = ("x" * 300, list(range(255)), ["y" * 100] * 90, {f"k{n}": n for n in range(260)})
_NAMES = (
    *("time", "$time", "distinct_id", "$distinct_id", "token", "$token", "$insert_id", "ip"),
    *("$ignore", "bucket", "x", "$user_id", "$device_id", "$group_key", "$group_id"),
)


def _change(draw: Draw, record: dict[str, Any]) -> None:
    """Makes one thing of a record unusual."""
    properties = record.get("properties")
    place = properties if isinstance(properties, dict) and draw.random() < 0.9 else record
    name = draw.choice([*_NAMES, *record])
    how = draw.random()
    if how < 0.3:
        place.pop(name, None)
    elif how < 0.5:
        ahead = NOW + draw.randrange(3 * 3_600_000)
        place["time"] = draw.choice([ahead, ahead // 1000, str(NOW), -5, NOW * 1000, 20_000_000])
    elif how < 0.6:
        place["token"] = draw.choice([THEIRS, OURS, ["x"]])
    elif how < 0.7:
        place[name] = draw.choice(_LONG)
    elif how < 0.75:
        record["event"] = draw.choice(["$identify", "$merge", "", 5])
    else:
        place[name] = copy.deepcopy(draw.choice(_WORTH))
