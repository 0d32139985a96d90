"""What Mixpanel's own Ruby library pushed, verbatim: delivered, or dead for a documented reason."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import LetterFilter
from tests.support.fleet import Fleet
from tests.support.works import dropped

DATA = Path(__file__).parents[1] / "data"
TOKEN = "00112233445566778899aabbccddeeff"
NEWEST = (DATA / "mixpanel-ruby.jsonl").read_bytes().splitlines()
OLD = (DATA / "mixpanel-ruby-old-versions.jsonl").read_bytes().splitlines()

REFUSED = {
    14: ("properties.time", "its time is the text that Ruby makes of a Time"),
    26: ("event", "its name is empty"),
    27: ("properties.x", "lists 95 deep, where Mixpanel documents 3"),
    28: ("properties", "260 properties of its own, where Mixpanel takes fewer than 255"),
}
"""Lines of the newest library's file, from 1, and why Mixpanel would not take them."""


@pytest.fixture
def fleet(redis_url: str, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(redis_url, mixpanel.url, tmp_path)
    yield fleet
    fleet.close()


def records(line: bytes) -> int:
    data = json.loads(json.loads(line)[1])["data"]
    return len(data) if isinstance(data, list) else 1


def test_every_tuple_arrives_or_is_a_letter_with_its_reason(
    fleet: Fleet, mixpanel: Sandbox
) -> None:
    fleet.queue.push(NEWEST + OLD)
    fleet.start()
    fleet.wait_until_drained(60)

    letters = {letter.payload: letter for letter in fleet.queue.letters.find(LetterFilter())}
    for number, (field, why) in REFUSED.items():
        letter = letters.pop(NEWEST[number - 1])
        print(f"line {number}: {letter.reason} {letter.field}: {letter.error} ({why})")
        assert (letter.reason, letter.field) == ("invalid", field)
    assert letters == {}
    sent = sum(map(records, NEWEST + OLD)) - len(REFUSED)
    assert len(mixpanel.events) + len(mixpanel.updates) == sent
    assert dropped(mixpanel) == []
    assert mixpanel.duplicates == []
    assert fleet.queue.books().difference == 0


def test_values_arrive_as_ruby_wrote_them(fleet: Fleet, mixpanel: Sandbox) -> None:
    fleet.queue.push(NEWEST)
    fleet.start()
    fleet.wait_until_drained(60)

    arrived = {event["event"]: event["properties"] for event in mixpanel.events}
    assert arrived["Integers"]["2**64"] == 2**64
    assert arrived["Integers"]["-2**70"] == -(2**70)
    assert arrived["Floats"]["tiny"] == 1e-7
    assert arrived["Größe gewählt 👩‍👩‍👧"]["絵文字"] == "😀"
    assert arrived["signed_up"]["distinct_id"] == 12345
    assert arrived["Escapes"]["control"] == "\x00\x01\b\f\n\r\t\x1f\x7f"
    assert mixpanel.profiles["用户-1"]["big"] == 2**64


def test_identity_events_and_equal_events_are_all_there(fleet: Fleet, mixpanel: Sandbox) -> None:
    def event(name: str, kind: str = "event", **properties: object) -> bytes:
        data = {"event": name, "properties": {"token": TOKEN, **properties}}
        return json.dumps([kind, json.dumps({"data": data})]).encode()

    equal = event("Clicked", distinct_id="u", time=1795520419833)
    fleet.queue.push(
        [
            event("$identify", **{"$identified_id": "u", "$anon_id": "a"}),
            event("$create_alias", distinct_id="u", alias="b"),
            event("$merge", "import", **{"$distinct_ids": ["u", "c"]}),
            *[equal] * 1_000,
        ]
    )
    # Mixpanel documents $merge for a service account.
    fleet.start(
        MIXPANEL_SERVICE_ACCOUNT_USERNAME="relay",
        MIXPANEL_SERVICE_ACCOUNT_SECRET="a-very-secret-secret",
        MIXPANEL_PROJECT_ID="42",
    )
    fleet.wait_until_drained(60)

    counts = Counter(arrived["event"] for arrived in mixpanel.events)
    assert counts == {"$identify": 1, "$create_alias": 1, "$merge": 1, "Clicked": 1_000}
    assert len({e["properties"].get("$insert_id") for e in mixpanel.events}) == 1_001
    assert mixpanel.duplicates == []
