"""The sequences of docs/identity.md, run as they are printed, say whose every event is."""

import pytest

from mixrelay.sandbox import Options, Sandbox
from tests.integration.seed.examples import blocks_of
from tests.support.works import Works

TOKEN = "YOUR_PROJECT_TOKEN"
ACCOUNT = {
    "service_account_username": "relay",
    "service_account_secret": "a-very-secret-secret",
    "project_id": "42",
}
ANN, BOB = "17", "18"
PROFILE = (ANN, {"$name": "Ann", "$email": "ann@example.com"})


@pytest.fixture
def played(redis_url, queue, tmp_path, monkeypatch):
    """Run a section's blocks, drain what they queued as a service account, and return the box."""
    monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
    boxes = []

    def play(heading, options):
        box = Sandbox(options)
        box.__enter__()
        boxes.append(box)
        monkeypatch.setenv("MIXPANEL_API_HOST", box.url)
        works = Works(redis_url, queue, box, tmp_path)
        names = {}
        for block in blocks_of("identity.md"):
            if block.heading == heading and block.language == "python":
                exec(compile(block.code, heading, "exec"), names)
        works.drain(to=works.settings(token=TOKEN, **ACCOUNT))
        assert works.letters() == []
        assert box.dropped == []
        return box

    yield play
    for box in boxes:
        box.__exit__(None, None, None)


class Devices:
    """Names the devices in the order of their first events: D1, D2, …"""

    def __init__(self):
        self._names = {}

    def name(self, one):
        if one in {None, "", ANN, BOB}:
            return one
        return self._names.setdefault(one, f"D{len(self._names) + 1}")


def in_order(box):
    """The events in the order of their calls: requests may overtake each other."""
    return sorted(box.events, key=lambda event: event["properties"].get("time", 0))


def test_simplified_id_merge_is_told_the_device_and_the_user(played):
    box = played("Simplified ID Merge", Options(tokens=[TOKEN]))
    devices = Devices()
    told = [
        (
            event["event"],
            event["properties"].get("distinct_id"),
            devices.name(event["properties"].get("$device_id")),
            event["properties"].get("$user_id"),
        )
        for event in in_order(box)
    ]
    assert told == [
        ("Viewed Prices", None, "D1", None),
        ("Signed Up", None, "D1", ANN),
        ("Viewed Invoice", None, "D1", ANN),
        ("Invoice Paid", None, None, ANN),
        ("Viewed Prices", None, "D2", None),
        ("Signed In", None, "D2", ANN),
        ("Signed Out", None, "D1", ANN),
        ("Viewed Prices", None, "D3", None),
        ("Signed In", None, "D3", BOB),
    ]
    assert [(one["$distinct_id"], one["$set"]) for one in box.updates] == [PROFILE]


def test_original_id_merge_is_told_who_and_who_that_was_before(played):
    box = played("Original ID Merge", Options(tokens=[TOKEN]))
    devices = Devices()
    tracked = [one for one in in_order(box) if not one["event"].startswith("$")]
    told = [(one["event"], devices.name(one["properties"]["distinct_id"])) for one in tracked]
    assert told == [
        ("Viewed Prices", "D1"),
        ("Signed Up", ANN),
        ("Viewed Invoice", ANN),
        ("Invoice Paid", ANN),
        ("Viewed Prices", "D2"),
        ("Signed In", ANN),
        ("Signed Out", ANN),
        ("Signed Up", BOB),
    ]
    identity = [one["properties"] for one in box.events if one["event"] == "$identify"]
    connected = {(one["$identified_id"], devices.name(one["$anon_id"])) for one in identity}
    assert connected == {(ANN, "D1"), (ANN, "D2"), (BOB, "D3")}
    assert [
        one["properties"]["$distinct_ids"] for one in box.events if one["event"] == "$merge"
    ] == [[ANN, BOB]]
    assert [(one["$distinct_id"], one["$set"]) for one in box.updates] == [PROFILE]
