"""The sandbox answers as Mixpanel's OpenAPI says that Mixpanel does."""

from __future__ import annotations

import json

import jsonschema
import pytest
import requests

from mixrelay.sandbox import Sandbox
from tests.integration.openapi.specification import Sent, answer_problems

USER = {"token": "t", "time": 1_700_000_000, "distinct_id": "u", "$insert_id": "i-1"}
EVENT = {"event": "E", "properties": USER}
PROFILE = {"$token": "t", "$distinct_id": "u", "$set": {}}
GROUP = {"$token": "t", "$group_key": "k", "$group_id": "g", "$set": {}}
VERBOSE = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {"status": {"enum": [0, 1]}, "error": {"type": ["string", "null"]}},
}
"""Only told in words, at the parameter ``verbose``: "two keys: `status`, with the value 1 on
success and 0 on failure, and `error`, with a string-valued error message"."""


def answered(
    box: Sandbox, target: str, body: object, *, key: str = "", secret: str = ""
) -> tuple[Sent, requests.Response]:
    raw = json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    auth = (key, secret) if key else None
    response = requests.post(box.url + target, data=raw, headers=headers, auth=auth, timeout=10)
    return Sent(target, headers, raw), response


def problems(sent: Sent, response: requests.Response, name: str = "ingestion") -> list[object]:
    return list(
        answer_problems(
            sent,
            response.status_code,
            response.headers["Content-Type"],
            response.content,
            name=name,
        )
    )


@pytest.mark.parametrize(
    ("status", "body", "key"),
    [
        (200, [EVENT], "token"),
        (400, [EVENT, {"event": "E", "properties": {}}, {"event": ""}], "token"),
        (401, [EVENT], ""),
        (413, [EVENT] * 2_001, "token"),
    ],
)
def test_import_answers_in_the_documented_form(mixpanel, status, body, key):
    sent, response = answered(mixpanel, "/import?strict=1", body, key=key)
    assert response.status_code == status
    assert problems(sent, response) == []


@pytest.mark.parametrize(("secret", "status"), [("of-an-account", 200), ("", 401)])
def test_a_merge_is_answered_in_the_documented_form(mixpanel, secret, status):
    # The Identity API lists a service account, a project secret and an OAuth token for it.
    merge = {"event": "$merge", "properties": {"$distinct_ids": ["a", "b"], "token": "t"}}
    sent, response = answered(mixpanel, "/import?strict=1", [merge], key="name", secret=secret)
    assert response.status_code == status
    assert problems(sent, response, "identity") == []


def test_a_rate_limit_is_answered_in_the_documented_form(mixpanel):
    mixpanel.fault("status", status=429)
    sent, response = answered(mixpanel, "/import?strict=1", [EVENT], key="token")
    assert response.status_code == 429
    assert problems(sent, response) == []


@pytest.mark.parametrize(
    ("target", "good", "bad"),
    [
        ("/track", EVENT, {"event": ""}),
        ("/engage", PROFILE, {"$token": "t"}),
        ("/groups", GROUP, {"$token": "t"}),
    ],
)
def test_one_and_zero_are_answered_where_nobody_asks_for_more(mixpanel, target, good, bad):
    for record, text in ((good, "1"), (bad, "0")):
        sent, response = answered(mixpanel, target, [record])
        assert (response.status_code, response.text) == (200, text)
        assert problems(sent, response) == []


@pytest.mark.parametrize(
    ("target", "good", "bad"),
    [
        ("/track?verbose=1", EVENT, {"event": ""}),
        ("/engage?verbose=1&strict=1", PROFILE, {"$token": "t"}),
        ("/groups?verbose=1&strict=1", GROUP, {"$token": "t"}),
    ],
)
def test_verbose_answers_are_the_object_that_the_parameter_describes(mixpanel, target, good, bad):
    for record, status in ((good, 1), (bad, 0)):
        _, response = answered(mixpanel, target, [record])
        assert response.status_code == 200
        jsonschema.validate(response.json(), VERBOSE)
        assert response.json()["status"] == status


def test_an_answer_that_is_not_as_documented_is_noticed():
    """What the other tests stand on: their judge says no."""
    sent = Sent("/import?strict=1", {"content-type": "application/json"}, b"[]")
    good = b'{"code":200,"num_records_imported":1,"status":"OK"}'
    assert answer_problems(sent, 200, "application/json", good) == []
    assert answer_problems(sent, 200, "application/json", good.replace(b"200", b'"200"'))
    assert answer_problems(sent, 200, "text/html", b"<html>")
    assert answer_problems(sent, 418, "application/json", good)
