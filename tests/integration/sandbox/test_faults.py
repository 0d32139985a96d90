import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from mixrelay.sandbox.faults import KINDS

ERRORS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def test_a_fault_holds_for_its_count_after_those_it_lets_pass(client, event) -> None:
    client.sandbox.fault("status", status=429, count=2, after=1)

    statuses = [client.post("/track", event()).status_code for _ in range(5)]

    assert statuses == [200, 429, 429, 200, 200]


def test_faults_of_one_endpoint_leave_the_others_alone(client, event, update) -> None:
    client.sandbox.fault("status", endpoint="/track")

    assert client.post("/track", event()).status_code == 503
    assert client.post("/engage", update(set={"a": 1})).status_code == 200
    client.sandbox.clear_faults()
    assert client.post("/track", event()).status_code == 200


def test_faults_follow_each_other_in_the_order_they_were_made(client, event) -> None:
    for status in (500, 502, 503):
        client.sandbox.fault("status", status=status, count=1)

    statuses = [client.post("/track", event()).status_code for _ in range(4)]

    assert statuses == [500, 502, 503, 200]


def test_a_seed_repeats_the_choice_by_probability(client, event) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    runs = []
    for _ in range(2):
        number = client.sandbox.fault("status", probability=0.5, seed=seed)
        runs.append([client.post("/track", event()).status_code for _ in range(30)])
        client.sandbox.clear_faults(number)

    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


