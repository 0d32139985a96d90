"""The rules that Mixpanel documents for what arrives: what is pushed, and what becomes of it.

`was` says what version 0.3.0 did, for a worker with a token alone, with a service account, and
with MIXRELAY_EVENTS_ENDPOINT=track (which was its only way with a token alone): r for right, w
for wrong or missing; it was found by these rows, run against that version.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

TOKEN, FOREIGN, KEY, ACCOUNT = "token-of-ours", "token-of-others", "secret-of-ours", "robot"
NOW = int(time.time() * 1000)
HOUR, DAY = 3_600_000, 86_400_000
FIRST = 31_536_000
ABSENT = object()
HASH = object()
RECEIPT = object()
ITEM = "0123456789abcdef0123456789abcdef"

IMPORT, TRACK = "/import?strict=1", "/track?verbose=1&ip=0"
ENGAGE, GROUPS = "/engage?verbose=1&strict=1&ip=0", "/groups?verbose=1&strict=1&ip=0"
ALL = ("token", "account", "track")


class Dead(NamedTuple):
    """A dead letter: its reason, its field, and a part of what is said."""

    reason: str
    field: str
    said: str = ""


class Sent(NamedTuple):
    """A record that arrives: where, as whom, and what of it is looked at."""

    target: str | None = None
    who: str | None = None
    holds: dict[str, Any] = {}  # noqa: RUF012
    text: str = ""


class Row(NamedTuple):
    """One rule: the id marks its records on their way."""

    name: str
    rule: str
    was: dict[str, str]
    given: bytes
    expected: Sent | Dead


_EVENT = {"token": TOKEN, "distinct_id": "u", "time": NOW - HOUR, "$insert_id": ITEM, "ip": 0}


def rows() -> list[Row]:
    """All of them."""
    made = [*_events(), *_times(), *_users(), *_ways(), *_identities(), *_updates()]
    named = {}
    for number, (rule, was, kind, record, beside, expected) in enumerate(made, 1):
        name = f"row-{number:03d}"
        text = orjson.dumps(record).decode() if isinstance(record, dict) else record
        text = text.replace("ROW", name)
        assert name in text, f"{rule}: the record has no mark"
        tail = "".join(f',"{key}":"{value}"' for key, value in beside.items())
        given = orjson.dumps([kind, f'{{"data":{text}{tail}}}'])
        ways = {way: how for way, how in zip(ALL, was, strict=True) if how != "-"}
        named[name] = Row(name, rule, ways, given, expected)
    return list(named.values())


def _event(*without: str, name: str = "ROW", **properties: Any) -> dict[str, Any]:
    kept = {key: value for key, value in _EVENT.items() if key not in without}
    return {"event": name, "properties": {**kept, **properties}}


def _of(*without: str, **properties: Any) -> dict[str, Any]:
    """An event whose properties' names are no names in Python."""
    return _event(*without, **{key.replace("__", "$"): one for key, one in properties.items()})


def _row(rule: str, was: str, record: Any, expected: Sent | Dead, **beside: str) -> tuple[Any, ...]:
    kind = beside.pop("kind", "event")
    return rule, was, kind, record, beside, expected


# fmt: off
# ruff: noqa: E501 - a table: a rule a line


