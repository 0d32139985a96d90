"""What an operator does with dead letters on the page."""

import html
import json

import pytest

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.queue import JobKind, LetterFilter, new_id
from mixrelay.shared.settings import Settings
from tests.support.bench import event, update
from tests.support.pages import browsing, form_token
from tests.support.works import imported


def bury(bench, *tuples, **verdict):
    """Letters of these tuples; their numbers."""
    bench.route(*tuples)
    numbers = []
    for lane in ("event", "import", "profile_update"):
        while hasattr(batch := bench.reserve(lane), "members"):
            bench.bury(batch, **verdict)
            numbers += [member.number for member in batch.members]
    return numbers


def text(answer):
    return html.unescape(answer.text)


def post(page, path, **form):
    return page.post(path, data={"form_token": form_token(page)} | form)


def test_what_an_attacker_wrote_stays_text(page, bench):
    script = "<script>alert(1)</script>"
    [number] = bury(bench, event(script), error=f"{script}\x1b[31m\nforged", reason="rejected")

    for path in ("/letters", f"/letters/{number}", f"/letters?event={script}"):
        shown = page.get(path).text
        assert script not in shown
        assert "&lt;script&gt;" in shown
        assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("reasn=invalid", "'reasn' is no filter: did you mean reason?"),
        ("paige=2", "'paige' is no filter"),
        ("reason=invald", "'invald' is no reason: did you mean invalid?"),
        ("type=evnt", "'evnt' is no type: did you mean event?"),
        ("group=cart", "'cart' is no failure group"),
    ],
)
def test_a_filter_that_is_none_is_refused_in_words_and_never_means_all(page, bench, query, said):
    bury(bench, event("E"))
    for path in (
        "/letters",
        "/letters/counted",
        "/jobs/plan/discard",
        "/jobs/plan/discard/counted",
    ):
        answer = page.get(f"{path}?{query}")
        assert answer.status_code in {400, 422}, path
        assert said in text(answer), path
        assert 'name="typed"' not in answer.text
    name, value = query.split("=")
    until = "2030-01-01T00:00:00+00:00"
    form = {"until": until, "typed": "1", "planned": "1", "why": "x", name: value}
    assert post(page, "/jobs/start/discard", **form).status_code == 422
    assert (bench.queue.jobs.newest(), bench.queue.books().dead) == ([], 1)


def test_a_failure_group_stands_in_the_address_and_is_kept_by_the_form(page, bench):
    bury(bench, event("one"), error="lists nest at most 3 deep", field="properties.Cart")
    bury(bench, event("two"), error="no such user")
    [letter] = bench.queue.letters.find(LetterFilter(event="one"))

    shown = text(page.get(f"/letters?group={letter.group}"))

    assert 'data-count="1"' in shown
    assert f'name="group" size="9" value="{letter.group}"' in shown
    assert f"/jobs/plan/replay?group={letter.group}" in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("reason=invalid", ["invalid"]),
        ("status=500", ["late"]),
        ("event=late", ["late"]),
        ("type=profile_update", []),
        ("since=1h&until=0s", ["invalid", "late"]),
        ("until=1h", []),
        ("min_attempts=2", []),
        ("max_replays=0", ["invalid", "late"]),
        ("distinct_id=nobody", []),
    ],
)
def test_a_filter_stands_in_the_address(page, bench, query, found):
    bury(bench, event("invalid"))
    bury(bench, event("late"), reason="exhausted", status=500)

    shown = page.get(f"/letters?{query}")

    assert shown.status_code == 200
    rows = text(shown).split('<h2 id="found-heading"')[1]
    assert [name for name in ("invalid", "late") if f">{name}</td>" in rows] == found
    assert f'data-count="{len(found)}"' in rows


@pytest.mark.parametrize("query", ["status=x", "since=yesterday", "min_replays=-", "cursor=x"])
def test_a_filter_that_cannot_be_read_shows_nothing_to_act_on(page, bench, query):
    bury(bench, event("one"))

    shown = page.get(f"/letters?{query}")

    assert shown.status_code == 400
    assert "cannot be read" in shown.text
    assert "all that match" not in shown.text


def test_pages_follow_each_other_without_gaps(page, bench):
    numbers = bury(bench, *(event(f"e{n}") for n in range(120)))
    seen, path = [], "/letters"

    while path:
        shown = text(page.get(path))
        seen += [n for n in reversed(numbers) if f'value="{n}"' in shown]
        path = shown.split('rel="next" href="')[1].split('"')[0] if 'rel="next"' in shown else None

    assert sorted(seen, key=numbers.index) == numbers


