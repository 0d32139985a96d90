"""Every row of the table of answers."""

import json

import pytest

from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.worker.deliver.verdicts import (
    FAILURES,
    Delivered,
    Misconfigured,
    Partial,
    Retry,
    Short,
    Split,
    TooLarge,
    Unauthorized,
    judge,
)

NOW = 1_795_520_500.0


def verdict(status, body, *, own=True, count=3, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(Answer(status, headers, data), count=count, own=own, now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        {"status": 1, "error": None},
        {"error": None, "num_good_events": 3, "status": 1},
        1,
        {"code": 200, "num_records_imported": 3, "status": "OK"},
        {"code": 200, "num_records_imported": 3, "status": "OK", "failed_records": []},
    ],
)
def test_a_200_that_says_so_is_delivered(body):
    assert verdict(200, body) == Delivered()


def test_records_that_an_answer_does_not_confirm_are_delivered_and_told():
    assert verdict(200, {"code": 200, "num_records_imported": 1}) == Delivered(unconfirmed=2)
    named = {"failed_records": [{"index": 1}], "code": 400}
    assert verdict(400, named | {"num_records_imported": 0}).unconfirmed == 2
    assert verdict(400, named | {"num_records_imported": 2}).unconfirmed == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome to the airport</html>",
        b"ok",
        b"\xff",
        b'{"status": 1',
        {},
        [],
        {"status": "1"},
        {"status": True},
        {"status": "OK"},
        {"code": "200"},
        True,
        2,
        "1",
        None,
    ],
)
def test_a_200_with_another_body_is_no_success_and_counts(body):
    answered = verdict(200, body)
    assert isinstance(answered, Retry)
    assert (answered.counts, answered.ambiguous, answered.status) == (True, True, 200)
    assert answered.said.startswith("not Mixpanel's answer")


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_another_success_is_no_success(status):
    answered = verdict(status, {"status": 1})
    assert isinstance(answered, Retry)
    assert answered.counts


FAILED = {"index": 1, "insert_id": "x", "field": "properties.time", "message": "too old"}


@pytest.mark.parametrize(
    ("status", "rest"),
    [
        (400, {"code": 400, "num_records_imported": 2, "status": "Bad Request"}),
        (200, {"status": 0, "error": "some records failed"}),
        (200, {"code": 200, "status": "OK"}),
    ],
)
def test_named_records_are_invalid_and_the_others_delivered(status, rest):
    answered = verdict(status, rest | {"failed_records": [FAILED]})
    assert isinstance(answered, Partial)
    assert answered.failed == {1: ("properties.time", "too old")}


def test_named_records_may_be_all_doubled_and_without_words():
    named = [{"index": 0}, {"index": 2.0, "message": None}, {"index": 0, "message": "again"}]
    answered = verdict(400, {"failed_records": [*named, FAILED]})
    assert isinstance(answered, Partial)
    assert sorted(answered.failed) == [0, 1, 2]
    assert answered.failed[0] == ("", "")


def test_mixpanels_words_about_a_record_are_escaped_and_cut():
    failed = {"index": 0, "field": "properties.\x1b[31m", "message": "x\n" * 10_000}
    answered = verdict(400, {"failed_records": [failed]})
    assert isinstance(answered, Partial)
    field, message = answered.failed[0]
    assert field == r"properties.\x1b[31m"
    assert message.isprintable()
    assert len(message) < 2_000


@pytest.mark.parametrize(
    "named",
    [
        [FAILED | {"index": 3}],
        [FAILED | {"index": -1}],
        [FAILED, FAILED | {"index": 99}],
        [FAILED | {"index": "1"}],
        [FAILED | {"index": True}],
        [FAILED | {"index": 0.5}],
        [{"message": "no index"}],
        ["1"],
        [None],
        {"1": FAILED},
        "all of them",
        5,
    ],
)
@pytest.mark.parametrize("status", [400, 200])
def test_named_records_that_cannot_be_are_no_proof_that_the_others_were_taken(named, status):
    code = {400: {"code": 400}, 200: {"code": 200}}[status]
    assert isinstance(verdict(status, code | {"failed_records": named}), Split)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"code": 400, "error": "bad", "status": "Bad Request"}),
        (400, {"code": 400, "error": "bad", "failed_records": []}),
        (200, {"status": 0, "error": "bad"}),
        (200, 0),
        (200, {"code": 400, "error": "bad"}),
    ],
)
def test_a_refusal_that_names_no_record_is_split(status, body):
    answered = verdict(status, body)
    assert isinstance(answered, Split)
    assert answered.status == status


def test_a_413_is_too_large():
    body = {"code": 413, "error": "request exceeds max limit of 2097152 bytes"}
    assert verdict(413, body) == TooLarge(413, "request exceeds max limit of 2097152 bytes")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_of_the_worker_are_a_wrong_configuration(status):
    answered = verdict(status, {"error": "Invalid credentials"})
    assert answered == Misconfigured(
        status, f"Mixpanel refuses the credentials ({status}): Invalid credentials"
    )


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_of_a_message_are_that_messages_trouble(status):
    assert verdict(status, {"error": "no"}, own=False) == Unauthorized(status, "no")


