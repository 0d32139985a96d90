"""A lane that an operator pauses on the page, and what the page tells of pauses and paces."""

import html

import pytest

from mixrelay.shared.queue import Lane, Limits
from tests.support.bench import event, outage
from tests.support.pages import form_token


def text(answer):
    return html.unescape(answer.text)


def post(page, path, **form):
    return page.post(path, data={"form_token": form_token(page, "/lanes/event")} | form)


def follow(page, answer):
    assert answer.status_code == 303, answer.text
    return text(page.get(answer.headers["Location"]))


def test_a_lane_is_paused_with_a_reason_and_resumed(page, bench, queue):
    bench.route(event("a"))

    shown = follow(page, post(page, "/lanes/event/pause", why="the project moves"))

    assert all(word in shown for word in ("The lane is paused.", "local", "the project moves"))
    assert [(hold.lane, hold.why) for hold in queue.books().held] == [
        ("event", "the project moves")
    ]
    bench.refused()

    shown = follow(page, post(page, "/lanes/event/resume", why="it has moved"))

    assert "The lane is resumed" in shown
    bench.take()
    audit = text(page.get("/audit"))
    assert all(word in audit for word in ("lane event", "pause", "resume", "it has moved", "local"))


def test_a_pause_without_a_reason_is_refused(page, queue):
    answer = post(page, "/lanes/event/pause", why="  ")

    assert answer.status_code == 422
    assert "Give a reason for the pause" in text(answer)
    assert queue.books().held == ()


def test_who_comes_second_is_told_and_changes_nothing(page, queue):
    queue.pause(Lane.EVENT, who="ann@ops", why="deploy")

    assert "Someone else had paused it" in follow(page, post(page, "/lanes/event/pause", why="x"))
    assert [hold.who for hold in queue.books().held] == ["ann@ops"]
    queue.resume(Lane.EVENT, who="ann@ops")
    assert "not paused any more" in follow(page, post(page, "/lanes/event/resume"))


@pytest.mark.parametrize("path", ["/lanes/odd", "/lanes/x"])
def test_there_is_no_page_of_a_lane_that_cannot_be_paused(page, path):
    assert page.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/lanes/odd/pause", "/lanes/event/dance"])
def test_what_is_no_lane_or_no_change_changes_nothing(page, queue, path):
    assert post(page, path, why="x").status_code == 404
    assert queue.books().held == ()


def test_a_forged_form_pauses_nothing(page, queue):
    assert page.post("/lanes/event/pause", data={"why": "x"}).status_code == 403
    other = {"Origin": "https://evil.example"}
    data = {"form_token": form_token(page, "/lanes/event"), "why": "x"}
    assert page.post("/lanes/event/pause", data=data, headers=other).status_code == 403
    assert queue.books().held == ()


def test_a_read_only_page_shows_the_lane_and_offers_no_form(dashboard_of, queue):
    queue.pause(Lane.EVENT, who="ann@ops", why="deploy")
    page = dashboard_of(read_only=True)

    assert "ann@ops" in page.get("/lanes/event").text
    assert "<form" not in page.get("/lanes/event").text
    assert "Resume…" not in page.get("/").text
    assert page.post("/lanes/event/resume").status_code == 403
    assert len(queue.books().held) == 1


def test_the_overview_says_who_holds_a_lane_since_when_and_how_it_ends(page, queue):
    queue.pause(Lane.EVENT, who="ann@ops", why="<b>deploy</b>")

    for path in ("/", "/live"):
        shown = page.get(path).text
        assert "event has been paused by ann@ops for" in shown
        assert "mixrelay resume event" in shown
        assert "<b>deploy" not in shown
        assert 'aria-label="Resume event"' in shown
        assert 'aria-label="Pause import"' in shown
        assert "when resumed" in shown
        assert 'class="banner odd"' in shown, "to look at, and nothing is broken"


def test_the_overview_says_what_begins_slowly(page, bench):
    for name in "ab":
        bench.route(event(name))
    one, other = (bench.take(limits=Limits(records=1, linger_seconds=0)) for _ in range(2))
    bench.park(one, outage(base_ms=1))
    bench.pause_over()
    probe = bench.take()
    bench.deliver(probe)
    assert other.id
    assert bench.queue.books().paces

    assert "concurrency limit: " in page.get("/live").text


def test_the_overview_warns_before_letters_are_dropped(page, bench, queue):
    bench.route(event("a"))
    bench.bury(bench.take())
    queue.retention.expire(None, 1)

    assert "1 dead letters are 100% of MIXRELAY_DLQ_MAX_LETTERS" in text(page.get("/"))
