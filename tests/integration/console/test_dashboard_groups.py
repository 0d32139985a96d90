"""Dead letters as an inbox: a row for each cause, and one correction for all letters of it."""

import html
import re

import orjson
import pytest

from mixrelay.console.dashboard.groups.marking import marked
from mixrelay.shared.queue import JobKind, Lane, LetterFilter, new_job_id
from tests.support.bench import event
from tests.support.pages import form_token

NESTED = {"error": "nests 5 levels deep, at most 3 are allowed", "field": "properties.Cart"}


def nested(number, name="Checked Out"):
    cart = {"a": {"b": {"c": {"d": {"e": number}}}}}
    properties = {"distinct_id": f"user-{number}", "price": number, "Cart": cart}
    record = {"data": {"event": name, "properties": properties}}
    return orjson.dumps(["event", orjson.dumps(record).decode()])


def bury(bench, *tuples, **verdict):
    bench.route(*tuples)
    batch = bench.take()
    bench.bury(batch, **verdict)
    return [member.number for member in batch.members]


def text(answer):
    return html.unescape(answer.text)


def group_of(bench, **wanted):
    return next(iter(bench.queue.letters.find(LetterFilter(**wanted)))).group


def rows(shown):
    """The text of each row of the inbox."""
    inbox = shown.partition('id="groups-heading"')[2].partition("</table>")[0]
    cells = re.findall("<tr data-row.*?</tr>", inbox, re.DOTALL)
    return [" ".join(re.sub("<[^>]+>", " ", one).split()) for one in cells]


def test_each_cause_is_a_row_with_its_number_events_times_and_a_sample(page, bench):
    numbers = bury(bench, *(nested(n) for n in range(7)), **NESTED)
    bury(bench, event("Sign Up"), reason="exhausted", status=500, error="Internal Server Error")
    group = group_of(bench, reason="invalid")

    shown = text(page.get("/letters"))

    first, second = rows(shown)
    assert "2 failure groups" in shown
    assert first.startswith("properties.Cart nests N levels deep, at most N are allowed invalid 7 ")
    assert "7 within the last hour Checked Out 20" in first
    assert first.endswith("Sample Correct… Replay… Discard…")
    assert second.startswith("Internal Server Error exhausted 1 ")
    assert "Correct…" not in second, "nothing is wrong with the message"
    assert f'href="/letters?group={group}"' in shown
    assert any(f'href="/letters/{number}?group={group}"' in shown for number in numbers)
    assert f'href="/letters/fix?group={group}"' in shown


def test_the_inbox_follows_what_is_buried_replayed_and_discarded(page, bench):
    numbers = bury(bench, *(nested(n) for n in range(3)), **NESTED)
    assert " 3 " in rows(text(page.get("/letters")))[0]
    bench.queue.discard(numbers[:1])
    assert " 2 " in rows(text(page.get("/letters")))[0]
    bench.queue.replay(numbers[1:])
    assert rows(text(page.get("/letters"))) == []


def test_of_many_letters_the_newest_are_grouped_and_the_page_says_so(page, bench, monkeypatch):
    monkeypatch.setattr("mixrelay.console.dashboard.groups.inbox.LOOKED_AT", 500)
    for _ in range(6):
        bury(bench, *(event("a") for _ in range(100)), error="said so")
    assert "among the newest 500 of 600 letters" in text(page.get("/letters"))


def preview(page, group, *lines):
    pairs = [(name, value) for line in lines for name, value in zip(FIELDS, line, strict=True)]
    return page.get("/letters/fix", params=[("group", group), *pairs])


FIELDS = ("op", "path", "value")


def applying(page, shown):
    """The form below a preview."""
    below = shown.partition("preview-heading")[2]
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', below)
    return dict(hidden) | {"form_token": form_token(page)}


