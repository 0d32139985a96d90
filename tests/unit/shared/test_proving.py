"""What an answer to a nameless record says about credentials, and how a token is shown."""

import json

import pytest

from mixrelay.shared.mixpanel import endpoints
from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, token_fingerprint
from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.proving import (
    NAMELESS,
    Elsewhere,
    Proof,
    ask_import,
    is_refusal,
    judge_proof,
    look_elsewhere,
    masked,
)
from mixrelay.shared.mixpanel.transport import Answer

NAMED = {
    "code": 400,
    "error": "some data points in the request failed validation",
    "failed_records": [{"index": 0, "insert_id": "", "field": "event", "message": "empty"}],
    "num_records_imported": 0,
    "status": "Bad Request",
}
UNAUTHORIZED = {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"}
SILENT = Failure(FailureKind.NO_ANSWER, sent=True, detail="nothing came")
WHO = Credentials.of_token("t")


def answer(status: int, body: object) -> Answer:
    return Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("given", "proof"),
    [
        (answer(400, NAMED), Proof.PROVEN),
        (answer(200, {"code": 200, "num_records_imported": 0, "status": "OK"}), Proof.PROVEN),
        (answer(401, UNAUTHORIZED), Proof.REFUSED),
        (answer(403, {"error": "forbidden", "status": 0}), Proof.REFUSED),
        # Of these none names the record, or is Mixpanel's.
        (answer(400, {"code": 400, "error": "bad request", "status": "Bad Request"}), Proof.SILENT),
        (answer(400, NAMED | {"failed_records": []}), Proof.SILENT),
        (answer(400, NAMED | {"failed_records": [{"index": 1}]}), Proof.SILENT),
        (answer(200, b"<html>Sign in</html>"), Proof.SILENT),
        (answer(401, b"<html>Proxy authentication</html>"), Proof.SILENT),
        (answer(403, b""), Proof.SILENT),
        (answer(403, ["blocked"]), Proof.SILENT),
        (answer(404, UNAUTHORIZED), Proof.SILENT),
        (answer(429, {"code": 429, "error": "rate", "status": "Too Many Requests"}), Proof.SILENT),
        (answer(500, {"code": 500, "error": "oops"}), Proof.SILENT),
        (SILENT, Proof.SILENT),
    ],
)
def test_only_mixpanels_own_words_prove_or_refute(given: Answer | Failure, proof: Proof) -> None:
    assert judge_proof(given) is proof


def test_a_refusal_of_a_batch_counts_only_in_mixpanels_words() -> None:
    assert is_refusal(answer(401, UNAUTHORIZED))
    assert not is_refusal(answer(401, b"<html></html>"))
    assert not is_refusal(answer(400, NAMED))


def test_the_question_is_one_nameless_record_under_the_token() -> None:
    asked: list[tuple[Destination, bytes]] = []

    def post(destination: Destination, body: bytes) -> Answer:
        asked.append((destination, body))
        return answer(400, NAMED)

    ask_import(post, "https://x", WHO)
    [(destination, body)] = asked
    assert body == NAMELESS == b'[{"event":"","properties":{}}]'
    assert destination.url == "https://x/import?strict=1"
    assert destination.authorization == "Basic dDo="


@pytest.mark.parametrize(
    ("eu", "india", "found"),
    [
        (NAMED, UNAUTHORIZED, "eu"),
        (UNAUTHORIZED, NAMED, "in"),
        (UNAUTHORIZED, UNAUTHORIZED, Elsewhere.NOWHERE),
        (None, UNAUTHORIZED, Elsewhere.UNKNOWN),
        (None, NAMED, "in"),
    ],
)
def test_the_other_regions_are_asked_until_one_knows_it(
    eu: object, india: object, found: str
) -> None:
    said = {endpoints.REGIONS["eu"]: eu, endpoints.REGIONS["in"]: india}

    def post(destination: Destination, _: bytes) -> Answer | Failure:
        body = said[destination.base]
        return answer(400 if body is NAMED else 401, body) if body else SILENT

    assert look_elsewhere(post, endpoints.REGIONS["us"], WHO) == found


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("3f2a9c01b7d43f2a9c01b7d43f2a9cb7", "3f2a…b7"),
        ("token-of-ours", "to…"),
        ("short", "…"),
        ("", "…"),
    ],
)
def test_a_token_is_shown_so_that_nobody_can_use_it(token: str, shown: str) -> None:
    assert masked(token) == shown


def test_a_fingerprint_tells_tokens_and_addresses_apart_and_is_no_token() -> None:
    names = {
        token_fingerprint(base, token) for base in ("https://a", "https://b") for token in "xy"
    }
    assert len(names) == 4
    assert {len(name) for name in names} == {12}


def test_only_a_token_says_whether_mixpanel_keeps_what_is_sent() -> None:
    base, endpoint = "https://x", endpoints.Endpoint
    assert Destination(endpoint.ENGAGE, base, token="t").project_token == "t"
    assert Destination(endpoint.IMPORT, base, WHO).project_token == "t"
    assert Destination(endpoint.IMPORT, base, Credentials.key("t")).project_token is None
    account = Credentials.service_account("u", "s", "1")
    assert Destination(endpoint.IMPORT, base, account).project_token is None
    merges = Destination(endpoint.IMPORT, base, Credentials.key("t"), token="t")
    assert merges.project_token is None
