"""Every example of Mixpanel's Ruby documentation has a Python twin, and each does what it says.

The twins are the code blocks of docs/from-ruby.md, run as they are printed but for Mixpanel's
own address, against a real Valkey, a worker where they queue, and the sandbox.
"""

import json
import re
from datetime import UTC, datetime

import pytest

from tests.integration.seed.examples import blocks_of, literals, ruby_examples
from tests.support.works import Works, dropped

GUIDE = blocks_of("from-ruby.md")
BY_HEADING = {}
for _block in GUIDE:
    BY_HEADING.setdefault(_block.heading, []).append(_block)
START = next(block.code for block in GUIDE if block.language == "python")
TOKENS = {"YOUR_PROJECT_TOKEN", "YOUR_TOKEN"}
# Mixpanel documents $merge for a service account.
ACCOUNT = {
    "token": "YOUR_PROJECT_TOKEN",
    "service_account_username": "relay",
    "service_account_secret": "a-very-secret-secret",
    "project_id": "42",
}
TABLE = ("d1b6d2e0-1330-4ad6-b520-d948ede3b1a7", "Gangnam style")
ACME = ("Company", "Acme")
NOW = "now"


@pytest.mark.parametrize("heading", ruby_examples())
def test_every_ruby_example_has_a_twin_with_the_same_names_and_values(heading):
    rubys = ruby_examples()[heading]
    twins = BY_HEADING[heading]
    assert len(twins) >= len(rubys)
    code = "\n".join(twin.code for twin in twins)
    missing = [one for ruby in rubys for one in literals(ruby) if one not in code]
    assert missing == []


def test_the_twins_stand_in_the_order_of_the_examples():
    headings = [block.heading for block in GUIDE]
    places = [headings.index(heading) for heading in ruby_examples()]
    assert places == sorted(places)


