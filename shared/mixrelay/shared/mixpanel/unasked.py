"""What Mixpanel does to a record without an error: it drops, cuts or hides, and answers 200.

None of it is a broken rule, so such records are sent as they are (but for `$ignore`, which would be
dropped); what is found here is counted and shown with an example.

Sources, Mixpanel's pages: Supported Properties Data Type (255, 8 KB, 256 KB), Import Events and 413
(names and texts are truncated at 255 characters), User Profiles (2,000 properties), Reserved
Properties (`bucket`), Bot Traffic (`$ignore`), Import Events (`num_records_imported`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from mixrelay.shared.mixpanel.answers import printable

MAX_TEXT = 255
"""Characters. One page says bytes: texts of other alphabets may be cut earlier."""

MAX_EVENT_VALUE_BYTES = 8_000
"""Of a list or an object that is an event's property: 8 KB."""

MAX_PROFILE_LIST_BYTES = 256_000
"""Of a list that is a property of a profile: 256 KB."""

MANY_PROPERTIES = 1_800
"""In one update. A profile takes 2,000, and its other properties count too."""

HIDDEN_NAMES = frozenset({"bucket", "$bucket"})

_IGNORE = "$ignore"
_SHOWN = 80
"""Characters of a name that are shown."""
_BYTES_OF_A_CHARACTER = 4
_LONG_RECORD = MAX_EVENT_VALUE_BYTES // _BYTES_OF_A_CHARACTER
"""Characters of a record from which on a list of it may be too large."""

_SETS = ("$set", "$set_once")
_NAMES = (*_SETS, "$add", "$append", "$union")
_CONTAINERS = frozenset({dict, list})


class NoticeKind(StrEnum):
    """What Mixpanel does; the counters are `noticed:<kind>`."""

    CUT_TEXT = "cut_text"
    """A text or a name over 255 characters is cut."""
    CUT_LIST = "cut_list"
    """A list or an object of an event over 8 KB, or a list of a profile over 256 KB, is cut."""
    MANY_PROPERTIES = "many_properties"
    """A profile takes 2,000 properties, and no more."""
    HIDDEN_NAME = "hidden_name"
    """A property named `bucket` or `$bucket` makes other events disappear from reports."""
    UNCONFIRMED = "unconfirmed"
    """`num_records_imported` is less than what was sent."""
    OFF_PLAN = "off_plan"
    """Not as the tracking plan says; Mixpanel takes it all the same."""
    PROJECT_SECRET = "project_secret"  # noqa: S105
    """Sent by a message's own `api_key`: Mixpanel retires these on 2027-03-03 (Project Secret)."""


class Finding(NamedTuple):
    """One kind of thing that Mixpanel will do to a record, at its first place there.

    Attributes:
        name: the event's name, or the update's operation.
        field: where in the record.
        detail: how much; never the value, since these are people's data.
    """

    kind: NoticeKind
    name: str
    field: str
    detail: str


def is_ignored(record: dict[str, Any]) -> bool:
    """Whether Mixpanel drops an event: `$ignore` is true or a text that is not empty."""
    properties = record.get("properties")
    if not isinstance(properties, dict):
        return False
    ignore = properties.get(_IGNORE)
    return ignore is True or (isinstance(ignore, str) and ignore != "")


def names_of_note(properties: Iterable[dict[str, Any]]) -> bool:
    """Whether any of some events' properties are named `$ignore`, `bucket` or `$bucket`."""
    return bool([1 for o in properties if "$ignore" in o or "bucket" in o or "$bucket" in o])


def may_be_changed(text: str) -> bool:
    """Whether an event's or update's JSON leaves it open that something is found in it.

    It is quick: of most there is nothing to find. An escaped quote hides where a text ends, so a
    record with one is always looked at.
    """
    return _may_be_cut(text, len(text)) or 'bucket"' in text


def may_one_be_cut(texts: list[str]) -> bool:
    """Whether one of some records may have a text or a list that is cut."""
    return _may_be_cut("".join(texts), max(map(len, texts)))


def _may_be_cut(text: str, longest: int) -> bool:
    return longest > _LONG_RECORD or _has_long_run(text) or ("\\" in text and '\\"' in text)


