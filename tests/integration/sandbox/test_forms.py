import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

SAMPLES = Path(__file__).parent / "data" / "mixpanel-ruby-http.jsonl"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def base64_of(record) -> str:
    return base64.b64encode(json.dumps(record).encode()).decode()


def recorded_requests() -> list[dict]:
    calls = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    sent = [call["requests"] for call in calls if isinstance(call.get("requests"), list)]
    return [request for requests in sent for request in requests if "data_decoded" in request]


@pytest.mark.parametrize("recorded", recorded_requests(), ids=lambda r: r["host"] + r["path"])
def test_what_the_ruby_library_sent_is_understood(client, recorded) -> None:
    headers = {name: values[0] for name, values in recorded["headers"].items()}
    answer = client.post(
        recorded["path"], data=recorded["body"], headers={**headers, "Host": recorded["host"]}
    )

    assert answer.json()["status"] in {0, 1}  # it cannot do with anything but an object
    sandbox = client.sandbox
    seen = [*sandbox.events, *sandbox.updates, *(drop.record for drop in sandbox.dropped)]
    expected = recorded["data_decoded"]
    assert seen == (expected if isinstance(expected, list) else [expected])
    assert sandbox.requests[0].region == ("eu" if "api-eu" in recorded["host"] else "us")


def spaced(event) -> dict:
    """An event whose base64 has a + in it."""
    made = event(text="~~~>>>???" * 3)
    assert "+" in base64_of(made)
    return made


@pytest.mark.parametrize(
    "encode",
    [
        lambda record: urlencode({"data": base64_of(record)}),
        lambda record: "data=" + base64_of(record),
        lambda record: "data=" + quote(base64_of(record).replace("+", " ")),
        lambda record: urlencode({"data": json.dumps(record)}),
        lambda record: urlencode({"data": json.dumps([record])}),
        json.dumps,
    ],
    ids=["base64", "not encoded", "spaces", "JSON", "list", "JSON alone"],
)
def test_a_form_is_read_as_old_clients_write_it(client, event, encode) -> None:
    sent = spaced(event)

    assert client.post("/track", data=encode(sent), headers=FORM).text == "1"
    assert client.sandbox.events == [sent]


def test_verbose_and_ip_are_read_from_the_form_body(client, event) -> None:
    form = {"data": json.dumps(event()), "verbose": "1", "ip": "0"}

    assert client.post("/track", data=form).json() == {"status": 1, "error": None}
    (request,) = client.sandbox.requests
    assert (request.verbose, request.ip) == (True, "0")


@pytest.mark.parametrize("path", ["/track", "/track/", "/import", "/engage", "/groups"])
def test_a_get_with_its_data_in_the_query_is_taken(client, event, update, path) -> None:
    group = {"$token": "t", "$group_key": "k", "$group_id": "i", "$set": {"a": 1}}
    sent = {"/engage": update(set={"a": 1}), "/groups": group}.get(path, event())
    params = {"ip": "0", "verbose": "0", "data": base64_of(sent), "api_key": "k"}

    assert client.get(path, params=params).text == "1"
    assert [arrival.record for arrival in client.sandbox.arrivals] == [sent]


@pytest.mark.parametrize("path", ["/track", "/import?strict=1"])
def test_gzip_is_taken_for_events(client, event, path) -> None:
    body = gzip.compress(json.dumps([event()]).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}

    answer = client.post(path, data=body, headers=headers, auth=("t", ""))

    assert answer.status_code == 200
    assert client.sandbox.events == [event(time=client.sandbox.events[0]["properties"]["time"])]
    (request,) = client.sandbox.requests
    assert (request.gzip, request.bytes) == (True, len(body))


@pytest.mark.parametrize("path", ["/engage?strict=1", "/groups"])
def test_gzip_is_refused_for_profiles_and_groups(client, update, path) -> None:
    body = gzip.compress(json.dumps([update(set={"a": 1})]).encode())

    answer = client.post(path, data=body, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 400
    assert "gzip" in answer.json()["error"]
    assert client.sandbox.updates == []


@pytest.mark.parametrize("cut", [10, -4])
def test_a_gzip_body_that_ends_early_is_refused(client, event, cut) -> None:
    body = gzip.compress(json.dumps([event()]).encode())[:cut]

    answer = client.post("/track", data=body, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 400
    assert client.sandbox.events == []


def test_gzip_does_not_lift_the_limit_on_a_body(client) -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"1]")

    answer = client.post("/track", data=bomb, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 413


def test_ndjson_is_taken_by_import(client, event) -> None:
    sent = [event(**{"$insert_id": str(n)}) for n in range(1, 4)]
    body = "\n".join(map(json.dumps, sent)) + "\n\n"

    answer = client.post(
        "/import?strict=1",
        data=body,
        headers={"Content-Type": "application/x-ndjson"},
        auth=("t", ""),
    )

    assert answer.json()["num_records_imported"] == 3
    assert client.sandbox.events == sent


UNREADABLE = [
    b"",
    b"[]",
    b"not JSON",
    b'[{"event": NaN}]',
    b'[{"event": "\xff"}]',
    b'[{"event": "\xed\xa0\xbd"}]',
    b"[" * 100_000,
    b"[" * 900 + b"]" * 900,
    b"[" + b"9" * 5_000 + b"]",
    b"data=%%%",
    b"data=bm90IEpTT04%3D",
    b"\xff\xfe[\x00]\x00",
]


@pytest.mark.parametrize("body", UNREADABLE, ids=lambda body: repr(body[:20]))
def test_a_body_that_cannot_be_read_is_said_to_be_so(client, body) -> None:
    assert client.post("/track", data=body, headers=FORM).text == "0"
    told = client.post("/engage?verbose=1", data=body, headers=FORM).json()
    assert told["status"] == 0
    assert told["error"]
    refused = client.post("/import?strict=1", data=body, headers=FORM, auth=("t", ""))
    assert refused.status_code == 400
    assert "failed_records" not in refused.json()
    assert client.sandbox.arrivals == []