def test_a_thousand_letters_are_corrected_by_the_page_alone_and_no_other_is_touched(page, bench):
    for start in range(0, 1_000, 250):
        bury(bench, *(nested(n) for n in range(start, start + 250)), **NESTED)
    others = bury(bench, event("Sign Up"), reason="exhausted", error="Internal Server Error")
    group = group_of(bench, reason="invalid")

    offered = text(page.get(f"/letters/fix?group={group}"))
    assert '<option value="truncate" selected>' in offered, "as the rule asks for it"
    assert 'name="path" list="paths" size="28" value="properties.Cart"' in offered
    assert '<option value="properties.price"></option>' in offered

    shown = preview(page, group, ("truncate", "properties.Cart", ""))
    told = text(shown)
    assert "1,000 letters would be corrected and re-queued" in told
    assert "1,000 would pass every rule then, 0 are right already" in told
    assert re.search(r"<del>- +\"e\": \d+</del>", told), "the difference"
    assert f"mixrelay dlq fix --group {group} --until" in told
    assert bench.queue.books().dead == 1_001, "nothing is changed by looking"

    late = bury(bench, nested(1_000), **NESTED)
    answer = page.post("/letters/fix", data=applying(page, told) | {"why": "r7"})

    told = text(page.get(answer.headers["location"]))
    assert "1,000 of 1,000 corrected. A worker re-queues them." in told
    [job] = bench.queue.jobs.newest()
    assert (job.kind, job.why, bench.queue.jobs.stalled()) == (JobKind.FIX, "r7", [job.id])
    while not job.state.is_over:
        job = bench.queue.jobs.step(job).job
    assert {one.id for one in bench.queue.letters.find(LetterFilter())} == {*others, *late}
    sent = [orjson.loads(orjson.loads(one)[1]) for one in bench.lane(Lane.EVENT)]
    assert len(sent) == 1_000
    assert sent[0]["data"]["properties"]["Cart"] == {"a": {"b": {"c": {}}}} or "Cart" in str(
        sent[0]
    )
    audit = text(page.get("/audit"))
    assert "r7: truncate properties.Cart" in audit
    assert bench.queue.books().difference == 0


def test_a_fix_by_the_page_is_undone_by_the_page_as_far_as_it_was_not_sent(page, bench):
    bury(bench, *(nested(n) for n in range(5)), **NESTED)
    before = {one.id: one.payload for one in bench.queue.letters.find(LetterFilter())}

    def corrected():
        group = group_of(bench, reason="invalid")
        shown = text(preview(page, group, ("delete", "properties.Cart", "")))
        form = applying(page, shown) | {"rate": "0.5"}
        return page.post("/letters/fix", data=form).headers["location"].partition("?")[0]

    def undone(job):
        form = {"form_token": form_token(page)}
        answer = page.post(f"{job}/undo", data=form, follow_redirects=True)
        return text(answer)

    job = corrected()
    assert "Undo the fix" in page.get(job).text
    assert bench.queue.jobs.newest()[0].rate == 0.5
    assert not any(b"Cart" in one.payload for one in bench.queue.letters.find(LetterFilter()))
    shown = undone(job)
    assert "5 of 5 letters are as before the fix." in shown
    assert "Undo the fix" not in shown, "nothing is left to undo"
    assert {one.id: one.payload for one in bench.queue.letters.find(LetterFilter())} == before

    job = corrected()
    bench.queue.jobs.step(bench.queue.jobs.newest()[0])
    assert "4 of 5 letters are as before the fix." in undone(job)
    assert len(bench.lane(Lane.EVENT)) == 1
    assert bench.queue.books().difference == 0


def test_only_a_fix_is_undone(page, bench):
    bury(bench, event("a"))
    job = bench.queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=new_job_id(), who="ann")
    assert "Undo the fix" not in page.get(f"/jobs/{job.id}").text
    form = {"form_token": form_token(page)}
    shown = text(page.post(f"/jobs/{job.id}/undo", data=form, follow_redirects=True))
    assert "Only a fix can be undone: nothing was changed." in shown
    assert page.post("/jobs/nothing/undo", data=form).status_code == 404
    assert bench.queue.jobs.get(job.id).state == "queued"


def test_a_rate_that_is_none_corrects_nothing(page, bench):
    bury(bench, nested(1), **NESTED)
    shown = text(preview(page, group_of(bench), ("delete", "properties.Cart", "")))
    answer = page.post("/letters/fix", data=applying(page, shown) | {"rate": "fast"})
    assert answer.status_code == 422
    assert "The rate is a number of letters a second" in text(answer)
    assert bench.queue.jobs.newest() == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("set", "properties.price", "free"), "is no JSON: a text stands in double quotes"),
        (("set", "price", "1"), "is not within a record"),
        (("melt", "properties.price", ""), "There is no operation 'melt'."),
    ],
)
def test_an_operation_that_cannot_be_read_is_said(page, bench, line, said):
    bury(bench, nested(1), **NESTED)
    answer = preview(page, group_of(bench), line)
    assert answer.status_code == 422
    assert said in text(answer)
    assert "would be corrected" not in answer.text


def test_letters_that_would_still_break_a_rule_stay(page, bench):
    bury(bench, nested(1), nested(2), **NESTED)
    shown = text(preview(page, group_of(bench), ("delete", "properties.price", "")))
    assert "0 letters would be corrected and re-queued" in shown
    assert "2 would still break a rule" in shown
    assert 'name="planned"' not in shown


