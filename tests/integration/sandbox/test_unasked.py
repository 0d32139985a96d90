"""What Mixpanel does to events without being asked."""

import json
import time

import pytest

from mixrelay.sandbox.storing import synthetic_user

KIB = 1024


def kinds(client) -> list[str]:
    return [note.kind for note in client.sandbox.arrivals[0].notes]


def stored(client) -> dict:
    (event,) = client.sandbox.events
    return event["properties"]


@pytest.mark.parametrize("path", ["/track", "/import?strict=1"])
@pytest.mark.parametrize("value", [True, "bot", "false"])
def test_an_event_with_ignore_vanishes_without_a_word(client, event, path, value) -> None:
    answer = client.post(path, [event(**{"$ignore": value})], auth=("t", ""))

    assert answer.status_code == 200
    assert "failed_records" not in answer.text
    assert client.sandbox.events == []
    (drop,) = client.sandbox.dropped
    assert (drop.field, drop.silent) == ("properties.$ignore", True)


@pytest.mark.parametrize("value", [False, "", None, 0])
def test_an_empty_ignore_drops_nothing(client, event, value) -> None:
    client.strict(event(**{"$ignore": value}))

    assert len(client.sandbox.events) == 1


def test_an_ignored_event_is_not_counted_as_imported(client, event) -> None:
    answer = client.strict(event(), event(**{"$ignore": True, "$insert_id": "two"}))

    assert answer.json() == {"code": 200, "num_records_imported": 1, "status": "OK"}


def test_texts_are_cut_at_255_characters(client, event) -> None:
    sent = event(
        note="é" * 256,
        whole="x" * 255,
        tags=["ok", "t" * 300],
        inside={"deep": {"er": "d" * 256}},
        distinct_id="u" * 300,
    )
    client.strict(sent)

    assert stored(client)["note"] == "é" * 255
    assert stored(client)["whole"] == "x" * 255
    assert stored(client)["tags"] == ["ok", "t" * 255]
    assert stored(client)["inside"] == {"deep": {"er": "d" * 255}}
    assert stored(client)["distinct_id"] == "u" * 255
    assert kinds(client) == ["cut_text"] * 4
    assert client.sandbox.state["notes"] == {"cut_text": 4}
    assert client.sandbox.arrivals[0].sent == sent
    assert len(sent["properties"]["note"]) == 256


def test_names_are_cut_at_255_characters(client, event) -> None:
    client.strict(event("E" * 300, **{"p" * 300: 1}))

    (stored_event,) = client.sandbox.events
    assert stored_event["event"] == "E" * 255
    assert stored_event["properties"]["p" * 255] == 1
    assert sorted(kinds(client)) == ["cut_name", "cut_name"]


def test_lists_and_objects_of_an_event_end_at_8_kb(client, event) -> None:
    item = "i" * 97  # 100 bytes with its quotes and its comma
    client.strict(
        event(
            cart=[item] * 200,
            small=[item] * 80,
            table={f"{n:03}": "v" * 92 for n in range(200)},  # the same
        )
    )

    assert len(stored(client)["cart"]) == 81
    assert len(stored(client)["small"]) == 80
    assert len(stored(client)["table"]) == 81
    for name in ("cart", "table"):
        assert len(json.dumps(stored(client)[name], separators=(",", ":"))) <= 8 * KIB
    assert kinds(client) == ["cut_list", "cut_list"]


@pytest.mark.parametrize("name", ["bucket", "$bucket"])
def test_a_property_named_bucket_is_hidden(client, event, name) -> None:
    client.strict(event(**{name: "b", "kept": 1}))

    assert name not in stored(client)
    assert stored(client)["kept"] == 1
    assert kinds(client) == ["hidden_property"]


@pytest.mark.parametrize("path", ["/track", "/import?strict=1"])
@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_a_time_ahead_becomes_the_time_of_arrival(client, event, path, unit) -> None:
    before = time.time()
    client.post(path, [event(time=int((before + 1_800) * unit))], auth=("t", ""))

    assert int(before) * unit <= stored(client)["time"] <= (time.time() + 1) * unit
    assert isinstance(stored(client)["time"], int)
    assert kinds(client) == ["time_overwritten"]