def _events() -> Iterator[tuple[Any, ...]]:
    filler = {f"p{n}": n for n in range(249)}
    yield _row("an event needs a name", "rrr", _event(name="") | {"row": "ROW"}, Dead("invalid", "event"))
    yield _row("fewer than 255 properties: 254 are sent", "rrr", _event(**filler), Sent(holds={"p248": 248}))
    yield _row("fewer than 255 properties: 255 are not", "rrr", _event(**filler, more=1), Dead("invalid", "properties", "fewer than 255"))
    yield _row("ip 0 is asked for also where it is the 255th property: then the event has too many", "www", _event("ip", **filler, more=1), Dead("invalid", "properties", "and 1 that workers add"))
    yield _row("an event of 253 properties gets its ip", "rrr", _event("ip", **filler), Sent(holds={"ip": 0}))
    yield _row("objects nest at most 3 deep", "rrr", _event(x={"a": {"b": {"c": {}}}}), Dead("invalid", "properties.x", "3 deep"))
    yield _row("a list has fewer than 255 elements", "rrr", _event(x=[0] * 255), Dead("invalid", "properties.x", "255 elements"))
    yield _row("an object has fewer than 255 keys", "rrr", _event(x={f"k{n}": n for n in range(255)}), Dead("invalid", "properties.x", "255 keys"))
    yield _row("an event is under 1 MB", "rrr", _event(x="a" * 1_000_000), Dead("too_large", ""))
    yield _row("a token is a text", "rrr", _event(token=["t"]), Dead("invalid", "properties.token", "text"))
    yield _row("members beside event and properties pass as written", "rrr", _event() | {"more": 1}, Sent(text='"more":1'))
    yield _row("geolocation as given passes", "rrr", _of(__latitude=53.3, __longitude=-6.2), Sent(holds={"$latitude": 53.3}))
    yield _row("a session's replay passes", "rrr", _of(__mp_replay_id="r-1"), Sent(holds={"$mp_replay_id": "r-1"}))
    for rule, was, ip, sent in (("absent", "rrr", ABSENT, 0), ("null", "www", None, 0), ("empty", "www", "", 0), ("an address", "rrr", "203.0.113.7", "203.0.113.7")):
        record = _event("ip") if ip is ABSENT else _event(ip=ip)
        yield _row(f"an event whose ip is {rule} is not placed at the server", was, record, Sent(holds={"ip": sent}))
    for rule, was, item, sent in (("absent", "rrr", ABSENT, HASH), ("null", "rrr", None, HASH), ("as documented", "rrr", "a-B-9", "a-B-9"), ("longer than 36 bytes", "rrr", "a" * 37, HASH), ("of other characters", "rrr", "a b", HASH), ("a number", "rrr", 12345, HASH), ("a placeholder", "rrr", "anonymous", HASH)):
        record = _of("$insert_id") if item is ABSENT else _of(__insert_id=item)
        yield _row(f"$insert_id {rule} becomes 36 letters and digits at most", was, record, Sent(holds={"$insert_id": sent}))