def test_a_preview_that_others_made_old_applies_nothing(page, bench):
    numbers = bury(bench, nested(1), nested(2), **NESTED)
    shown = text(preview(page, group_of(bench), ("delete", "properties.Cart", "")))
    form = dict(
        re.findall(
            r'<input type="hidden" name="(\w+)" value="([^"]*)"',
            shown.partition("preview-heading")[2],
        )
    )
    bench.queue.discard(numbers[:1])
    answer = page.post("/letters/fix", data=form | {"form_token": form_token(page)})
    assert answer.status_code == 422
    assert "Other letters match by now" in text(answer)
    assert bench.queue.books().dead == 1


def test_a_read_only_page_shows_the_preview_and_offers_nothing(dashboard_of, bench):
    bury(bench, nested(1), **NESTED)
    page = dashboard_of(read_only=True)
    shown = text(preview(page, group_of(bench), ("delete", "properties.Cart", "")))
    assert "1 letter would be corrected" in shown
    assert 'name="planned"' not in shown


def test_a_letter_leads_on_within_the_list_that_it_was_opened_from(page, bench):
    first, second = bury(bench, nested(1), nested(2), **NESTED)
    bury(bench, event("Sign Up"), error="another")
    third = bury(bench, nested(3), **NESTED)[0]
    group = group_of(bench, event="Checked Out")

    shown = text(page.get(f"/letters/{second}?group={group}"))

    assert f'rel="prev" href="/letters/{third}?group={group}">Newer</a>' in shown
    assert f'rel="next" href="/letters/{first}?group={group}">Older</a>' in shown
    form = {"form_token": form_token(page), "group": group}
    gone = page.post(f"/letters/{second}/replay", data=form)
    assert f"group={group}" in gone.headers["location"], "one is where one was"
    assert "1 of 1 replayed." in text(page.get(gone.headers["location"]))


def test_the_failing_field_is_marked_and_the_message_is_there_as_curl(page, bench):
    [number] = bury(bench, nested(4), **NESTED)
    shown = text(page.get(f"/letters/{number}"))
    [mark] = re.findall(r"<mark[^>]*>(.*?)</mark>", shown, re.DOTALL)
    assert mark.startswith('"Cart": {')
    assert '"e": 4' in mark
    assert "price" not in mark
    [command] = re.findall(r'<pre tabindex="0" id="curl"[^>]*>(.*?)</pre>', shown, re.DOTALL)
    assert command.startswith("curl -u \"$MIXPANEL_TOKEN:\" -H 'Content-Type: application/json' ")
    assert '/import?strict=1\' -d \'[{"event": "Checked Out"' in command


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("properties.items[1].price", '"price": "x"'),
        ("properties.items[1]", "{\n"),
        ("event", '"event": "E"'),
        ("properties.gone", ""),
        ("properties.items[7]", ""),
        ("", ""),
    ],
)
def test_a_field_is_found_within_lists_too(field, found):
    items = [{"price": 1}, {"price": "x"}]
    record = {"data": {"event": "E", "properties": {"items": items}}}
    payload = orjson.dumps(["event", orjson.dumps(record).decode()])
    parts = marked(payload, field, mask=False)
    assert parts.field.startswith(found) if found else parts.field == ""
    whole = parts.before + parts.field + parts.after
    assert whole == marked(payload, "", mask=False).before
    assert marked(payload, field, mask=True).field == ""


def test_lists_do_not_fetch_large_messages(page, bench):
    """The start of each is enough for its names; a message of megabytes is not sent for a list."""
    large = {"data": {"event": "Large", "properties": {"distinct_id": "ann", "x": "y" * 900_000}}}
    payload = orjson.dumps(["event", orjson.dumps(large).decode()])
    for _ in range(4):
        bury(bench, payload, error="is too large", reason="too_large")
    before = bench.redis.info("stats")["total_net_output_bytes"]
    shown = text(page.get("/letters"))
    sent = bench.redis.info("stats")["total_net_output_bytes"] - before
    assert shown.count('data-label="event">Large</td>') == 4
    assert 'data-label="subject">ann</td>' in shown
    assert sent < 400_000, sent


def test_since_goes_by_the_clock_of_redis(page, bench, monkeypatch):
    bury(bench, event("a"), error="said so")

    class Ahead:
        @staticmethod
        def now(_zone):
            raise AssertionError("the host's clock")

    monkeypatch.setattr("mixrelay.console.dashboard.filters.datetime", Ahead, raising=True)
    Ahead.fromtimestamp = __import__("datetime").datetime.fromtimestamp
    assert 'data-count="1"' in page.get("/letters?since=1h").text
