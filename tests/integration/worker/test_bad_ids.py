"""Ids that clients write by mistake, on every endpoint, with a token alone and a service account.

What Mixpanel documents: a list of values that are refused as distinct_id (Import Events), the
empty one for events of nobody (Server-side events with no logged-in user), and ids as texts
(Ingestion API), where numbers are "treated as a string" (Event Deduplication).
"""

from __future__ import annotations

import re
import time
from typing import Any, NamedTuple

import orjson
import pytest

from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue
from tests.support.recorder import Recorder
from tests.support.works import TOKEN, Works, message

ACCOUNT = {
    "project_id": "98765",
    "service_account_username": "robot",
    "service_account_secret": "a-secret",
}
PATIENT = {"deadline": 20.0, "grace": 25.0, "lease": 30.0, "shift": 100.0}
WAYS = {
    "token": {},
    "account": ACCOUNT,
    "token, /track": {"events_endpoint": "track"},
    "account, /track": ACCOUNT | {"events_endpoint": "track"},
}


class Id(NamedTuple):
    """A value, and where Mixpanel takes it: as the id of an event, a profile, a group."""

    value: Any
    taken: str = ""


PLACEHOLDERS = (
    *("00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null", "n/a"),
    *("na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}"),
)
IDS = [
    # Of a group no page names a placeholder.
    *[Id(value, "group") for value in (*PLACEHOLDERS, 0, -1)],
    *[Id(value) for value in (True, False, [], ["u"], [None], {}, {"id": 1})],
    *[Id(value, "event") for value in ("", None)],
    *[
        Id(value, "event profile group")
        for value in ("Anonymous Ltd", "nobody", " null", "00", "-", 1, -2, 12345, 2.5, 2**53, "ü")
    ],
]


def of_event(name: str, value: Any) -> bytes:
    properties = {"token": TOKEN, "distinct_id": value, "time": int(time.time()) - 60}
    return message("event", {"event": name, "properties": properties})


def of_profile(name: str, value: Any) -> bytes:
    return message("people", {"$token": TOKEN, "$distinct_id": value, "$set": {"name": name}})


def of_group(name: str, value: Any) -> bytes:
    record = {"$token": TOKEN, "$group_key": "team", "$group_id": value, "$set": {"name": name}}
    return message("groups", record)


KINDS = {"event": of_event, "profile": of_profile, "group": of_group}


@pytest.mark.parametrize("way", WAYS)
def test_none_is_sent_that_mixpanel_refuses_and_none_refused_that_it_takes(
    redis_url: str, queue: Queue, works: Works, way: str
) -> None:
    cases = {f"id-{kind}-{n}-": (kind, one) for kind in KINDS for n, one in enumerate(IDS)}
    options = Options(tokens=[TOKEN], **ACCOUNT)
    with Sandbox(options) as box, Recorder(box.url) as recorder:
        works.push(*[KINDS[kind](name, one.value) for name, (kind, one) in cases.items()])
        works.drain(
            to=works.settings(api_host=recorder.url, prove_tokens=False, **WAYS[way]),
            seconds=90,
            **PATIENT,
        )
        sent = {name_in(text) for request in recorder.requests for text in request.texts}
        dead = {name_in(letter.payload.decode()): letter for letter in works.letters()}
        targets = {request.target.split("?")[0] for request in recorder.requests}
        silent = [drop for drop in box.dropped if drop.silent]

    should = {name for name, (kind, one) in cases.items() if kind in one.taken.split()}
    assert sent == should
    assert dead.keys() == cases.keys() - should
    assert {letter.reason for letter in dead.values()} == {"invalid"}
    assert {letter.field for letter in dead.values()} == {
        *("properties.distinct_id", "$distinct_id", "$group_id")
    }
    assert all(letter.status is None or letter.status == 0 for letter in dead.values())
    assert silent == []
    events = "/track" if "/track" in way else "/import"
    assert targets == {events, "/engage", "/groups"}
    print(f"{way}: {len(IDS)} ids x {len(KINDS)}: {len(sent)} sent, {len(dead)} dead letters")


def name_in(text: str) -> str:
    found = re.search(r"id-[a-z]+-\d+-", text)
    assert found is not None, text
    return found[0]


def merge(first: str) -> bytes:
    properties = {"token": TOKEN, "$distinct_ids": [first, "b"]}
    return message("event", {"event": "$merge", "properties": properties})


def test_a_merge_that_is_refused_by_token_is_a_letter_of_its_own_and_nothing_else_suffers(
    works: Works,
) -> None:
    """Mixpanel documents a service account for $merge, and a token for events."""
    with Recorder(works.box.url) as recorder:
        recorder.refuse = lambda came: (
            (401, {"code": 401, "error": "Invalid credentials"}) if b"$merge" in came.body else None
        )
        mixed = [[of_event(f"id-event-{n}-", "u"), merge(f"a{n}")] for n in range(20)]
        works.push(*[one for pair in mixed for one in pair])
        works.drain(to=works.settings(api_host=recorder.url), seconds=90, **PATIENT)

    assert len(works.box.events) == 20
    assert works.reasons() == ["unauthorized"] * 20
    said = works.letters()[0].error
    assert "needs a service account" in said
    assert "MIXPANEL_SERVICE_ACCOUNT_USERNAME" in said
    assert works.books.paused == ()
    refused = [one for one in recorder.requests if one.status == 401]
    assert len(refused) <= 3, "refused together, not one by one"
    assert all(len(one.texts) == one.body.count(b"$merge") for one in refused)
    assert works.books.difference == 0


def test_an_account_serves_merges_and_events_in_one_request(works: Works) -> None:
    with Recorder(works.box.url) as recorder:
        works.push(merge("a"), of_event("id-event-1-", "u"))
        works.drain(to=works.settings(api_host=recorder.url, **ACCOUNT), seconds=90, **PATIENT)
    (request,) = recorder.requests
    assert [orjson.loads(text)["event"] for text in request.texts] == ["$merge", "id-event-1-"]
    assert request.who == "robot"


def test_a_worker_with_an_account_and_no_token_does_not_start(works: Works) -> None:
    environ = {
        "MIXPANEL_TOKEN": "",
        "MIXPANEL_PROJECT_ID": "98765",
        "MIXPANEL_SERVICE_ACCOUNT_USERNAME": "robot",
        "MIXPANEL_SERVICE_ACCOUNT_SECRET": "a-secret",
    }
    works.push(of_event("id-event-1-", "u"))
    running = works.start("--burst", **environ)
    assert running.exit_code(60) != 0
    assert "MIXPANEL_TOKEN is not set" in running.log
    assert "set MIXPANEL_TOKEN to the token of the project in MIXPANEL_PROJECT_ID" in running.log
    assert works.books.waiting == 1
