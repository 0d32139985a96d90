"""Where each message goes, and as whom."""

import json

import pytest

from mixrelay.shared.mixpanel.endpoints import Endpoint, base_address
from mixrelay.shared.queue import Lane
from mixrelay.shared.settings import Settings
from mixrelay.shared.tuples import Kind, read, write
from mixrelay.worker.deliver.prepare import TRACK_MARGIN_MS, Preparation
from mixrelay.worker.drain.session import own_destinations
from tests.support.records import ACCOUNT, DAY, FULL, NOW, RECEIVED, TOKEN, event, goes

TRACK, IMPORT = Endpoint.TRACK, Endpoint.IMPORT
OLD = {"time": NOW - 6 * DAY}
IDENTIFY = {"$identified_id": "u", "$anon_id": "a"}
ALIAS = {"distinct_id": "u", "alias": "a"}
MERGE = {"$distinct_ids": ["a", "b"]}
LANES = [Lane.EVENT, Lane.IMPORT, Lane.PROFILE_UPDATE, Lane.GROUP_UPDATE]
SERVICE = {
    "service_account_username": ACCOUNT.username,
    "service_account_secret": ACCOUNT.password,
    "project_id": ACCOUNT.project_id,
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # An event: the account where it may serve the record, else its key, else its token.
        ({}, (IMPORT, TOKEN, True, None)),
        ({"account": ACCOUNT}, (IMPORT, "svc-user", True, None)),
        ({"account": ACCOUNT, "without": ["token"]}, (IMPORT, "svc-user", True, None)),
        (
            {"account": ACCOUNT, "properties": {"token": "foreign"}},
            (IMPORT, "foreign", False, None),
        ),
        ({"properties": {"token": "foreign"}}, (IMPORT, "foreign", False, None)),
        ({"token": None}, (IMPORT, TOKEN, True, None)),
        ({"without": ["token"]}, (IMPORT, TOKEN, True, None)),
        ({"properties": {"token": ""}}, (IMPORT, TOKEN, True, None)),
        ({"api_key": "KEY"}, (IMPORT, "KEY", False, None)),
        ({"properties": OLD}, (IMPORT, TOKEN, True, None)),
        ({"without": ["time"], "now": RECEIVED + 6 * DAY}, (IMPORT, TOKEN, True, None)),
        # An import: the same.
        ({"kind": "import", "api_key": "KEY"}, (IMPORT, "KEY", False, None)),
        (
            {"kind": "import", "api_key": "KEY", "account": ACCOUNT},
            (IMPORT, "svc-user", True, None),
        ),
        (
            {
                "kind": "import",
                "api_key": "KEY",
                "account": ACCOUNT,
                "properties": {"token": "foreign"},
            },
            (IMPORT, "KEY", False, None),
        ),
        ({"kind": "import", "api_key": ""}, (IMPORT, TOKEN, True, None)),
        ({"kind": "import", "api_key": TOKEN}, (IMPORT, TOKEN, True, None)),
        ({"kind": "import", "account": ACCOUNT}, (IMPORT, "svc-user", True, None)),
        (
            {"kind": "import", "account": ACCOUNT, "without": ["token"]},
            (IMPORT, "svc-user", True, None),
        ),
        (
            {"kind": "import", "account": ACCOUNT, "properties": {"token": "foreign"}},
            (IMPORT, "foreign", False, None),
        ),
        ({"kind": "import", "without": ["token"]}, (IMPORT, TOKEN, True, None)),
        ({"kind": "import", "properties": OLD}, (IMPORT, TOKEN, True, None)),
        # By MIXRELAY_EVENTS_ENDPOINT=track: by its token, and by /import where it is too old.
        ({"events": TRACK}, (TRACK, TOKEN, True, None)),
        ({"events": TRACK, "account": ACCOUNT}, (TRACK, TOKEN, True, None)),
        ({"events": TRACK, "without": ["token"]}, (TRACK, TOKEN, True, None)),
        ({"events": TRACK, "properties": {"token": "foreign"}}, (TRACK, "foreign", False, None)),
        ({"events": TRACK, "properties": OLD}, (IMPORT, TOKEN, True, Kind.IMPORT)),
        (
            {"events": TRACK, "properties": OLD, "account": ACCOUNT},
            (IMPORT, "svc-user", True, Kind.IMPORT),
        ),
        (
            {"events": TRACK, "properties": OLD | {"token": "foreign"}},
            (IMPORT, "foreign", False, Kind.IMPORT),
        ),
        (
            {"events": TRACK, "without": ["time"], "now": RECEIVED + 6 * DAY},
            (IMPORT, TOKEN, True, Kind.IMPORT),
        ),
        ({"events": TRACK, "kind": "import"}, (IMPORT, TOKEN, True, None)),
        # Identity events, whatever their lane and age.
        (
            {"name": "$identify", "account": ACCOUNT, "properties": IDENTIFY | OLD},
            (TRACK, TOKEN, True, None),
        ),
        (
            {"name": "$create_alias", "kind": "import", "properties": ALIAS},
            (TRACK, TOKEN, True, None),
        ),
        ({"name": "$merge", "properties": MERGE}, (IMPORT, TOKEN, False, None)),
        (
            {"name": "$merge", "kind": "import", "api_key": "KEY", "properties": MERGE},
            (IMPORT, "KEY", False, None),
        ),
        (
            {"name": "$merge", "account": ACCOUNT, "properties": MERGE},
            (IMPORT, "svc-user", True, None),
        ),
    ],
)
def test_an_event_goes_where_its_type_token_and_age_say(options, expected):
    assert goes(event(**options)) == expected