def test_an_event_sent_again_with_its_time_ahead_does_not_fold(client, event) -> None:
    ahead = event(time=int((time.time() + 1_800) * 1000))

    client.strict(ahead)
    time.sleep(0.01)
    client.strict(ahead)

    assert len(client.sandbox.events) == 2
    assert client.sandbox.duplicates == []


@pytest.mark.parametrize("wrong", [10**400, 1e300])
def test_track_overwrites_a_time_of_any_size(client, event, wrong) -> None:
    client.post("/track", event(time=wrong))

    assert abs(stored(client)["time"] / 1000 - time.time()) < 60


NOBODY = [{"distinct_id": ...}, {"distinct_id": None}, {"distinct_id": ..., "$user_id": ""}]


@pytest.mark.parametrize("path", ["/track?ip=0", "/track?ip=1", "/import?strict=0"])
@pytest.mark.parametrize("properties", NOBODY, ids=repr)
def test_an_event_without_a_user_gets_one_of_the_requests_address(
    client, event, path, properties
) -> None:
    client.post(path, [event(**properties)], auth=("t", ""))

    assert stored(client)["distinct_id"] == synthetic_user("127.0.0.1")
    assert list(client.sandbox.users) == [synthetic_user("127.0.0.1")]
    assert kinds(client) == ["synthetic_user"]


@pytest.mark.parametrize(
    "properties",
    [
        {"distinct_id": ""},
        {"distinct_id": ..., "$distinct_id": "u"},
        {"distinct_id": ..., "$user_id": "u"},
        {"distinct_id": None, "$device_id": "d"},
    ],
    ids=repr,
)
def test_nobody_and_derived_users_are_left_alone(client, event, properties) -> None:
    sent = event(**properties)
    client.post("/track", [sent])

    assert client.sandbox.events == [sent]
    assert kinds(client) == []


@pytest.mark.parametrize("wrong", ["anonymous", "null", "0", 0, "undefined", True, ["u"], {"a": 1}])
def test_track_drops_a_distinct_id_that_import_refuses(client, event, wrong) -> None:
    good = event(**{"$insert_id": "good"})

    assert client.post("/track", [event(distinct_id=wrong), good]).text == "1"
    assert client.post("/track", event(distinct_id=wrong)).text == "0"

    assert client.sandbox.events == [good]
    assert {drop.field for drop in client.sandbox.dropped} == {"properties.distinct_id"}


def test_time_and_distinct_id_are_read_under_their_other_names_too(client, event) -> None:
    now = int(time.time() * 1000)
    sent = event(time=..., distinct_id=..., **{"$time": now, "$distinct_id": "u"})

    assert client.strict(sent).json()["num_records_imported"] == 1
    assert client.strict(sent).json()["num_records_imported"] == 1

    assert len(client.sandbox.events) == 1
    assert list(client.sandbox.users) == ["u"]


def test_an_image_answers_a_pixel_whatever_became_of_the_record(client, event) -> None:
    for sent in (event(), event("")):
        answer = client.post("/track?img=1&verbose=1", sent)

        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/gif")
        assert answer.content.startswith(b"GIF89a\x01\x00\x01\x00")
    assert len(client.sandbox.events) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/track?callback=app.done", "app.done(1);"),
        ("/track?callback=done&verbose=1", 'done({"status": 1, "error": null});'),
        ("/engage?callback=done", "done(0);"),
    ],
)
def test_a_callback_answers_javascript(client, event, path, body) -> None:
    answer = client.post(path, event())

    assert answer.text == body
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_a_callback_that_is_no_function_name_is_passed_over(client, event) -> None:
    answer = client.post("/track?callback=alert(1)//", event())

    assert answer.text == "1"
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_identity_events_are_stored_as_they_are(client) -> None:
    properties = {"$identified_id": "u" * 300, "$anon_id": "a", "token": "t", "bucket": 1}
    sent = {"event": "$identify", "properties": properties}

    client.post("/track", sent)

    assert client.sandbox.events == [sent]


@pytest.mark.parametrize("wrong", ["", None, 17])
@pytest.mark.parametrize("field", ["$identified_id", "$anon_id"])
def test_identity_events_want_texts(client, field, wrong) -> None:
    properties = {"$identified_id": "u", "$anon_id": "a", "token": "t", field: wrong}

    assert client.post("/track", {"event": "$identify", "properties": properties}).text == "0"

    assert client.sandbox.dropped[0].field == f"properties.{field}"
