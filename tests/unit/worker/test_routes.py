"""Where each message goes, and as whom."""

import json

import pytest

from mixrelay.shared.mixpanel.endpoints import Endpoint, base_address
from mixrelay.shared.tuples import Kind, read, write
from mixrelay.worker.records import TRACK_MARGIN_MS, Preparation
from tests.support.records import ACCOUNT, DAY, FULL, NOW, RECEIVED, TOKEN, event, goes

TRACK, IMPORT = Endpoint.TRACK, Endpoint.IMPORT
OLD = {"time": NOW - 6 * DAY}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # An event: /track by its token, /import by the account where that may serve it.
        ({}, (TRACK, TOKEN, True, None)),
        ({"account": ACCOUNT}, (IMPORT, "svc-user", True, None)),
        ({"account": ACCOUNT, "without": ["token"]}, (IMPORT, "svc-user", True, None)),
        (
            {"account": ACCOUNT, "properties": {"token": "foreign"}},
            (TRACK, "foreign", False, None),
        ),
        ({"properties": {"token": "foreign"}}, (TRACK, "foreign", False, None)),
        ({"token": None}, (TRACK, TOKEN, True, None)),
        ({"token": None, "account": ACCOUNT}, (TRACK, TOKEN, True, None)),
        # An event too old for /track: the import lane, by its own token.
        ({"properties": OLD}, (IMPORT, TOKEN, True, Kind.IMPORT)),
        ({"properties": OLD, "account": ACCOUNT}, (IMPORT, "svc-user", True, None)),
        ({"properties": OLD | {"token": "foreign"}}, (IMPORT, "foreign", False, Kind.IMPORT)),
        ({"without": ["time"], "now": RECEIVED + 6 * DAY}, (IMPORT, TOKEN, True, Kind.IMPORT)),
        # An import: its own key, else the account, else its token.
        ({"kind": "import", "api_key": "KEY"}, (IMPORT, "KEY", False, None)),
        ({"kind": "import", "api_key": "KEY", "account": ACCOUNT}, (IMPORT, "KEY", False, None)),
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
        # Identity events, whatever their lane and age.
        ({"name": "$identify", "account": ACCOUNT, "properties": OLD}, (TRACK, TOKEN, True, None)),
        ({"name": "$create_alias", "kind": "import"}, (TRACK, TOKEN, True, None)),
        ({"name": "$merge"}, (IMPORT, TOKEN, True, None)),
        ({"name": "$merge", "kind": "import", "api_key": "KEY"}, (IMPORT, "KEY", False, None)),
        ({"name": "$merge", "account": ACCOUNT}, (IMPORT, "svc-user", True, None)),
    ],
)
def test_an_event_goes_where_its_type_token_and_age_say(options, expected):
    assert goes(event(**options)) == expected


@pytest.mark.parametrize(
    ("age", "reroute"),
    [
        (5 * DAY - TRACK_MARGIN_MS, None),
        (5 * DAY - TRACK_MARGIN_MS + 1, Kind.IMPORT),
        (5 * DAY, Kind.IMPORT),
    ],
)
def test_an_event_that_might_be_too_old_when_it_arrives_is_rerouted(age, reroute):
    assert event(properties={"time": NOW - age}).reroute is reroute
    assert event(properties={"time": (NOW - age) / 1000}).reroute is reroute


def test_imports_by_the_account_name_the_project_and_others_do_not():
    assert "project_id=98765" in event("import", account=ACCOUNT).destination.url
    assert "project_id" not in event("import", api_key="KEY", account=ACCOUNT).destination.url


def test_records_of_one_identity_share_a_destination_and_others_do_not():
    preparation = Preparation(queue_id="q", base=base_address(), token=TOKEN)
    names = set()
    for token in (TOKEN, TOKEN, "foreign", "other"):
        text = json.dumps({"data": {"event": "E", "properties": FULL | {"token": token}}})
        message = read(write("event", text))
        ready = preparation.prepare(message, number="1", received_ms=NOW, now_ms=NOW)
        names.add(ready.destination)
    assert len(names) == 3
