"""Which list a message goes to: the same for all of a profile's, in every language."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from mixrelay.shared.partitioning import (
    partition_of_key,
    partition_of_message,
    partition_of_tuple,
)
from mixrelay.shared.tuples import write

DOCUMENT = Path(__file__).parents[3] / "docs" / "other-languages.md"
MANY = 64
"""So many that two keys seldom meet."""


def message(record: object, **beside: object) -> str:
    return json.dumps({"data": record, **beside}, separators=(",", ":"))


def event(user: object) -> dict[str, Any]:
    return {"event": "A", "properties": {"token": "t", "distinct_id": user}}


def where(kind: str, record: object) -> int:
    """By both ways, which must agree."""
    text = message(record)
    found = partition_of_tuple(write(kind, text), MANY)
    assert partition_of_message(kind, text, MANY) == found
    return found


def test_the_documented_vectors_are_what_is_computed() -> None:
    rows = re.findall(r"^\| `(.+)` \| (\d+) \| ([\d |]+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(rows) >= 5
    for key, crc, partitions in rows:
        assert crc32(key.encode()) == int(crc)
        computed = [partition_of_key(key, count) for count in (2, 3, 4, 8, 16, 64)]
        assert computed == [int(one) for one in partitions.split(" | ")]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 16, 63])
def test_one_partition_more_takes_its_share_and_moves_nothing_else(count: int) -> None:
    keys = [f"user-{number}" for number in range(20_000)]
    moved = [
        key for key in keys if partition_of_key(key, count) != partition_of_key(key, count + 1)
    ]
    assert {partition_of_key(key, count + 1) for key in moved} == {count}
    assert len(moved) == pytest.approx(len(keys) / (count + 1), rel=0.15)


@pytest.mark.parametrize("form", ["{}", "user-{}", "8f0c{:028x}", "{:012}@example.com"])
def test_profiles_spread_evenly(form: str) -> None:
    found = Counter(partition_of_key(form.format(number), 8) for number in range(20_000))
    assert len(found) == 8
    assert max(found.values()) < 1.1 * min(found.values())


def test_events_imports_and_updates_of_one_user_go_together() -> None:
    for user in ("user-1", "Größe", 17, 2**70):
        found = {
            where("event", event(user)),
            where("import", event(user)),
            where("profile_update", {"$token": "t", "$distinct_id": user, "$set": {"a": 1}}),
        }
        assert len(found) == 1
    assert where("event", event(17)) == where("event", event("17")) == partition_of_key("17", MANY)


def test_a_group_goes_by_its_key_and_its_id() -> None:
    record = {"$token": "t", "$group_key": "Company", "$group_id": "Acme", "$set": {}}
    assert where("group_update", record) == partition_of_key("Company Acme", MANY)
    assert where("group_update", record | {"$group_id": 5}) == partition_of_key("Company 5", MANY)


def test_a_list_goes_by_its_first_record() -> None:
    first = where("event", event("user-1"))
    assert where("event", [event("user-1"), event("user-2")]) == first
    assert where("event", [[], [[event("user-1")]], event("user-2")]) == first


@pytest.mark.parametrize(
    "payload",
    [
        ["event", event("user-1")],
        ["/track", {"data": event("user-1")}],
        ["events", json.dumps(event("user-1"))],
        ["event", json.dumps({"api_key": "k", "data": event("user-1")}, indent=1)],
    ],
    ids=["a record", "an object", "without data", "indented"],
)
def test_every_form_of_a_message_goes_where_its_profile_is(payload: list[Any]) -> None:
    found = partition_of_tuple(json.dumps(payload).encode(), MANY)
    assert found == partition_of_key("user-1", MANY)
    if isinstance(payload[1], str):
        assert partition_of_message(payload[0], payload[1], MANY) == found


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b'["event","{\\"da', b'["unknown",{"data":{}}]', b"17"]
)
def test_what_cannot_be_read_goes_to_the_first(payload: bytes) -> None:
    assert partition_of_tuple(payload, MANY) == 0


@pytest.mark.parametrize("text", ['{"data":{"a":NaN}}', '{"data":', "", "null"])
def test_so_does_what_mixpanels_library_writes_and_is_no_json(text: str) -> None:
    assert partition_of_message("event", text, MANY) == 0
    assert partition_of_message("unknown", message(event("user-1")), MANY) == 0


@pytest.mark.parametrize("nobody", [None, "", [], {}])
def test_events_of_nobody_spread(nobody: object) -> None:
    records = [event(nobody) | {"event": f"E{number}"} for number in range(200)]
    tuples = [write("event", message(record)) for record in records]
    assert len({partition_of_tuple(one, 4) for one in tuples}) == 4
    assert len({partition_of_message("event", message(record), 4) for record in records}) == 4


@pytest.mark.parametrize("record", [{}, [1], {"properties": []}, {"event": 5}])
def test_a_record_that_makes_no_sense_goes_somewhere(record: object) -> None:
    for kind in ("event", "import", "profile_update", "group_update"):
        text = message(record)
        assert 0 <= partition_of_tuple(write(kind, text), 4) < 4
        assert 0 <= partition_of_message(kind, text, 4) < 4


def test_a_message_as_deep_as_the_parser_goes_belongs_where_its_tuple_does() -> None:
    for depth in range(1_000, 1_040):
        deep = "[" * depth + "]" * depth
        message = f'{{"data":{{"$token":"t","$distinct_id":"user-3","$set":{{"x":{deep}}}}}}}'
        payload = write("profile_update", message)
        assert partition_of_message("profile_update", message, 64) == partition_of_tuple(
            payload, 64
        ), depth
