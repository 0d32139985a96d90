import time

import pytest

from mixrelay.sandbox import Options


def test_of_equal_four_part_keys_the_latest_is_shown_and_one_counted(client, event) -> None:
    first = event(plan="Free", time=int(time.time()))
    between = event(**{"$insert_id": "between"})
    again = {"event": "Signed Up", "properties": {**first["properties"], "plan": "Paid"}}

    client.post("/track", [first, between])
    client.strict(first, again)

    assert client.sandbox.events == [again, between]
    assert [(d.of, d.endpoint, d.same) for d in client.sandbox.duplicates] == [
        (1, "/import", True),
        (1, "/import", False),
    ]
    assert client.sandbox.duplicates[1].replaced == first
    assert [arrival.request for arrival in client.sandbox.arrivals] == [2, 1]
    assert client.sandbox.state["events"] == 2
    assert client.sandbox.state["duplicates"] == 2


@pytest.mark.parametrize(
    "change",
    [{"time": 1_795_520_000}, {"distinct_id": "user-2"}, {"$insert_id": "two"}],
    ids=repr,
)
def test_events_that_differ_in_one_part_are_two(client, event, change) -> None:
    one = event(time=1_795_520_001)
    two = event(**{"time": 1_795_520_001, **change})

    client.strict(one, two)

    assert client.sandbox.events == [one, two]


def test_events_without_insert_id_or_time_are_never_folded(client, event) -> None:
    bare = event(**{"$insert_id": ...})
    timeless = event(time=...)

    client.post("/track", [bare, bare, timeless, timeless])

    assert client.sandbox.events == [bare, bare, timeless, timeless]


def test_the_number_as_distinct_id_is_the_same_user_as_its_text(client, event) -> None:
    now = int(time.time())

    client.strict(event(distinct_id=12345, time=now), event(distinct_id="12345", time=now))

    assert len(client.sandbox.events) == 1


def test_requests_and_arrivals_tell_how_they_came(client, event, update) -> None:
    before = time.time()
    client.post("/track?ip=0", event(), headers={"User-Agent": "me/1", "Host": "api-in.x"})
    client.post("/engage?strict=1&verbose=1", update(set={"a": 1}))

    first, second = client.sandbox.requests
    assert (first.number, first.endpoint, first.method, first.status) == (1, "/track", "POST", 200)
    assert (first.user_agent, first.region, first.ip) == ("me/1", "in", "0")
    assert (second.strict, second.verbose, second.region) == (True, True, "us")
    arrived = client.sandbox.arrivals
    assert [(a.number, a.request, a.endpoint, a.credentials) for a in arrived] == [
        (1, 1, "/track", "token"),
        (1, 2, "/engage", "token"),
    ]
    assert before <= arrived[0].at <= arrived[1].at <= time.time()


def test_the_control_api_pages_through_everything(client, event, update) -> None:
    sent = [event(**{"$insert_id": str(n)}) for n in range(1, 8)]
    client.strict(*sent, event(time="soon"))
    client.post("/engage", update(set={"a": 1}))
    client.post("/track", sent[:1])

    page = client.get("/_sandbox/events?offset=2&limit=3").json()
    assert (page["total"], page["offset"], page["limit"]) == (7, 2, 3)
    assert [row["record"] for row in page["events"]] == sent[2:5]
    for name, total in {"updates": 1, "dropped": 1, "duplicates": 1, "requests": 3}.items():
        assert client.get(f"/_sandbox/{name}").json()["total"] == total
    assert client.get("/_sandbox/profiles").json()["profiles"][0]["distinct_id"] == "user-1"
    assert client.get("/_sandbox/groups").json()["groups"] == []
    state = client.get("/_sandbox/state").json()
    assert (state["events"], state["updates"], state["dropped"]) == (7, 1, 1)


def test_a_wrong_offset_is_said_to_be_so(client) -> None:
    answer = client.get("/_sandbox/events?offset=-1")

    assert answer.status_code == 400
    assert "whole number" in answer.json()["error"]


def test_reset_forgets_everything(client, event) -> None:
    client.post("/track", event())
    client.sandbox.fault("empty")

    client.post("/_sandbox/reset")

    state = client.sandbox.state
    assert (state["events"], state["requests"], state["faults"]) == (0, 0, [])
    assert client.post("/track", event()).text == "1"


def test_a_sandbox_that_keeps_the_newest_counts_all(client_of, event) -> None:
    client = client_of(Options(keep=3))
    sent = [event(**{"$insert_id": str(n)}) for n in range(1, 6)]

    client.strict(*sent)
    client.strict(sent[4])

    assert client.sandbox.events == sent[2:]
    assert client.sandbox.state["events"] == 5
    assert client.sandbox.state["duplicates"] == 1
    page = client.get("/_sandbox/events?offset=3").json()
    assert [row["number"] for row in page["events"]] == [4, 5]


def test_the_page_shows_arrivals_and_faults_and_escapes_them(client, event, update) -> None:
    evil = "<script>alert('x')</script>\ud83d"
    client.post("/track", [event(evil[:-1], distinct_id='"><img>'), event(evil)])
    client.post("/engage", update("<b>", set={"<i>": 1}), headers={"User-Agent": "<u>"})
    client.sandbox.fault("html", body="<h1>")
    client.sandbox.fault("status", retry_after="$counts")

    page = client.get("/")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "&lt;script&gt;alert" in page.text
    assert "&quot;&gt;&lt;img&gt;" in page.text
    for raw in ("<script", "<img", "<b>", "<i>", "<u>", "http://", "https://p"):
        assert raw not in page.text
    assert "$counts" in page.text


def test_the_page_shows_what_was_changed_unasked(client, event, update) -> None:
    client.strict(event(note="x" * 300, time=int(time.time()) + 600))
    client.post("/track?ip=0", event(distinct_id=..., **{"<name>": "<" * 256}))
    client.post("/engage", update(set={"bucket": 1}))

    page = client.get("/").text

    assert "properties.note: cut from 300 to 255 characters; properties.time: was ahead" in page
    assert "a user made of the request&#x27;s address 127.0.0.1" in page
    assert "properties.&lt;name&gt;: cut from 256" in page
    assert "$set.bucket: hidden" in page
    assert "<td>2</td><td>cut_text</td><td>texts over 255 characters are cut</td>" in page
    assert "<td>ip=0</td>" in page


def test_the_notes_are_in_the_json_too(client, event) -> None:
    sent = event(bucket=1)
    client.strict(sent)

    (row,) = client.get("/_sandbox/events").json()["events"]
    assert row["notes"] == [
        {"kind": "hidden_property", "field": "properties.bucket", "text": "hidden"}
    ]
    assert row["sent"] == sent
    assert client.get("/_sandbox/state").json()["notes"] == {"hidden_property": 1}


def test_the_page_of_an_empty_sandbox_says_so(client) -> None:
    page = client.get("/").text

    assert "No events yet." in page
    assert "No faults are in force." in page
    assert "Nothing was changed." in page
