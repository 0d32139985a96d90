"""What the page signs: its forms, and what it says after a change."""

import hashlib
import hmac
import re

import pytest
from redis import Redis

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.queue import JobKind, LetterFilter, new_id
from mixrelay.shared.rights import READER
from mixrelay.shared.settings import Settings
from tests.support.bench import event
from tests.support.pages import browsing, form_token

ANN = ("ann", "hers")
USERS = "ann:hers,bob:his"


@pytest.fixture
def number(bench):
    bench.route(event("one"))
    bench.bury(bench.take())
    [letter] = bench.queue.letters.find(LetterFilter())
    return letter.id


def test_a_forms_token_cannot_be_used_to_try_passwords(dashboard_of, number):
    """Before it was an HMAC under the passwords: one user could try another's at home."""
    page = dashboard_of(users=USERS)
    token = form_token(page, auth=ANN)
    for key in (f"\n\n{USERS}", USERS, "his", "hers", ""):
        for text in ("form\nann", "ann", "4:form3:ann"):
            for raw in (key.encode(), hashlib.sha256(key.encode()).digest()):
                assert token != hmac.new(raw, text.encode(), hashlib.sha256).hexdigest()


def test_two_queues_with_the_same_passwords_have_tokens_of_their_own(
    redis: Redis, dashboard_of, number
):
    before = form_token(dashboard_of(users=USERS), auth=ANN)
    key = redis.get("{mixpanel_queue}:page_key")
    assert key
    assert len(key) == 64
    redis.delete("{mixpanel_queue}:page_key")
    assert form_token(dashboard_of(users=USERS), auth=ANN) != before


def test_a_form_outlives_a_restart_and_is_known_to_other_processes(dashboard_of, queue, number):
    token = form_token(dashboard_of(users=USERS), auth=ANN)

    answer = dashboard_of(users="ann:new,bob:his").post(
        f"/letters/{number}/replay", data={"form_token": token}, auth=("ann", "new")
    )

    assert answer.status_code == 303
    assert queue.books().dead == 0


def test_a_form_whose_key_is_lost_is_shown_and_can_be_sent_again(
    redis: Redis, dashboard_of, queue, number
):
    old = form_token(dashboard_of(users=USERS), auth=ANN)
    redis.delete("{mixpanel_queue}:page_key")
    page = dashboard_of(users=USERS)
    form = {"form_token": old, "why": 'for "<b>good</b>"\nreasons'}

    answer = page.post(f"/letters/{number}/discard", data=form, auth=ANN)

    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text
    assert "<b>" not in answer.text
    assert queue.books().dead == 1
    [new] = re.findall(r'name="form_token" value="([0-9a-f]+)"', answer.text)
    assert new != old
    assert 'method="post" action=""' in answer.text
    assert 'name="why"' in answer.text
    again = page.post(f"/letters/{number}/discard", data=form | {"form_token": new}, auth=ANN)
    assert again.status_code == 303
    assert queue.books().dead == 0


@pytest.mark.parametrize(
    "address",
    [
        "/letters?said=discard&moved=1000&of=1000",
        "/letters?said=none",
        "/lanes/event?said=pause",
        "/letters/{number}?said=edited",
        "/jobs/{job}?said=runs",
    ],
)
def test_an_address_does_not_say_what_was_not_done(page, queue, number, address):
    job = queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=new_id(), who="ann")
    where = address.format(number=number, job=job.id)
    answer = page.get(where)
    assert answer.status_code == 200
    assert 'role="status"><h2>' not in answer.text
    assert 'role="status"><h2>' not in page.get(f"{where}&seal={'0' * 32}").text


def test_what_was_said_to_one_user_is_not_said_to_another_or_elsewhere(dashboard_of, number):
    page = dashboard_of(users=USERS)
    form = {"form_token": form_token(page, auth=ANN), "why": "x"}
    to = page.post("/lanes/event/pause", data=form, auth=ANN).headers["Location"]
    assert "The lane is paused" in page.get(to, auth=ANN).text
    assert "The lane is paused. What" not in page.get(to, auth=("bob", "his")).text
    elsewhere = to.replace("/lanes/event", "/lanes/import")
    assert "The lane is paused. What" not in page.get(elsewhere, auth=ANN).text
    other = to.replace("said=pause", "said=was-paused")
    assert "Someone else" not in page.get(other, auth=ANN).text


def test_a_redis_user_that_may_only_look_has_its_pages(redis: Redis, redis_url, number):
    redis.execute_command(
        "ACL", "SETUSER", "looker", "on", ">p", *READER.rules("mixpanel_queue").split()
    )
    try:
        url = redis_url.replace("redis://", "redis://looker:p@")
        app = create_app(Settings(redis_url=url), DashboardSettings(), mounted=False)
        with browsing(app) as page:
            assert page.get("/letters").status_code == 200
            answer = page.post(f"/letters/{number}/replay", data={"form_token": form_token(page)})
            assert answer.status_code == 503
            assert "does not allow this user" in answer.text
    finally:
        redis.acl_deluser("looker")
