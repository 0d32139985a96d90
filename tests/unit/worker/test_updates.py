"""Updates of profiles and groups, before they are sent."""

import pytest

from mixrelay.shared.mixpanel.endpoints import Endpoint
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.worker.deliver.prepare import Refused
from tests.support.records import ACCOUNT, TOKEN, event, goes, prepare, sent

PROFILE = {"$token": TOKEN, "$distinct_id": "12345"}
GROUP = {"$token": TOKEN, "$group_key": "Company", "$group_id": 13254}


@pytest.mark.parametrize(
    ("kind", "record", "endpoint"),
    [
        ("profile_update", PROFILE | {"$set": {"a": 1}, "$ip": 0}, Endpoint.ENGAGE),
        ("group_update", GROUP | {"$set": {"a": 1}}, Endpoint.GROUPS),
    ],
)
def test_an_update_goes_as_it_is_by_its_token(kind, record, endpoint):
    ready = prepare(kind, record, account=ACCOUNT)
    assert goes(ready) == (endpoint, TOKEN, True, None)
    assert sent(ready) == record
    foreign = prepare(kind, record | {"$token": "foreign"})
    assert goes(foreign) == (endpoint, "foreign", False, None)


@pytest.mark.parametrize(
    ("update", "doubtful"),
    [
        ({"$add": {"n": 1}}, True),
        ({"$append": {"$transactions": {"$amount": "0.305e2"}}}, True),
        ({"$set": {"a": 1}, "$add": {"n": 1}}, True),
        ({"$set": {"$transactions": []}}, False),
        ({"$set_once": {"a": 1}}, False),
        ({"$union": {"a": [1]}}, False),
        ({"$remove": {"a": 1}}, False),
        ({"$unset": "a text, as Python writes it"}, False),
        ({"$delete": ""}, False),
    ],
)
def test_what_counts_twice_when_sent_twice_is_doubtful(update, doubtful):
    assert prepare("profile_update", PROFILE | update).doubtful is doubtful
    assert prepare("group_update", GROUP | update).doubtful is doubtful


def test_events_are_never_doubtful():
    assert event().doubtful is False


def test_updates_of_one_profile_are_known_by_it():
    def profile(kind, record, **change):
        return prepare(kind, record | {"$set": {}} | change).profile

    one = profile("profile_update", PROFILE)
    assert one == profile("profile_update", PROFILE, **{"$distinct_id": 12345})
    others = {
        one,
        profile("profile_update", PROFILE, **{"$distinct_id": "1"}),
        profile("profile_update", PROFILE, **{"$token": "t"}),
        profile("group_update", GROUP),
        profile("group_update", GROUP, **{"$group_key": "Team"}),
        profile("group_update", GROUP, **{"$group_id": "Acme"}),
    }
    assert len(others) == 6
    assert event().profile is None


def test_a_time_in_text_of_an_update_is_sent_as_a_number():
    ready = prepare("profile_update", PROFILE | {"$set": {}, "$time": "1795520420.50"})
    assert '"$time": 1795520420.50' in ready.body.decode()


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"$token": TOKEN, "$set": {}}, "$distinct_id"),
        (PROFILE, ""),
        (PROFILE | {"$set": {}, "$token": None}, "$token"),
        (PROFILE | {"$set": {}, "$time": "yesterday"}, "$time"),
    ],
)
def test_an_update_that_breaks_a_rule_is_refused(record, field):
    refused = prepare("profile_update", record)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.field) == (Reason.INVALID, field)


def test_an_update_over_a_megabyte_is_too_large():
    refused = prepare("profile_update", PROFILE | {"$set": {"a": "x" * 1_000_000}})
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.TOO_LARGE