@pytest.mark.parametrize("own", [True, False])
def test_a_404_is_a_wrong_configuration_whoever_asks(own):
    answered = verdict(404, b"not here", own=own)
    assert isinstance(answered, Misconfigured)
    assert "check the region" in answered.said


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_a_wrong_configuration(status, own):
    answered = verdict(status, b"", own=own, location="https://elsewhere.example/\r\nx")
    assert isinstance(answered, Misconfigured)
    assert answered.said == (
        rf"a redirect ({status}) to https://elsewhere.example/\r\nx, not followed"
    )


@pytest.mark.parametrize(
    ("status", "ambiguous"), [(408, False), (429, False), (502, True), (503, False), (504, True)]
)
def test_an_outage_is_retried_for_as_long_as_it_takes(status, ambiguous):
    body = {"code": status, "error": "later"}
    assert verdict(status, body) == Retry(
        counts=False, ambiguous=ambiguous, said="later", status=status
    )


def test_a_servers_wish_to_wait_is_passed_on():
    answered = verdict(429, b"", **{"retry-after": "1000000000"})
    assert isinstance(answered, Retry)
    assert answered.retry_after == 300.0


PAGES = [
    b"",
    b"<html><h1>400 Bad Request</h1><center>nginx</center></html>",
    b"Access denied",
    {"message": "Forbidden"},
    {},
    [],
    None,
    "error",
    b'{"error": "cut',
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("status", [400, 403])
def test_a_page_that_is_not_mixpanels_refuses_no_message_and_no_token(status, count, own, page):
    data = page if isinstance(page, bytes) else json.dumps(page).encode()
    answered = judge(Answer(status, {}, data), count=count, own=own, now=NOW)
    assert isinstance(answered, Retry)
    assert (answered.counts, answered.ambiguous, answered.status) == (True, False, status)
    assert answered.said.startswith(f"not Mixpanel's answer ({status})")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("status", [401, 407])
def test_a_proxy_that_wants_credentials_is_a_wrong_configuration_whoever_asks(status, own, page):
    answered = verdict(status, page, own=own)
    assert isinstance(answered, Misconfigured)
    who = "proxy or firewall" if status == 401 else "the proxy wants a user and a password (407)"
    assert who in answered.said
    assert "MIXRELAY_PROXY" in answered.said


@pytest.mark.parametrize("page", PAGES)
def test_a_413_of_a_proxy_is_halved_and_kills_no_record_alone(page):
    data = page if isinstance(page, bytes) else json.dumps(page).encode()
    assert isinstance(judge(Answer(413, {}, data), count=2, own=True, now=NOW), TooLarge)
    alone = judge(Answer(413, {}, data), count=1, own=True, now=NOW)
    assert isinstance(alone, Retry)
    assert (alone.counts, alone.ambiguous) == (True, False)


@pytest.mark.parametrize("status", [500, 501, 520, 402, 405, 418, 422, 451])
def test_a_500_and_every_unknown_status_counts_as_an_attempt(status):
    answered = verdict(status, b"oops")
    assert isinstance(answered, Retry)
    assert (answered.counts, answered.said) == (True, "oops")


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        (FailureKind.DNS, False),
        (FailureKind.CONNECT, False),
        (FailureKind.TIMEOUT_BEFORE_SENT, False),
        (FailureKind.TLS_HANDSHAKE, False),
        (FailureKind.NO_ANSWER, False),
        (FailureKind.DEADLINE, False),
        (FailureKind.CUT_ANSWER, True),
        (FailureKind.TOO_LARGE, True),
        (FailureKind.UNEXPECTED, True),
    ],
)
@pytest.mark.parametrize("sent", [True, False])
def test_an_exchange_without_an_answer_is_retried(kind, counts, sent):
    failure = Failure(kind, sent, "what happened")
    assert judge(failure, count=3, own=True, now=NOW) == Retry(
        counts=counts, ambiguous=sent, said="what happened", sent=sent
    )


def test_a_certificate_that_is_not_valid_is_a_wrong_configuration():
    failure = Failure(FailureKind.TLS_CERTIFICATE, sent=False, detail="expired")
    assert judge(failure, count=3, own=True, now=NOW) == Misconfigured(None, "expired", sent=False)


@pytest.mark.parametrize("sent", [True, False])
def test_what_this_process_lacks_is_no_failure_of_the_destination(sent):
    failure = Failure(FailureKind.WORKER, sent, "this process ran short of memory")
    assert judge(failure, count=3, own=True, now=NOW) == Short(failure.detail, sent)


def test_every_kind_of_failure_has_a_row():
    assert set(FAILURES) == set(FailureKind)


def test_a_proxy_that_wants_a_password_is_named_and_nothing_dies():
    answered = verdict(407, b"who are you")
    assert isinstance(answered, Misconfigured)
    assert "put them into MIXRELAY_PROXY" in answered.said
