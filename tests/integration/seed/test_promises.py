"""What the guide says of a call holds at the other end, in a stand-in for Mixpanel."""

import pytest

from mixrelay.producer import Tracker
from mixrelay.producer.records import events
from tests.support.works import TOKEN, Works

DAY = 86_400_000
PAID_AT = 1_767_323_045


@pytest.fixture
def works(redis_url, queue, mixpanel, tmp_path, monkeypatch):
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
    return Works(redis_url, queue, mixpanel, tmp_path)


@pytest.fixture
def tracker(redis_url, works):
    return Tracker(TOKEN, redis_url=redis_url)


def a_day_later(monkeypatch):
    now = events.now()
    monkeypatch.setattr(events, "now", lambda: now + DAY)


@pytest.mark.parametrize("when", ["timestamp", "property", "default"])
def test_one_event_called_twice_a_day_apart_is_one(works, tracker, monkeypatch, when):
    def paid():
        if when == "timestamp":
            tracker.track("ann", "Paid", insert_id="invoice-17", timestamp=PAID_AT)
        elif when == "property":
            tracker.track("ann", "Paid", {"time": PAID_AT}, insert_id="invoice-17")
        else:
            dated = tracker.with_properties({"time": PAID_AT})
            dated.import_event("ann", "Paid", insert_id="invoice-17")

    paid()
    works.drain()
    a_day_later(monkeypatch)
    paid()
    works.drain()
    [event] = works.box.events
    assert event["properties"]["$insert_id"] == "invoice-17"
    assert len(works.box.duplicates) == 1
    assert works.letters() == []


def test_two_calls_without_an_insert_id_are_two_events(works, tracker):
    for _ in range(2):
        tracker.track("ann", "Paid", timestamp=PAID_AT)
    works.drain()
    assert len(works.box.events) == 2


@pytest.mark.parametrize("given", [{}, {"ip": "203.0.113.7"}, {"ip": 0}], ids=str)
def test_as_many_own_properties_fit_as_the_guide_says(works, tracker, given):
    for number in (247, 248):
        own = {f"p{one}": one for one in range(number)}
        tracker.track("ann", f"With {number}", own, **given)
    works.drain()
    assert [event["event"] for event in works.box.events] == ["With 247"]
    [letter] = works.letters()
    assert "fewer than 255 properties" in letter.error


def test_an_event_of_nobody_has_an_empty_distinct_id(works, tracker):
    tracker.track(None, "Job Failed")
    tracker.track("", "Job Failed")
    works.drain()
    assert [event["properties"]["distinct_id"] for event in works.box.events] == ["", ""]


def test_a_users_place_and_address_stand_beside_what_is_set(works, tracker):
    with tracker.batch(ip="203.0.113.7"):
        tracker.people.set("ann", {"$latitude": 52.5, "$longitude": 13.4, "Plan": "Basic"})
        tracker.import_event("ann", "Imported", timestamp=PAID_AT)
    works.drain()
    [update], [event] = works.box.updates, works.box.events
    assert update["$set"] == {"Plan": "Basic"}
    assert (update["$latitude"], update["$longitude"]) == (52.5, 13.4)
    assert update["$ip"] == event["properties"]["ip"] == "203.0.113.7"


def test_an_update_of_several_operations_does_all_of_them(works, tracker):
    tracker.people.increment("ann", {"Visits": 2})
    tracker.people.update(
        {"$distinct_id": "ann", "$set": {"Plan": "Basic"}, "$add": {"Visits": 1}},
        meta={"$ignore_time": True},
    )
    tracker.groups.update({"$group_key": "Company", "$group_id": "Acme", "$union": {"Tags": "a"}})
    works.drain()
    assert works.box.profiles["ann"].items() >= {"Plan": "Basic", "Visits": 3}.items()
    assert works.box.groups["Company", "Acme"]["Tags"] == ["a"]
    assert works.letters() == []
