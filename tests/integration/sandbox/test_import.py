import time
from collections.abc import Callable
from typing import Any

import pytest

from mixrelay.sandbox import Options
from mixrelay.sandbox.options import DOCUMENTED_BODY_BYTES

ACCOUNT = {
    "service_account_username": "svc.user",
    "service_account_secret": "svc-secret",
    "project_id": "98765",
}


def test_import_takes_the_valid_events_and_names_the_others(client, event) -> None:
    good = event()
    late = event(time=int(time.time()) + 3_700, **{"$insert_id": "late"})

    answer = client.strict(late, good, "no event")

    assert answer.status_code == 400
    assert answer.json() == {
        "code": 400,
        "error": "some data points in the request failed validation",
        "status": "Bad Request",
        "num_records_imported": 1,
        "failed_records": [
            {
                "index": 0,
                "insert_id": "late",
                "field": "properties.time",
                "message": "'properties.time' is invalid: "
                "must not be more than 1 hour in the future",
            },
            {
                "index": 2,
                "insert_id": "",
                "field": "event",
                "message": "'event' is invalid: must be a JSON object with event and properties",
            },
        ],
    }
    assert client.sandbox.events == [good]
    assert [drop.silent for drop in client.sandbox.dropped] == [False, False]


def test_import_answers_how_many_it_took(client, event) -> None:
    answer = client.strict(event(), event(**{"$insert_id": "two"}))

    assert answer.status_code == 200
    assert answer.json() == {"code": 200, "num_records_imported": 2, "status": "OK"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", ...),
        ("time", "1618716477"),
        ("time", 31_535_999),
        ("distinct_id", ...),
        ("distinct_id", None),
        ("distinct_id", []),
        *(("distinct_id", word) for word in ("anonymous", "null", "n/a", "0", "-1", "{}", 0, -1)),
        ("$insert_id", ...),
        ("$insert_id", ""),
        ("$insert_id", 5),
        ("$insert_id", "x" * 37),
        ("$insert_id", "under_score"),
        ("$insert_id", "ümlaut"),
        ("$insert_id", "undefined"),
    ],
)
def test_strict_import_refuses_an_event_by_the_field(client, event, field, value) -> None:
    answer = client.strict(event(**{field: value}))

    assert answer.status_code == 400
    (failed,) = answer.json()["failed_records"]
    assert failed["field"] == f"properties.{field}"
    assert client.sandbox.events == []


@pytest.mark.parametrize(
    "properties",
    [
        {"time": 31_536_000},
        {"time": 31_536_000_000},
        {"time": 1_310_111_365.25},
        {"distinct_id": ""},
        {"distinct_id": 12345},
        {"distinct_id": ..., "$user_id": "u"},
        {"distinct_id": ..., "$device_id": "d"},
        {"$insert_id": "A-z-0-9" + "x" * 29},
    ],
    ids=repr,
)
def test_strict_import_takes_what_is_documented(client, event, properties) -> None:
    sent = event(**properties)

    assert client.strict(sent).status_code == 200
    assert client.sandbox.events == [sent]


def test_import_without_validation_drops_in_silence(client, event) -> None:
    sent = [event(time=...), event(**{"$insert_id": ...})]

    answer = client.post("/import?strict=0", sent, auth=("t", ""))

    assert answer.json() == {"code": 200, "num_records_imported": 1, "status": "OK"}
    assert client.sandbox.events == sent[1:]
    assert client.sandbox.dropped[0].silent


def test_a_record_of_1_mb_is_named_and_its_neighbours_are_taken(client, event) -> None:
    large, small = event(text="x" * 1_000_000), event()

    answer = client.strict(large, small)

    assert [failed["index"] for failed in answer.json()["failed_records"]] == [0]
    assert client.sandbox.events == [small]


@pytest.mark.parametrize("path", ["/track", "/import?strict=1", "/engage", "/groups"])
def test_more_than_2000_records_are_413_everywhere(client, path) -> None:
    answer = client.post(path, [{}] * 2_001, auth=("t", ""))

    assert answer.status_code == 413
    assert answer.json() == {
        "code": 413,
        "error": "request exceeds max limit of 2000 records",
        "status": "Request Entity Too Large",
    }
    assert client.sandbox.dropped == []


def test_a_body_over_the_limit_is_413_in_the_documented_shape(client, client_of, event) -> None:
    sent = [event(text="x" * 700_000, **{"$insert_id": f"id-{n}"}) for n in range(3)]

    answer = client.strict(*sent)
    assert answer.status_code == 413
    assert answer.json() == {
        "code": 413,
        "error": "request exceeds max limit of 2097152 bytes",
        "status": "Request Entity Too Large",
    }
    assert client.sandbox.events == []

    roomy = client_of(Options(max_body_bytes=2 * DOCUMENTED_BODY_BYTES))
    assert roomy.strict(*sent).status_code == 200


Post = Callable[[dict[str, Any]], int]


@pytest.fixture
def post(client_of, event) -> Post:
    """Posts an event to a sandbox that knows credentials of each kind."""
    client = client_of(Options(tokens=["tok"], api_secrets=["sec"], **ACCOUNT))

    def status(how: dict[str, Any]) -> int:
        return client.post("/import", event(), **how).status_code

    return status


@pytest.mark.parametrize(
    "how",
    [
        {"auth": ("svc.user", "svc-secret"), "params": {"project_id": "98765"}},
        {"auth": ("tok", "")},
        {"auth": ("sec", "")},
        {"params": {"api_key": "sec"}},
    ],
    ids=repr,
)
def test_import_takes_each_kind_of_credentials(post: Post, how) -> None:
    assert post(how) == 200


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"auth": ("svc.user", "svc-secret")},
        {"auth": ("svc.user", "svc-secret"), "params": {"project_id": "1"}},
        {"auth": ("svc.user", "wrong"), "params": {"project_id": "98765"}},
        {"auth": ("svc.user", ""), "params": {"project_id": "98765"}},
        {"auth": ("tok", "svc-secret"), "params": {"project_id": "98765"}},
        {"auth": ("tok", ""), "params": {"project_id": "98765"}},
        {"auth": ("another", "")},
        {"params": {"api_key": "another"}},
        {"headers": {"Authorization": "Basic !!!"}},
    ],
    ids=repr,
)
def test_import_answers_401_to_other_credentials(post: Post, how) -> None:
    assert post(how) == 401


def test_without_configured_credentials_any_but_none_will_do(client, event) -> None:
    assert client.post("/import?strict=1", event(), auth=("any", "")).status_code == 200
    assert client.post("/import?strict=1", event(), auth=("any", "thing")).status_code == 200
    assert client.post("/import?strict=1&api_key=k", event()).status_code == 200

    refused = client.post("/import?strict=1", event())
    assert refused.status_code == 401
    assert refused.json() == {
        "code": 401,
        "error": "Invalid credentials",
        "status": "Unauthorized",
    }
    kinds = [request.credentials for request in client.sandbox.requests]
    assert kinds == ["token", "service_account", "api_key", None]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"service_account_username": "svc.user"}, "give all or none"),
        ({"tokens": "tok"}, "are lists"),
        ({"api_secrets": "sec"}, "are lists"),
        ({"keep": 0}, "at least 1"),
    ],
    ids=repr,
)
def test_options_that_make_no_sense_are_refused_at_the_start(given, message) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Options(**given)


def test_options_do_not_show_secrets() -> None:
    shown = repr(Options(api_secrets=["sec-1"], **ACCOUNT))

    assert "svc-secret" not in shown
    assert "sec-1" not in shown