def event_findings(record: dict[str, Any]) -> list[Finding]:
    """What Mixpanel will do to an event, each kind once."""
    name, properties = record["event"], record["properties"]
    shown = _cut(name)
    return _firsts(_of_event(name, shown, properties))


def update_findings(record: dict[str, Any]) -> list[Finding]:
    """What Mixpanel will do to an update of a profile or a group, each kind once."""
    return _firsts(_of_update(record))


def unconfirmed(body: Any, expected: int) -> int:
    """How many of the records that it should have imported an answer does not confirm.

    A number that cannot be is no evidence of anything.
    """
    imported = body.get("num_records_imported") if isinstance(body, dict) else None
    is_count = type(imported) is int and 0 <= imported <= expected
    return expected - imported if is_count and imported is not None else 0


def _firsts(findings: Iterable[Finding]) -> list[Finding]:
    firsts: dict[NoticeKind, Finding] = {}
    for one in findings:
        firsts.setdefault(one.kind, one)
    return list(firsts.values())


def _of_event(name: str, shown: str, properties: dict[str, Any]) -> Iterator[Finding]:
    if len(name) > MAX_TEXT:
        yield Finding(NoticeKind.CUT_TEXT, shown, "event", _characters(name))
    for key, value in properties.items():
        field = f"properties.{_cut(key)}"
        if key in HIDDEN_NAMES:
            yield Finding(NoticeKind.HIDDEN_NAME, shown, field, _HIDES)
        if len(key) > MAX_TEXT:
            yield Finding(NoticeKind.CUT_TEXT, shown, field, f"a name of {_characters(key)}")
        if isinstance(value, str) and len(value) > MAX_TEXT:
            yield Finding(NoticeKind.CUT_TEXT, shown, field, _characters(value))
        if type(value) in _CONTAINERS and (size := _size(value)) > MAX_EVENT_VALUE_BYTES:
            yield Finding(NoticeKind.CUT_LIST, shown, field, f"{size} bytes, Mixpanel takes 8 KB")


def _of_update(record: dict[str, Any]) -> Iterator[Finding]:
    for operation in _NAMES:
        fields = record.get(operation)
        if not isinstance(fields, dict):
            continue
        if operation in _SETS and len(fields) >= MANY_PROPERTIES:
            detail = f"{len(fields)} properties in one update, a profile takes 2,000"
            yield Finding(NoticeKind.MANY_PROPERTIES, operation, operation, detail)
        yield from _of_fields(operation, fields)


def _of_fields(operation: str, fields: dict[str, Any]) -> Iterator[Finding]:
    for key, value in fields.items():
        field = f"{operation}.{_cut(key)}"
        if key in HIDDEN_NAMES:
            yield Finding(NoticeKind.HIDDEN_NAME, operation, field, _HIDES)
        if len(key) > MAX_TEXT:
            yield Finding(NoticeKind.CUT_TEXT, operation, field, f"a name of {_characters(key)}")
        if isinstance(value, str) and len(value) > MAX_TEXT:
            yield Finding(NoticeKind.CUT_TEXT, operation, field, _characters(value))
        if isinstance(value, list) and (size := _size(value)) > MAX_PROFILE_LIST_BYTES:
            yield Finding(
                NoticeKind.CUT_LIST, operation, field, f"{size} bytes, Mixpanel takes 256 KB"
            )


_HIDES = "this name makes other events disappear from reports"


def _characters(text: str) -> str:
    return f"{len(text)} characters, {MAX_TEXT} kept"


def _cut(name: str) -> str:
    shown = printable(name[: _SHOWN + 1])
    return f"{shown[:_SHOWN]}…" if len(shown) > _SHOWN else shown


def _size(value: Any) -> int:
    try:
        return len(orjson.dumps(value))
    except TypeError:
        # Half of a surrogate pair, or an integer over 64 bits: near enough.
        return _size_of_text(value)


def _size_of_text(value: Any) -> int:
    try:
        return len(repr(value))
    except RecursionError:
        # Nested as deep as a parser goes: whether it is cut is not known.
        return 0


def _has_long_run(text: str) -> bool:
    """Whether so many characters in a row are no quote as only a text has that is too long."""
    at, last = 0, len(text) - MAX_TEXT
    while at < last:
        found = text.rfind('"', at, at + MAX_TEXT + 1)
        if found < 0:
            return True
        at = found + 1
    return False
