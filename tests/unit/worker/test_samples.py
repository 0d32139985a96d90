"""Every tuple that Mixpanel's Ruby library writes, through reading and preparing."""

import json
from pathlib import Path

import orjson
import pytest

from mixrelay.shared.mixpanel.endpoints import Credentials, Endpoint, base_address
from mixrelay.shared.tuples import read, split
from mixrelay.worker.deliver.prepare import Preparation, Ready, Refused

DATA = Path(__file__).parents[2] / "data"
NOW = 1_795_520_500_000
TOKEN = "00112233445566778899aabbccddeeff"
ACCOUNT = Credentials.service_account("svc-user", "svc-secret", "98765")

REFUSED = {
    14: ("properties.time", "a time given as Ruby's Time, written as text"),
    26: ("event", "an empty event name"),
    27: ("properties.x", "lists nested 95 deep"),
    28: ("properties", "260 properties"),
}
"""Line of the newest library's samples: the field, and what its call was."""

REROUTED = {12, 13, 15}
"""Events with a time of their own, years old: for /import."""


def prepared(name, account, events=Endpoint.IMPORT):
    preparation = Preparation(
        queue_id="q", base=base_address(), token=TOKEN, account=account, events=events
    )
    for line, payload in enumerate((DATA / name).read_bytes().splitlines(), start=1):
        for part, one in enumerate(split(payload), start=1):
            message = read(one)
            yield (
                line,
                message,
                preparation.prepare(
                    message, number=f"{line}.{part}", received_ms=NOW - 1_000, now_ms=NOW
                ),
            )


@pytest.mark.parametrize("account", [None, ACCOUNT])
def test_of_the_newest_library_these_four_are_refused_and_98_are_sent(account):
    outcomes = list(prepared("mixpanel-ruby.jsonl", account))
    refused = {line: out.field for line, _, out in outcomes if isinstance(out, Refused)}
    assert refused == {line: field for line, (field, _) in REFUSED.items()}
    assert len(outcomes) - len(refused) == 94


@pytest.mark.parametrize("account", [None, ACCOUNT])
def test_of_the_old_versions_every_one_is_sent(account):
    outcomes = [out for _, _, out in prepared("mixpanel-ruby-old-versions.jsonl", account)]
    assert len(outcomes) == 22
    assert all(isinstance(out, Ready) for out in outcomes)


def test_old_events_are_rerouted_to_the_import_lane_where_events_go_by_track():
    rerouted = {
        line
        for line, _, out in prepared("mixpanel-ruby.jsonl", None, Endpoint.TRACK)
        if isinstance(out, Ready) and out.reroute
    }
    assert rerouted == REROUTED


@pytest.mark.parametrize("name", ["mixpanel-ruby.jsonl", "mixpanel-ruby-old-versions.jsonl"])
def test_every_value_but_a_null_user_arrives_as_written_down_to_the_digits(name):
    def exactly(text):
        return json.loads(text, parse_int=str, parse_float=str)

    for _, message, out in prepared(name, None):
        if isinstance(out, Refused):
            continue
        wanted, result = exactly(message.text), exactly(out.body)
        if "properties" in wanted:
            if wanted["properties"].get("distinct_id", "") is None:
                wanted["properties"]["distinct_id"] = ""
            added = set(result["properties"]) - set(wanted["properties"])
            assert added <= {"$insert_id", "ip", "distinct_id"}
            result["properties"] = {
                key: value for key, value in result["properties"].items() if key not in added
            }
        assert result == wanted


def test_no_two_events_are_made_one():
    ids = [
        orjson.loads(out.body)["properties"]["$insert_id"]
        for _, _, out in prepared("mixpanel-ruby.jsonl", None)
        if isinstance(out, Ready) and b'"properties"' in out.body
    ]
    assert len(ids) == len(set(ids))
