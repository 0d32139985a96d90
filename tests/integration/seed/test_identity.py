"""The sequences of docs/identity.md, run as they are printed: whose events are whose at the end.

The sandbox plays both of Mixpanel's systems, from Mixpanel's pages.
"""

import pytest

from mixrelay.sandbox import Options, Sandbox
from tests.integration.seed.examples import blocks_of
from tests.support.works import Works, dropped

TOKEN = "YOUR_PROJECT_TOKEN"
ACCOUNT = {
    "service_account_username": "relay",
    "service_account_secret": "a-very-secret-secret",
    "project_id": "42",
}
ANN, BOB = "17", "18"
PROFILE = (ANN, {"$name": "Ann", "$email": "ann@example.com"})


class Play:
    """One section of the page, played block by block against a project of one system."""

    def __init__(self, heading, works):
        self.blocks = [
            block.code
            for block in blocks_of("identity.md")
            if block.heading == heading and block.language == "python"
        ]
        self._works = works
        self._names = {}
        self.box = works.box

    def run(self, count):
        """Run the next blocks, and drain what they queued as a service account."""
        some, self.blocks = self.blocks[:count], self.blocks[count:]
        for code in some:
            exec(compile(code, "identity.md", "exec"), self._names)
        self._works.drain(to=self._works.settings(token=TOKEN, **ACCOUNT))
        assert self._works.letters() == []
        assert dropped(self.box) == []

    def whose(self):
        """The names of each person's events, in the order of their calls."""
        found = {}
        for person in self.box.users.values():
            events = [one for one in person.events if not one["event"].startswith("$")]
            events.sort(key=lambda one: one["properties"]["time"])
            found[self.name(set(person.ids))] = [one["event"] for one in events]
        return found

    def name(self, ids):
        """A person's user ids, and how many devices beside them."""
        users = sorted(ids & {ANN, BOB})
        return (*users, len(ids) - len(users))


@pytest.fixture
def play(redis_url, queue, tmp_path, monkeypatch):
    """Begin a section of the page."""
    monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
    boxes = []

    def begun(heading, id_merge):
        box = Sandbox(Options(tokens=[TOKEN], id_merge=id_merge, **ACCOUNT))
        box.start()
        boxes.append(box)
        monkeypatch.setenv("MIXPANEL_API_HOST", box.url)
        return Play(heading, Works(redis_url, queue, box, tmp_path))

    yield begun
    for box in boxes:
        box.stop()


OF_ANN = [
    *("Viewed Prices", "Signed Up", "Viewed Invoice", "Invoice Paid"),
    *("Viewed Prices", "Signed In", "Signed Out"),
]


def test_simplified_id_merge_knows_who_did_what(play):
    page = play("Simplified ID Merge", "simplified")
    start_and_visit = 2
    page.run(start_and_visit)
    assert page.whose() == {(1,): ["Viewed Prices"]}
    page.run(1)
    assert page.whose() == {(ANN, 1): ["Viewed Prices", "Signed Up"]}
    page.run(len(page.blocks))
    assert page.whose() == {(ANN, 2): OF_ANN, (BOB, 1): ["Viewed Prices", "Signed In"]}
    sent = {name for event in page.box.events for name in event["properties"]}
    assert sent >= {"$device_id", "$user_id"}
    assert [(one["$distinct_id"], one["$set"]) for one in page.box.updates] == [PROFILE]


def test_original_id_merge_knows_who_did_what(play):
    page = play("Original ID Merge", "original")
    start_and_visit, the_merge = 2, 1
    page.run(start_and_visit)
    assert page.whose() == {(1,): ["Viewed Prices"]}
    page.run(1)
    assert page.whose() == {(ANN, 1): ["Viewed Prices", "Signed Up"]}
    page.run(len(page.blocks) - the_merge)
    assert page.whose() == {(ANN, 2): OF_ANN, (BOB, 1): ["Signed Up"]}
    page.run(the_merge)
    assert page.whose() == {(ANN, BOB, 3): [*OF_ANN, "Signed Up"]}
    assert [(one["$distinct_id"], one["$set"]) for one in page.box.updates] == [PROFILE]


def test_each_systems_calls_do_nothing_in_the_other(play):
    """Why the page begins with the question which one a project has."""
    page = play("Original ID Merge", "simplified")
    page.run(len(page.blocks))
    found = page.whose()
    assert found.pop((ANN, 0)) == [one for one in OF_ANN if one != "Viewed Prices"]
    assert found.pop((BOB, 0)) == ["Signed Up"]
    assert found.keys() == {(1,)}, "the devices stay strangers"
