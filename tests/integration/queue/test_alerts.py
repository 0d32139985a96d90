"""Any number of watchers: each alert is told once when it begins and once when it ends."""

from datetime import UTC, datetime, timedelta

import pytest

from mixrelay.shared.queue.stats import alerts as module
from tests.support.patience import Deadline


@pytest.fixture
def alerts(queue):
    return queue.alerts


def announced(alerts, name="oldest", watcher="ann"):
    assert alerts.begin(name, watcher, "text")
    alerts.told(name, watcher)


def test_one_of_two_watchers_is_to_tell_that_it_begins(alerts):
    found = alerts.begin("oldest", "ann", "five minutes")
    assert found.text == "five minutes"
    assert abs(found.since - datetime.now(UTC)) < timedelta(seconds=30)
    assert alerts.begin("oldest", "bob", "six minutes") is None
    alerts.told("oldest", "ann")
    assert alerts.begin("oldest", "ann", "") is None
    assert alerts.begin("oldest", "bob", "") is None
    assert alerts.names() == ["oldest"]


def test_one_of_two_watchers_is_to_tell_that_it_ends_and_then_it_is_forgotten(alerts):
    announced(alerts)
    found = alerts.end("oldest", "bob")
    assert found.text == "text"
    assert alerts.end("oldest", "ann") is None
    alerts.told("oldest", "bob")
    assert alerts.names() == []
    assert alerts.end("oldest", "ann") is None


def test_who_could_not_tell_is_to_tell_again(alerts):
    first = alerts.begin("oldest", "ann", "text")
    assert alerts.begin("oldest", "ann", "other") == first
    alerts.told("oldest", "ann")
    assert alerts.end("oldest", "ann") == alerts.end("oldest", "ann") == first


def test_what_a_dead_watcher_did_not_tell_is_anothers_to_tell(alerts, monkeypatch):
    monkeypatch.setattr(module, "CLAIM_SECONDS", 0.05)
    first = alerts.begin("oldest", "ann", "text")
    deadline = Deadline(5)
    while (found := alerts.begin("oldest", "bob", "text")) is None:
        assert not deadline.is_over()
    assert found == first
    alerts.told("oldest", "ann")  # too late: it is bob's
    assert alerts.begin("oldest", "bob", "text") == first


def test_of_what_nobody_was_told_no_end_is_told(alerts):
    alerts.begin("oldest", "ann", "text")
    assert alerts.end("oldest", "ann") is None
    assert alerts.names() == []


def test_while_one_tells_nobody_changes_what_is_told(alerts):
    alerts.begin("oldest", "ann", "text")
    assert alerts.end("oldest", "bob") is None
    alerts.told("oldest", "ann")
    assert alerts.end("oldest", "ann")
    assert alerts.begin("oldest", "bob", "text") is None
    alerts.told("oldest", "ann")
    assert alerts.names() == []
    assert alerts.begin("oldest", "bob", "text")


def test_what_is_back_before_its_end_was_told_goes_on_in_silence(alerts):
    announced(alerts)
    alerts.end("oldest", "ann")
    assert alerts.begin("oldest", "ann", "text") is None
    assert alerts.end("oldest", "bob").text == "text"


def test_alerts_know_nothing_of_each_other(alerts):
    announced(alerts, "paused:größe:{x}")
    assert alerts.begin("oldest", "bob", "")
    assert alerts.names() == ["oldest", "paused:größe:{x}"]