def test_a_merge_by_token_shares_no_request_with_events_and_one_by_the_account_does():
    merge = {"name": "$merge", "properties": MERGE}
    by_token, others = event(**merge).destination, event().destination
    assert by_token.name != others.name
    assert (by_token.url, by_token.authorization) == (others.url, others.authorization)
    assert by_token.is_merges
    assert not others.is_merges
    account = {"account": ACCOUNT}
    assert event(**merge, **account).destination.name == event(**account).destination.name


@pytest.mark.parametrize(
    ("age", "reroute"),
    [
        (5 * DAY - TRACK_MARGIN_MS, None),
        (5 * DAY - TRACK_MARGIN_MS + 1, Kind.IMPORT),
        (5 * DAY, Kind.IMPORT),
    ],
)
def test_an_event_that_might_be_too_old_when_it_arrives_is_rerouted(age, reroute):
    assert event(properties={"time": NOW - age}, events=TRACK).reroute is reroute
    assert event(properties={"time": (NOW - age) / 1000}, events=TRACK).reroute is reroute


def test_imports_by_the_account_name_the_project_and_others_do_not():
    assert "project_id=98765" in event("import", account=ACCOUNT).destination.url
    foreign = event("import", api_key="KEY", account=ACCOUNT, properties={"token": "foreign"})
    assert "project_id" not in foreign.destination.url


def test_records_of_one_identity_share_a_destination_and_others_do_not():
    preparation = Preparation(queue_id="q", base=base_address(), token=TOKEN)
    names = set()
    for token in (TOKEN, TOKEN, "foreign", "other"):
        text = json.dumps({"data": {"event": "E", "properties": FULL | {"token": token}}})
        message = read(write("event", text))
        ready = preparation.prepare(message, number="1", received_ms=NOW, now_ms=NOW)
        names.add(ready.destination)
    assert len(names) == 3


@pytest.mark.parametrize(
    ("given", "endpoints"),
    [
        ({}, [IMPORT, IMPORT, Endpoint.ENGAGE, Endpoint.GROUPS]),
        (SERVICE, [IMPORT, IMPORT, Endpoint.ENGAGE, Endpoint.GROUPS]),
        ({"events_endpoint": "track"}, [TRACK, IMPORT, Endpoint.ENGAGE, Endpoint.GROUPS]),
        (SERVICE | {"events_endpoint": "track"}, [TRACK, IMPORT, Endpoint.ENGAGE, Endpoint.GROUPS]),
    ],
)
def test_a_workers_own_destinations_are_where_its_own_records_go(given, endpoints):
    settings = Settings(token=TOKEN, **given)
    own = own_destinations(settings)
    assert [own[lane].partition(":")[0] for lane in LANES] == endpoints
    ways = {"account": settings.account, "events": Endpoint(settings.events_endpoint)}
    assert own[Lane.EVENT] == event(**ways).destination.name
    assert own[Lane.IMPORT] == event("import", **ways).destination.name


def test_a_worker_without_a_token_has_no_destinations_of_its_own():
    assert own_destinations(Settings()) == {}