@pytest.fixture
def run(redis_url, queue, mixpanel, tmp_path, monkeypatch):
    """Run a block after the guide's start, drain what it queued, and return its names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
    monkeypatch.setenv("MIXPANEL_API_HOST", mixpanel.url)
    works = Works(redis_url, queue, mixpanel, tmp_path)

    def ran(*blocks):
        names = {}
        for code in (START, *(block.code for block in blocks)):
            changed = code.replace("https://api-eu.mixpanel.com", mixpanel.url)
            changed = changed.replace("redis://localhost:6379/0", redis_url)
            exec(compile(changed, "from-ruby.md", "exec"), names)
        works.drain(to=works.settings(**ACCOUNT))
        assert works.letters() == []
        assert dropped(mixpanel) == []
        for name in ("tracker_log", "queue"):
            if name in names:
                names[name].close()
        return names

    return ran


def python(heading):
    return [block for block in BY_HEADING[heading] if block.language == "python"]


def said(mixpanel):
    """What arrived: of events user, name and own properties; of updates whom, what and how."""
    for record in (*mixpanel.events, *mixpanel.updates):
        token = record.get("$token") or record["properties"]["token"]
        assert token in TOKENS
    return [*map(_event, mixpanel.events), *map(_update, mixpanel.updates)]


def _event(record):
    stamps = {"token", "distinct_id", "time", "$insert_id", "mp_lib", "$lib_version", "ip"}
    properties = record["properties"]
    own = {name: value for name, value in properties.items() if name not in stamps}
    return properties.get("distinct_id"), record["event"], own


def _update(record):
    whom = record.get("$distinct_id") or (record["$group_key"], record["$group_id"])
    [operation] = record.keys() & {
        *("$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset", "$delete")
    }
    return whom, operation, _without_now(record[operation])


def _without_now(content):
    if not isinstance(content, dict):
        return content
    return {name: NOW if _is_now(value) else value for name, value in content.items()}


def _is_now(value):
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value):
        return False
    age = datetime.now(UTC) - datetime.fromisoformat(value).replace(tzinfo=UTC)
    return abs(age.total_seconds()) < 60


JOHN = {
    "$first_name": "John",
    "$last_name": "Doe",
    "$email": "john.doe@example.com",
    "$phone": "5555555555",
    "Favorite Color": "red",
}
PREMIUM = {"Old Plan": "Business", "New Plan": "Premium"}
SENT = ("user-1", "Sent Message", {})
COUNTED = ("user-1", "$add", {"Messages Sent": 1})


@pytest.mark.parametrize(
    ("heading", "arrives"),
    [
        ("Sending Events", [SENT, ("user-1", "Plan Upgraded", PREMIUM)]),
        ("EU Data Residency", [SENT]),
        ("Setting Profile Properties", [("12345", "$set", JOHN)]),
        (
            "Incrementing Numeric Properties",
            [("12345", "$add", {"Logins used": 1, "Logins remaining": -1})],
        ),
        ("Appending to List Properties", [("12345", "$append", {"Favorite Fruits": "Apples"})]),
        (
            "Sending Group Identifiers With Events",
            [
                ("user_id1", "App Open", {"GROUP KEY": 1234}),
                ("user_id1", "App Open", {"GROUP KEY": [1000, 1234]}),
            ],
        ),
        (
            "Adding Group Identifiers to Individual Users",
            [("user_id1", "$set", {"$name": "Steph Curry", "Company": "Mixpanel"})],
        ),
        (
            "Setting Group Properties: set",
            [(ACME, "$set", {"$name": "Acme, Inc.", "plan": "Premium", "Sign-Up Date": NOW})],
        ),
        (
            "Setting Group Properties: set once",
            [(ACME, "$set_once", {"First Login Date": NOW})],
        ),
        (
            "Setting Group Properties: unset",
            [
                (ACME, "$unset", ["Overdue Since"]),
                (ACME, "$unset", ["Overdue Since", "Paid Date"]),
            ],
        ),
        (
            "Setting Group Properties: union",
            [(ACME, "$union", {"Levels Completed": ["Suffragette City"]})],
        ),
        ("Setting Group Properties: remove", [(ACME, "$remove", {"Items purchased": "socks"})]),
        ("Setting Group Properties: delete", [(ACME, "$delete", "")]),
        ("Updating a lookup table: set", [(TABLE, "$set", {"Genre": "Pop"})]),
        ("Updating a lookup table: set once", [(TABLE, "$set_once", {"First Played": NOW})]),
        (
            "Updating a lookup table: unset",
            [(TABLE, "$unset", ["Genre"]), (TABLE, "$unset", ["Genre", "First Played"])],
        ),
        (
            "Updating a lookup table: union",
            [(TABLE, "$union", {"hashtags": ["spectacular", "crazy"]})],
        ),
        ("Updating a lookup table: remove", [(TABLE, "$remove", {"hashtags": "amazing"})]),
        ("Updating a lookup table: delete", [(TABLE, "$delete", "")]),
        (
            "Tracking Revenue",
            [
                ("12345", "$append", {"$transactions": {"$amount": 9.99}}),
                (
                    "12345",
                    "$append",
                    {"$transactions": {"$time": "2013-01-02T00:00:00", "$amount": 30.5}},
                ),
            ],
        ),
    ],
)
def test_a_twin_does_what_the_example_says(run, mixpanel, heading, arrives):
    run(*python(heading))
    assert said(mixpanel) == arrives


def test_nobody_is_placed_at_the_data_centre(run, mixpanel):
    run(*python("Sending Events"), *python("Setting Profile Properties"))
    assert {event["properties"]["ip"] for event in mixpanel.events} == {0}
    [update] = mixpanel.updates
    assert update["$ip"] == 0
    assert update["$ignore_time"] is True


def test_alias_is_a_request_of_its_own_and_the_rest_is_queued(run, mixpanel):
    at_once, queued = python("Alias")
    run(at_once)
    assert [request.endpoint for request in mixpanel.requests] == ["/track", "/track"]
    aliases = [event["properties"]["alias"] for event in mixpanel.events]
    assert aliases == ["new_internal_id", "new_second_id"]
    run(queued)
    assert {event["event"] for event in mixpanel.events[2:]} == {"$identify", "$merge"}


def test_a_log_is_written_and_then_sent_or_pushed(run, mixpanel, tmp_path):
    [written] = python("Using Blocks with Mixpanel::Tracker.new")
    sent, *_ = python("Using Mixpanel::Consumer")
    run(written)
    [line] = (tmp_path / "MIXPANEL_LOG.txt").read_text().splitlines()
    assert json.loads(line)[0] == "event"
    assert mixpanel.events == []
    run(sent)
    assert said(mixpanel) == [SENT]


def test_the_queue_between_the_tracker_and_mixpanel(run, mixpanel):
    _, queued, _ = python("Using Mixpanel::Consumer")
    run(queued)
    assert said(mixpanel) == [SENT, COUNTED]


def test_the_sketch_of_a_queue_works_too(run, mixpanel):
    *_, sketched = python("Using Mixpanel::Consumer")
    run(sketched)
    assert said(mixpanel) == [SENT, COUNTED]
    assert len(mixpanel.requests) == 2


def test_a_buffered_consumer_sends_few_requests_and_the_rest_at_the_flush(run, mixpanel):
    run(*python("Sending many at once, from a script"))
    assert [request.records for request in mixpanel.requests] == [50, 50, 20]
    assert len(mixpanel.events) == 120


def test_fetching_a_tracking_url_tracks(run, mixpanel, fetch):
    names = run(*python("A tracking URL, as for an e-mail's image"))
    assert names["url"].startswith(f"{mixpanel.url}/track/?data=")
    fetch(names["url"])
    assert said(mixpanel) == [("user-1", "Opened Mail", {"Campaign": "Spring"})]


def test_no_example_of_the_guide_is_left_untried():
    tried = {*ruby_examples(), "Sending many at once, from a script"}
    tried.add("A tracking URL, as for an e-mail's image")
    assert set(BY_HEADING) == tried