def _times() -> Iterator[tuple[Any, ...]]:
    seconds = NOW // 1000 - 3_600
    for rule, was, value, sent in (
        ("in milliseconds", "rrr", NOW - HOUR, NOW - HOUR),
        ("in seconds", "rrr", seconds, seconds),
        ("with a fraction", "rrr", seconds + 0.25, seconds + 0.25),
        ("a number in text", "rrr", str(seconds), seconds),
        ("null", "rrr", None, RECEIPT),
        ("half an hour ahead", "www", NOW + HOUR // 2, RECEIPT),
        ("a day ahead", "www", NOW + DAY, RECEIPT),
        ("a day ahead, in text", "www", str(NOW + DAY), RECEIPT),
    ):
        yield _row(f"a time {rule} is sent as a number that is not ahead", was, _event(time=value), Sent(holds={"time": sent}))
    yield _row("an event without a time gets that of its receipt", "rrr", _event("time"), Sent(holds={"time": RECEIPT}))
    unreadable = Dead("invalid", "properties.time", "seconds or milliseconds")
    yield _row("a time in other text is no time", "rrr", _event(time="2026-01-02 03:04:05"), unreadable)
    yield _row("a time is no boolean", "rrr", _event(time=True), unreadable)
    yield _row("a time in microseconds is no time", "rrr", _event(time=NOW * 1000), unreadable)
    yield _row("a time before 1971 is refused", "rrr", _event(time=FIRST - 1), Dead("invalid", "properties.time", "1971"))
    yield _row("1971 itself is not", "rrr", _event(time=FIRST), Sent(IMPORT, holds={"time": FIRST}))
    yield _row("/import takes events of any age", "rr-", _event(time=NOW - 30 * DAY), Sent(IMPORT))
    yield _row("/track takes five days: what is older goes to /import", "--r", _event(time=NOW - 6 * DAY), Sent(IMPORT, TOKEN))
    yield _row("$time is time", "www", _of("time", __time=NOW - DAY), Sent(holds={"time": NOW - DAY, "$time": ABSENT}))


def _users() -> Iterator[tuple[Any, ...]]:
    for value in ("00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}", 0, -1):
        yield _row(f"the placeholder {value!r} is no distinct_id", "wrw", _event(distinct_id=value), Dead("invalid", "properties.distinct_id", "placeholder"))
    for value in (["u"], {"id": 1}, True):
        yield _row(f"{value!r} is no distinct_id", "wrw", _event(distinct_id=value), Dead("invalid", "properties.distinct_id", "text"))
    for value in ("Anonymous Ltd", "NULL ", 12345, 2.5, "ü"):
        yield _row(f"{value!r} is a distinct_id and goes as written", "rrr", _event(distinct_id=value), Sent(holds={"distinct_id": value}))
    nobody = {"distinct_id": ""}
    yield _row("an event without a user gets the empty distinct_id", "wrw", _event("distinct_id"), Sent(holds=nobody))
    yield _row("null is nobody", "wrw", _event(distinct_id=None), Sent(holds=nobody))
    yield _row("the empty text is nobody", "rrr", _event(distinct_id=""), Sent(holds=nobody))
    yield _row("empty $device_id and $user_id are no user", "www", _of("distinct_id", __device_id="", __user_id=None), Sent(holds=nobody))
    yield _row("$device_id and $user_id are a user", "rrr", _of("distinct_id", __device_id="d", __user_id="u"), Sent(holds={"distinct_id": ABSENT, "$device_id": "d", "$user_id": "u"}))
    yield _row("null beside $user_id is left out", "www", _of(distinct_id=None, __user_id="u"), Sent(holds={"distinct_id": ABSENT, "$user_id": "u"}))
    yield _row("null beside $device_id is left out", "www", _of(distinct_id=None, __device_id="d"), Sent(holds={"distinct_id": ABSENT, "$device_id": "d"}))
    yield _row("$distinct_id is distinct_id", "www", _of("distinct_id", __distinct_id="u7"), Sent(holds={"distinct_id": "u7", "$distinct_id": ABSENT}))
    yield _row("a placeholder as $distinct_id is none either", "www", _of("distinct_id", __distinct_id="null"), Dead("invalid", "properties.distinct_id", "placeholder"))


def _ways() -> Iterator[tuple[Any, ...]]:
    old = {"time": NOW - 30 * DAY}
    yield _row("events go to /import by the token", "w--", _event(), Sent(IMPORT, TOKEN))
    yield _row("events go to /import by the account", "-r-", _event(), Sent(IMPORT, ACCOUNT))
    yield _row("events go to /track by the setting, whatever the account", "--r", _event(), Sent(TRACK))
    yield _row("a foreign token's events go by that token", "ww-", _event(token=FOREIGN), Sent(IMPORT, FOREIGN))
    yield _row("an event without a token goes by ours", "wr-", _event("token"), Sent(IMPORT))
    yield _row("an event without a token gets ours for /track", "--w", _event("token"), Sent(TRACK, holds={"token": TOKEN}))
    yield _row("imports go by their own key where no account serves them", "r-r", _event(**old), Sent(IMPORT, KEY), kind="import", api_key=KEY)
    yield _row("the account comes before a key", "-w-", _event(**old), Sent(IMPORT, ACCOUNT), kind="import", api_key=KEY)
    yield _row("the account serves our records only", "-r-", _event(token=FOREIGN, **old), Sent(IMPORT, KEY), kind="import", api_key=KEY)
    yield _row("imports without a key go by their token", "r-r", _event(**old), Sent(IMPORT, TOKEN), kind="import")


def _identity(name: str, **ids: Any) -> dict[str, Any]:
    kept = {key.replace("__", "$"): one for key, one in ids.items()}
    return {"event": name, "properties": {"token": TOKEN, **kept}, "row": "ROW"}


def _identities() -> Iterator[tuple[Any, ...]]:
    identify = _identity("$identify", __identified_id="u", __anon_id="a")
    bare = {"time": ABSENT, "$insert_id": ABSENT, "ip": ABSENT}
    yield _row("$identify goes to /track and gets no time", "rrr", identify, Sent(TRACK, holds=bare))
    yield _row("$create_alias goes to /track and gets no time", "rrr", _identity("$create_alias", distinct_id="u", alias="a"), Sent(TRACK, holds=bare))
    yield _row("$merge goes to /import", "rrr", _identity("$merge", __distinct_ids=["a", "b"]), Sent(IMPORT, holds=bare | {"$distinct_ids": ["a", "b"]}))
    without = {"event": "$identify", "properties": {"$identified_id": "u", "$anon_id": "a"}, "row": "ROW"}
    yield _row("an identity event without a token gets ours", "www", without, Sent(TRACK, holds={"token": TOKEN}))
    for value in ("", None, 17, ["u"]):
        yield _row(f"$identify wants texts, not {value!r}", "www", _identity("$identify", __identified_id=value, __anon_id="a"), Dead("invalid", "properties.$identified_id", "text"))
        yield _row(f"$identify wants texts, not {value!r}, of both", "www", _identity("$identify", __identified_id="u", __anon_id=value), Dead("invalid", "properties.$anon_id", "text"))
        yield _row(f"$create_alias wants texts, not {value!r}", "www", _identity("$create_alias", distinct_id=value, alias="a"), Dead("invalid", "properties.distinct_id", "text"))
        yield _row(f"$create_alias wants an alias, not {value!r}", "www", _identity("$create_alias", distinct_id="u", alias=value), Dead("invalid", "properties.alias", "text"))
        yield _row(f"$merge wants texts, not {value!r}", "www", _identity("$merge", __distinct_ids=["a", value]), Dead("invalid", "properties.$distinct_ids", "texts"))
    yield _row("$merge wants two", "www", _identity("$merge", __distinct_ids=["a", "b", "c"]), Dead("invalid", "properties.$distinct_ids", "two ids"))
    yield _row("$merge wants two that differ", "www", _identity("$merge", __distinct_ids=["a", "a"]), Dead("invalid", "properties.$distinct_ids", "differ"))


def _updates() -> Iterator[tuple[Any, ...]]:
    person = {"$token": TOKEN, "$distinct_id": "u", "$set": {"row": "ROW"}}
    team = {"$token": TOKEN, "$group_key": "team", "$group_id": "t", "$set": {"row": "ROW"}}
    profile, group = {"kind": "profile_update"}, {"kind": "group_update"}
    yield _row("profiles go to /engage with ip=0", "rr-", person, Sent(ENGAGE), **profile)
    yield _row("groups go to /groups with ip=0", "ww-", team, Sent(GROUPS), **group)
    yield _row("a profile's own $ip passes", "rr-", person | {"$ip": "203.0.113.7"}, Sent(text='"$ip":"203.0.113.7"'), **profile)
    yield _row("$ignore_time passes", "rr-", person | {"$ignore_time": True}, Sent(text='"$ignore_time":true'), **profile)
    yield _row("a device's profile has its prefix", "rr-", person | {"$distinct_id": "$device:d"}, Sent(ENGAGE), **profile)
    yield _row("a number as id goes as written", "rr-", person | {"$distinct_id": 12345}, Sent(text='"$distinct_id":12345'), **profile)
    yield _row("a $time in text is sent as a number", "rr-", person | {"$time": "1795520420"}, Sent(text='"$time":1795520420'), **profile)
    yield _row("a $time in other text is no time", "rr-", person | {"$time": "yesterday"}, Dead("invalid", "$time"), **profile)
    yield _row("an update needs a token", "rr-", person | {"$token": ""}, Dead("invalid", "$token"), **profile)
    yield _row("an update needs an operation", "rr-", {"$token": TOKEN, "$distinct_id": "u", "row": "ROW"}, Dead("invalid", "", "operation"), **profile)
    for value in ("", None, True, ["u"], {"id": 1}):
        yield _row(f"{value!r} is no id of a profile", "rr-", person | {"$distinct_id": value}, Dead("invalid", "$distinct_id"), **profile)
        yield _row(f"{value!r} is no id of a group", "rr-", team | {"$group_id": value}, Dead("invalid", "$group_id"), **group)
    for value in ("anonymous", "null", 0):
        yield _row(f"the placeholder {value!r} is no id of a profile", "ww-", person | {"$distinct_id": value}, Dead("invalid", "$distinct_id", "placeholder"), **profile)
        yield _row(f"{value!r} may be a group", "ww-", team | {"$group_id": value}, Sent(GROUPS), **group)
    yield _row("an empty $union is refused by Mixpanel, by name", "rr-", {**person, "$union": {"row": []}}, Dead("invalid", "$union"), **profile)
    yield _row("$append is not for groups: Mixpanel names it", "rr-", {**team, "$append": {"a": 1}}, Dead("invalid", "record"), **group)
