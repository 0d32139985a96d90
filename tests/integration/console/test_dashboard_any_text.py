"""Whatever an address or a form of the page holds, the answer is a page, and no error of ours."""

import random

import orjson
import pytest

from mixrelay.console.masking import MASK
from tests.support.bench import event
from tests.support.pages import form_token

DIGITS = "9" * 5_000
DEEP = 20_000
FIELDS = [
    "reason",
    "type",
    "event",
    "distinct_id",
    "status",
    "min_attempts",
    "max_attempts",
    "min_replays",
    "max_replays",
    "since",
    "until",
    "before",
    "after",
    "cursor",
    "newest",
    "said",
    "moved",
    "of",
    "job",
    "page",
    "kind",
    "planned",
    "rate",
    "looked",
    "out_of",
    "by",
]
TEXTS = [
    DIGITS,
    f"-{DIGITS}",
    f"{DIGITS}d",
    f"{DIGITS}-{DIGITS}",
    f"{DIGITS}-1",
    "%ED%A0%BD",
    "%00",
    "1e999",
    "inf",
    "١٢٣",
    "[" * DEEP,
    "0001-01-01T00:00:00%2B14:00",
    "9999-12-31T23:59:59-14:00",
]
DRAFTS = [
    "[" * DEEP + "]" * DEEP,
    '["event",' + "[" * DEEP + "]" * DEEP + "]",
    '["event",' + '{"a":' * DEEP + "1" + "}" * DEEP + "]",
    f'["event",{{"data":{{"n":{DIGITS}}}}}]',
    f'["event",{{"data":{{"n":0.{DIGITS}e-{DIGITS}}}}}]',
    '["event",{"data":{"event":"\\ud83d"}}]',
    '["\\ud83d",{}]',
    '["event","{\\"data\\":\\"\\\\ud83d\\"}"]',
    DIGITS,
    "",
    "\0",
]
NESTED = [100, 250, 330, 480, 600, 900, 980, 1_010]


@pytest.fixture
def letters(bench):
    nests = [b'["event",%b]' % (b'{"a":' * depth + b"1" + b"}" * depth) for depth in NESTED]
    odd = [b'["event"]', b'["event",7]', b'["event",{"api_key":"k","data":7}]', b"7", b"\xff"]
    bench.route(event("a"), *nests, *odd)
    found = []
    for lane in ("event", "odd"):
        while hasattr(batch := bench.reserve(lane), "members"):
            bench.bury(batch, reason="malformed")
            found += [member.number for member in batch.members]
    assert len(found) == 1 + len(nests) + len(odd)
    return found


@pytest.mark.parametrize(
    "path", ["/letters", "/letters/counted", "/audit", "/jobs", "/", "/workers"]
)
def test_no_address_is_an_error_of_ours(page, letters, path):
    of = random.Random(path)
    for text in TEXTS:
        for field in of.sample(FIELDS, 8):
            answer = page.get(f"{path}?{field}={text}")
            assert answer.status_code < 500, (path, field, text[:40], answer.text[:500])


@pytest.mark.parametrize("text", [DIGITS, f"{DIGITS}-1", "%ED%A0%BD", "[" * 2_000], ids=len)
def test_no_letter_s_or_job_s_name_is_an_error_of_ours(page, letters, text):
    for path in (f"/letters/{text}", f"/letters/{text}/edit", f"/jobs/{text}"):
        assert page.get(path).status_code == 404
    token = form_token(page)
    for path in (f"/letters/{text}/edit", f"/letters/{text}/replay"):
        answer = page.post(path, data={"form_token": token, "message": "x", "why": "y"})
        assert answer.status_code < 500


@pytest.mark.parametrize("mask", [False, True])
def test_every_letter_can_be_looked_at_and_edited(dashboard_of, letters, mask):
    page = dashboard_of(mask=mask)
    for number in letters:
        for path in (f"/letters/{number}", f"/letters/{number}/edit"):
            assert page.get(path).status_code in (200, 422), (number, path)


@pytest.mark.parametrize("draft", DRAFTS, ids=[draft[:20] for draft in DRAFTS])
def test_no_draft_is_an_error_of_ours(page, bench, letters, draft):
    token = form_token(page)
    for number in letters[:1] + letters[-5:]:
        form = {"form_token": token, "message": draft, "why": "w\ufffd", "seen": "0"}
        answer = page.post(f"/letters/{number}/edit", data=form)
        assert answer.status_code in (303, 422), answer.text[:500]
        if answer.status_code == 422:
            assert "This is no message" in answer.text


def test_a_masked_secret_in_the_draft_of_a_letter_without_one_stays_a_text(page, letters):
    draft = orjson.dumps(["event", {"api_key": MASK, "data": {"event": "e"}}]).decode()
    token = form_token(page)
    for number in letters[-5:]:
        form = {"form_token": token, "message": draft, "why": "w", "seen": "0"}
        assert page.post(f"/letters/{number}/edit", data=form).status_code == 303