@pytest.mark.parametrize("wanted", [0, -1, 1e9, "Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
def test_retry_after_is_written_as_given(client, event, wanted) -> None:
    client.sandbox.fault("status", status=429, retry_after=wanted, body="slow down")

    answer = client.post("/track", event())

    assert answer.headers["Retry-After"] == str(wanted)
    assert answer.text == "slow down"


def test_a_reset_before_keeps_nothing(client, event) -> None:
    client.sandbox.fault("reset_before", count=1)

    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        client.post("/track", event())

    assert client.sandbox.events == []
    (request,) = client.sandbox.requests
    assert (request.status, request.fault, request.accepted) == (None, "reset_before", 0)


def test_a_reset_after_keeps_the_records(client, event) -> None:
    client.sandbox.fault("reset_after", count=1)
    sent = event()

    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        client.post("/track", sent)

    assert client.sandbox.events == [sent]
    assert client.post("/track", sent).text == "1"
    assert len(client.sandbox.duplicates) == 1


@pytest.mark.parametrize("take", [False, True])
def test_a_hang_takes_the_records_if_told_to(client, event, take) -> None:
    client.sandbox.fault("hang", seconds=0.2, take=take)
    began = time.monotonic()

    with pytest.raises(requests.ConnectionError):
        client.post("/track", event())

    assert time.monotonic() - began >= 0.2
    assert len(client.sandbox.events) == take


def test_a_trickle_sends_the_real_answer_slowly(client, event) -> None:
    client.sandbox.fault("trickle", seconds=0.02)
    began = time.monotonic()

    answer = client.post("/track?verbose=1", event())

    assert answer.json() == {"status": 1, "error": None}
    assert time.monotonic() - began >= 0.02 * (len(answer.text) - 1)
    assert len(client.sandbox.events) == 1


@pytest.mark.parametrize("kind", ["trickle", "huge"])
def test_a_client_that_leaves_in_the_middle_of_an_answer_is_no_error(
    client, event, caplog, kind
) -> None:
    client.sandbox.fault(kind, count=1, seconds=0.001)
    with client.post("/track?verbose=1", event(), stream=True) as answer:
        assert answer.raw.read(1)
    client.session.close()

    assert client.post("/track", event()).text == "1"
    client.sandbox.stop()
    assert [record.message for record in caplog.records] == []


def test_latency_delays_and_lets_other_faults_go_on(client, event) -> None:
    client.sandbox.fault("latency", seconds=0.1)
    client.sandbox.fault("status", status=500, count=1)
    began = time.monotonic()

    assert client.post("/track", event()).status_code == 500
    assert client.post("/track", event()).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_requests_that_are_delayed_do_not_wait_for_each_other(client, event) -> None:
    client.sandbox.fault("latency", seconds=3)

    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(post_alone, client, event()) for _ in range(8)]
        client.sandbox.wait_for(lambda sandbox: sandbox.state["faults"][0]["fired"] == 8)
        assert not client.sandbox.requests, "all are held at once"

    assert [answer.result(0) for answer in answers] == [200] * 8


def post_alone(client, sent) -> int:
    return requests.post(client.sandbox.url + "/track", json=sent, timeout=10).status_code


def test_a_proxy_page_and_an_empty_body_are_200_and_keep_nothing(client, event) -> None:
    client.sandbox.fault("html", count=1)
    client.sandbox.fault("empty", count=1)

    page, empty = client.post("/track", event()), client.post("/track", event())

    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>" in page.text
    assert (empty.status_code, empty.content) == (200, b"")
    assert client.sandbox.events == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_points_where_it_was_told(client, event, status) -> None:
    client.sandbox.fault("redirect", status=status, location="http://elsewhere.invalid/x")

    answer = client.post("/track", event())

    assert answer.status_code == status
    assert answer.headers["Location"] == "http://elsewhere.invalid/x"


def test_a_truncated_answer_promises_more_than_it_sends(client, event) -> None:
    client.sandbox.fault("truncate")

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.post("/track", event())

    assert len(client.sandbox.events) == 1


def test_a_huge_answer_has_no_end(client, event) -> None:
    client.sandbox.fault("huge", count=1)

    with client.post("/track", event(), stream=True) as answer:
        read = 0
        for chunk in answer.iter_content(65_536):
            read += len(chunk)
            if read > 20_000_000:
                break

    assert read > 20_000_000
    assert client.post("/track", event()).text == "1"


def test_unauthorized_answers_as_mixpanel_does(client, event) -> None:
    client.sandbox.fault("unauthorized")

    answer = client.strict(event())

    assert answer.status_code == 401
    assert answer.json()["error"] == "Invalid credentials"


@pytest.mark.parametrize(
    ("kind", "match", "status"),
    [("reject_token", "bad", 400), ("reject_distinct_id", "7", 400), ("fail_matching", "7", 500)],
)
def test_a_culprit_spoils_its_whole_request_without_being_named(
    client, event, kind, match, status
) -> None:
    client.sandbox.fault(kind, match=match)
    culprit = event(token="bad", distinct_id=7)
    others = [event(**{"$insert_id": str(n)}) for n in range(1, 4)]

    spoilt = client.strict(*others, culprit)

    assert spoilt.status_code == status
    assert "failed_records" not in spoilt.json()
    assert client.sandbox.events == []
    assert client.strict(*others).status_code == 200
    bad_update = {"$token": "bad", "$distinct_id": 7, "$set": {"a": 1}}
    assert client.post("/engage", [bad_update]).status_code == status


def test_the_control_api_makes_lists_and_clears_faults(client, event) -> None:
    told = [{"kind": "status", "status": 418, "count": 1}, {"kind": "empty", "endpoint": "/groups"}]

    made = client.post("/_sandbox/faults", told)

    assert made.status_code == 201
    first, second = made.json()["ids"]
    assert client.post("/track", event()).status_code == 418
    listed = client.get("/_sandbox/faults").json()["faults"]
    assert [(rule["id"], rule["fired"], rule["active"]) for rule in listed] == [
        (first, 1, False),
        (second, 0, True),
    ]
    url = f"{client.sandbox.url}/_sandbox/faults"
    assert client.session.delete(url, params={"id": second}, timeout=10).json() == {"cleared": 1}
    assert client.session.delete(url, timeout=10).json() == {"cleared": 1}
    assert client.sandbox.state["faults"] == []


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"kind": "flood"}, "There is no fault 'flood'"),
        ({"kind": "status", "code": 500}, "Unknown: code"),
        ({"kind": "status", "status": 99}, "status cannot be 99"),
        ({"kind": "status", "count": 0}, "count cannot be 0"),
        ({"kind": "status", "probability": 2}, "probability cannot be 2"),
        ({"kind": "status", "endpoint": "track"}, "endpoint is one of"),
        ({"kind": "hang", "seconds": "1"}, "seconds cannot be '1'"),
        ({"kind": "fail_matching"}, "match cannot be None"),
        (5, "A fault is a JSON object"),
    ],
    ids=repr,
)
def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(client, told, message) -> None:
    refused = client.post("/_sandbox/faults", told)

    assert refused.status_code == 400
    assert message in refused.json()["error"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_spends_itself_and_the_next_request_is_answered(client, event, kind) -> None:
    match = {"match": "user-1"} if KINDS[kind].looks_for else {}
    if kind == "reject_token":
        match = {"match": "project-token"}
    client.sandbox.fault(kind, count=1, seconds=0.01, **match)

    try:
        with client.post("/track", event(), stream=True, timeout=5):
            pass
    except ERRORS as error:
        print(f"as it should: {error}")

    assert client.post("/track", event()).text == "1"
    assert [request.fault for request in client.sandbox.requests] in ([kind, None], [None, None])