def test_chosen_letters_are_replayed_and_the_audit_tells(page, bench, queue):
    first, second, third = bury(bench, *(event(name) for name in "abc"))

    answer = post(page, "/letters/selected", id=[first, third], move="replay", why="fixed it")

    assert "moved=2" in answer.headers["Location"]
    assert "2 of 2 replayed." in text(page.get(answer.headers["Location"]))
    assert [letter.id for letter in queue.letters.find(LetterFilter())] == [second]
    assert all(word in text(page.get("/audit")) for word in ("fixed it", "local", "replay", first))


def test_a_letter_that_someone_else_moved_is_told(page, bench, queue):
    first, second = bury(bench, event("a"), event("b"))
    queue.discard([first], who="other")

    answer = post(page, "/letters/selected", id=[first, second], move="replay")

    told = text(page.get(answer.headers["Location"]))
    assert "1 of 2 replayed. 1 had been moved by someone else before." in told


@pytest.mark.parametrize("form", [{"move": "discard"}, {"move": "replay", "id": []}, {"move": "x"}])
def test_nothing_happens_without_letters_a_reason_or_a_known_move(page, bench, queue, form):
    [number] = bury(bench, event("a"))

    answer = post(page, "/letters/selected", **{"id": [number]} | form)

    assert "said=" in answer.headers["Location"]
    assert queue.books().dead == 1


def test_an_address_cannot_put_words_into_the_page(page):
    shown = page.get("/letters?said=Send+your+password&moved=<b>&of=1")

    assert "password" not in shown.text
    assert "<b>" not in shown.text


def test_a_secret_is_masked_and_survives_an_edit(page, bench, queue):
    [number] = bury(bench, imported("user", api_key="very-secret-key"))

    shown = page.get(f"/letters/{number}").text + page.get(f"/letters/{number}/edit").text
    message = ["import", {"data": {"event": "x", "properties": {"time": 1}}, "api_key": "***"}]
    post(page, f"/letters/{number}/edit", message=json.dumps(message), seen="0", why="typo")

    letter = queue.letters.get(number)
    assert "very-secret-key" not in shown
    assert json.loads(json.loads(letter.payload)[1])["api_key"] == "very-secret-key"
    assert b"very-secret-key" in letter.original


def test_values_are_hidden_where_payloads_are_masked(dashboard_of, bench):
    page = dashboard_of(mask=True)
    [number] = bury(bench, event("Bought"))

    shown = text(page.get(f"/letters/{number}"))

    message = shown.split("message-heading")[-1]
    assert '"event"' in message
    assert "Bought" not in message
    assert "Edit…" not in shown


def test_an_edited_letter_is_replayed_and_the_original_kept(page, bench, queue):
    [number] = bury(bench, event("Wrogn"))
    right = json.dumps(["event", {"data": {"event": "Right"}}])

    post(page, f"/letters/{number}/edit", message=right, seen="0", why="typo", then="keep")
    shown = text(page.get(f"/letters/{number}"))
    post(page, f"/letters/{number}/edit", message=right, seen="1", then="replay")

    assert "As it was pushed" in shown
    assert "Wrogn" in shown
    assert json.loads(json.loads(bench.lane("event")[0])[1])["data"]["event"] == "Right"
    assert queue.books().difference == 0


@pytest.mark.parametrize("message", ["", "{", "[]", '["x", "y"]', '["event", 1]'])
def test_what_is_no_message_is_refused_with_the_text_kept(page, bench, queue, message):
    [number] = bury(bench, event("one"))
    before = queue.letters.get(number)

    answer = post(page, f"/letters/{number}/edit", message=message, seen="0")

    assert answer.status_code == 422
    assert html.escape(message) in answer.text.replace("&#34;", "&quot;")
    assert queue.letters.get(number) == before


def test_two_who_edit_at_once_do_not_overwrite_each_other(page, bench, queue):
    [number] = bury(bench, event("one"))
    mine, theirs = (json.dumps(["event", {"data": {"event": name}}]) for name in ("m", "t"))

    post(page, f"/letters/{number}/edit", message=theirs, seen="0")
    answer = post(page, f"/letters/{number}/edit", message=mine, seen="0")

    assert answer.status_code == 422
    assert "Someone else changed it" in answer.text
    message = json.loads(json.loads(queue.letters.get(number).payload)[1])
    assert message["data"]["event"] == "t"


def test_a_plan_counts_what_the_job_takes(page, bench, queue):
    bury(bench, *(event("a") for _ in range(3)))
    bury(bench, update("u"))

    shown = text(page.get("/jobs/plan/discard?type=event"))
    form = {
        name: shown.split(f'name="{name}" value="')[1].split('"')[0]
        for name in ("until", "planned", "job_id", "type")
    }
    bury(bench, event("died later"))
    answer = post(page, "/jobs/start/discard", **form, typed="3", why="test events")

    job = queue.jobs.get(answer.headers["Location"].rpartition("/")[2])
    while not job.state.is_over:
        job = queue.jobs.step(job).job
    assert form["planned"] == "3"
    assert (job.planned, job.moved, job.who, job.why) == (3, 3, "local", "test events")
    assert queue.books().dead == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"typed": ""},
        {"typed": "2"},
        {"why": " "},
        {"rate": "0"},
        {"rate": "nan"},
        {"rate": "x"},
        {"until": ""},
        {"status": "x"},
    ],
)
def test_a_bulk_action_needs_the_count_and_a_reason(page, bench, queue, wrong):
    bury(bench, event("a"))
    form = {"typed": "1", "planned": "1", "why": "y", "until": "2030-01-01T00:00:00+00:00"}

    answer = post(page, "/jobs/start/discard", **form | wrong)

    assert answer.status_code == 422
    assert "Nothing was started" in answer.text
    assert queue.jobs.newest() == []


def test_a_job_is_cancelled_resumed_and_slowed(page, bench, queue):
    bury(bench, *(event("a") for _ in range(5)))
    job = queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=new_id(), who="ann", planned=5)

    post(page, f"/jobs/{job.id}/rate", rate="2.5")
    post(page, f"/jobs/{job.id}/cancel")
    cancelled = queue.jobs.get(job.id)
    shown = text(page.get(f"/jobs/{job.id}"))
    post(page, f"/jobs/{job.id}/resume")

    assert (cancelled.state, cancelled.rate) == ("cancelled", 2.5)
    assert "Resume" in shown
    assert "2.5 letters a second" in shown
    assert queue.jobs.get(job.id).state in {"queued", "running"}
    assert "cancel" in text(page.get("/audit"))


@pytest.mark.parametrize("path", ["/letters/0-9999", "/jobs/nothing", "/letters/%00/edit"])
def test_what_is_gone_is_told(page, path):
    answer = page.get(path)

    assert answer.status_code == 404
    assert "now." in answer.text


def test_a_redis_that_is_away_is_told_without_its_password():
    settings = Settings(redis_url="redis://user:s3cret-word@127.0.0.1:1")
    with browsing(create_app(settings, DashboardSettings(), mounted=False)) as page:
        answers = [page.get(path) for path in ("/", "/letters", "/readyz")]

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert "cannot be reached" in answers[0].text
    assert "s3cret-word" not in answers[0].text


TWICE = "an increment or append that is sent again counts twice"


@pytest.mark.parametrize("query", ["", "reason=ambiguous", "type=profile_update", "distinct_id=p"])
def test_a_planned_replay_says_how_many_of_them_may_count_twice(page, bench, query):
    bury(bench, update("p"), update("p"), reason="ambiguous")
    bury(bench, update("p"), reason="rejected")

    shown = text(page.get(f"/jobs/plan/replay?{query}"))

    assert "2 of them are <em>ambiguous</em>" in shown
    assert TWICE in shown
    assert TWICE not in page.get(f"/jobs/plan/discard?{query}").text


@pytest.mark.parametrize("query", ["reason=rejected", "type=event", "distinct_id=nobody"])
def test_a_replay_that_means_no_ambiguous_letter_does_not_warn(page, bench, query):
    bury(bench, update("p"), reason="ambiguous")
    bury(bench, event("a"), reason="rejected")

    assert TWICE not in page.get(f"/jobs/plan/replay?{query}").text


def test_a_plan_that_is_counted_in_portions_warns_when_the_number_is_known(page, bench):
    bury(bench, *(update("p", n) for n in range(1_500)), reason="ambiguous")
    bury(bench, *(update("p", n) for n in range(4_000)), reason="rejected")

    first = page.get("/jobs/plan/replay?distinct_id=p").text
    assert TWICE not in first
    step = html.unescape(first.split('hx-get="')[1].split('"')[0])

    assert "1,500 of them are <em>ambiguous</em>" in page.get(step).text


def test_the_forms_that_replay_letters_one_by_one_warn_too(page, bench):
    [other] = bury(bench, update("q"), reason="rejected")
    assert TWICE not in page.get("/letters").text
    [number] = bury(bench, update("p"), reason="ambiguous")

    assert "1 of the letters above is <em>ambiguous</em>" in page.get("/letters").text
    for path in (f"/letters/{number}", f"/letters/{number}/edit", "/letters?reason=ambiguous"):
        assert TWICE in page.get(path).text
    for path in (f"/letters/{other}", f"/letters/{other}/edit", "/letters?reason=rejected"):
        assert TWICE not in page.get(path).text
