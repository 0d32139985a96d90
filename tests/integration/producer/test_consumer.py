import base64
import json
import os
import socket
from urllib.parse import parse_qs

import pytest

from mixrelay.producer import (
    BufferedConsumer,
    ConfigurationError,
    ConnectionFailedError,
    Consumer,
    Credentials,
    ServerError,
    Tracker,
)
from tests.support.patience import within
from tests.support.processes import status_of

EVENT = (
    '{"data":{"event":"A","properties":{"token":"0123456789abcdef","big":18446744073709551616}}}'
)
UPDATE = '{"data":{"$token":"0123456789abcdef","$distinct_id":"1","$set":{}}}'


def authorization(mixpanel):
    scheme, _, text = mixpanel.requests[0][1]["Authorization"].partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(text).decode()


@pytest.mark.parametrize(
    ("kind", "message", "path"),
    [
        ("event", EVENT, "/track?verbose=1&ip=0"),
        ("import", EVENT, "/import?strict=1&ip=0"),
        ("profile_update", UPDATE, "/engage?verbose=1&strict=1&ip=0"),
        ("group_update", UPDATE, "/groups?verbose=1&strict=1&ip=0"),
    ],
)
def test_each_type_goes_to_its_endpoint(mixpanel, records, kind, message, path):
    assert Consumer(api_host=mixpanel.address).send(kind, message) is True
    assert records() == [(path, [json.loads(message)["data"]])]


def test_a_list_of_records_is_one_request(mixpanel, records):
    Consumer(api_host=mixpanel.address).send("event", '{"data":[{"event":"A"},{"event":"B"}]}')
    assert [found for _, found in records()] == [[{"event": "A"}, {"event": "B"}]]


def test_an_import_authenticates_by_its_own_key_and_does_not_send_it_along(mixpanel, records):
    message = EVENT[:-1] + ',"api_key":"KEY"}'
    Consumer(api_host=mixpanel.address).send("import", message)
    assert authorization(mixpanel) == "KEY:"
    assert "KEY" not in json.dumps(records())


def test_a_service_account_comes_before_an_imports_own_key(mixpanel, records):
    message = EVENT[:-1] + ',"api_key":"KEY"}'
    account = Credentials.service_account("user", "secret", "42")
    Consumer(api_host=mixpanel.address, credentials=account).send("import", message)
    assert authorization(mixpanel) == "user:secret"
    assert "KEY" not in json.dumps(records())


@pytest.mark.parametrize("kind", ["event", "import", "profile_update", "group_update"])
def test_lists_place_nobody_by_this_machines_address(mixpanel, records, kind):
    message = UPDATE if kind.endswith("update") else EVENT
    buffered = BufferedConsumer(Consumer(api_host=mixpanel.address).send)
    buffered.send(kind, message)
    buffered.send(kind, message)
    buffered.flush()
    ((path, sent),) = records()
    assert parse_qs(path.partition("?")[2])["ip"] == ["0"]
    assert sent == [json.loads(message)["data"]] * 2


def test_an_import_without_a_key_uses_the_service_account(mixpanel, records):
    account = Credentials.service_account("user", "secret", "42")
    Consumer(api_host=mixpanel.address, credentials=account).send("import", EVENT)
    assert authorization(mixpanel) == "user:secret"
    assert records()[0][0] == "/import?strict=1&project_id=42&ip=0"


def test_an_import_without_either_uses_its_records_token(mixpanel):
    Consumer(api_host=mixpanel.address).send("import", EVENT)
    assert authorization(mixpanel) == "0123456789abcdef:"


def test_imports_follow_the_events_endpoint(mixpanel, records):
    consumer = Consumer(f"{mixpanel.address}/eu/track", f"{mixpanel.address}/eu/engage")
    for kind in ("event", "import", "profile_update"):
        consumer.send(kind, EVENT)
    paths = [path.partition("?")[0] for path, _ in records()]
    assert paths == ["/eu/track", "/eu/import", "/eu/engage"]


def test_the_base_address_comes_from_the_environment(mixpanel, monkeypatch):
    monkeypatch.setenv("MIXPANEL_API_HOST", mixpanel.address)
    assert Consumer().send("event", EVENT) is True
    assert len(mixpanel.requests) == 1


@pytest.mark.parametrize("address", ["https://host/collect", "https://host", "ftp://host/track"])
def test_an_endpoint_that_cannot_work_is_refused_when_the_consumer_is_made(address):
    with pytest.raises(ConfigurationError):
        Consumer(address)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"1"),
        (200, b'{"status":1,"error":""}'),
        (200, b'{"code":200,"num_records_imported":1,"status":"OK"}'),
    ],
)
def test_what_mixpanel_says_when_it_accepts_is_accepted(mixpanel, answer):
    mixpanel.answer = answer
    assert Consumer(api_host=mixpanel.address).send("event", EVENT) is True


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"0"),
        (200, b""),
        (200, b"true"),
        (200, b"<html>proxy</html>"),
        (200, b'{"status":0,"error":"bad"}'),
        (200, b'{"code":200,"failed_records":[{"index":0}]}'),
        (302, b""),
        (400, b'{"status":1}'),
        (401, b"{}"),
        (503, b""),
    ],
)
def test_any_other_answer_is_an_error_with_its_status(mixpanel, answer):
    mixpanel.answer = answer
    with pytest.raises(ServerError) as caught:
        Consumer(api_host=mixpanel.address).send("event", EVENT)
    assert (caught.value.status, caught.value.body) == (answer[0], answer[1].decode())
    assert len(mixpanel.requests) == 1


def test_a_token_that_an_answer_repeats_is_masked(mixpanel):
    mixpanel.answer = (401, b"bad token 0123456789abcdef")
    with pytest.raises(ServerError) as caught:
        Consumer(api_host=mixpanel.address).send("event", EVENT)
    assert "0123456789abcdef" not in f"{caught.value} {caught.value.body}"


def test_no_connection_is_an_error_that_knows_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionFailedError) as caught:
        Consumer(api_host=f"http://127.0.0.1:{port}").send("event", EVENT)
    assert not caught.value.maybe_delivered


def test_no_answer_within_the_deadline_is_an_error_that_says_it_may_have_arrived():
    with socket.create_server(("127.0.0.1", 0)) as hung:
        address = f"http://127.0.0.1:{hung.getsockname()[1]}"
        with within(2), pytest.raises(ConnectionFailedError) as caught:
            Consumer(api_host=address, deadline=0.2).send("event", EVENT)
    assert caught.value.maybe_delivered


@pytest.mark.parametrize("message", ["", "{", '{"data":1}', "[]", '{"data":[]}'])
def test_what_is_no_message_is_a_value_error_and_is_not_sent(mixpanel, message):
    with pytest.raises(ValueError, match=r"\w"):
        Consumer(api_host=mixpanel.address).send("event", message)
    with pytest.raises(ValueError, match="type"):
        Consumer(api_host=mixpanel.address).send("unknown", EVENT)
    assert not mixpanel.requests


def test_a_consumer_works_on_in_a_forked_child(mixpanel):
    consumer = Consumer(api_host=mixpanel.address)
    consumer.send("event", EVENT)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if consumer.send("event", EVENT) is True else 1)
    assert status_of(pid) == 0
    assert consumer.send("event", EVENT) is True
    assert len(mixpanel.requests) == 3


def test_a_consumer_is_a_sink(mixpanel, records):
    tracker = Tracker("token", Consumer(api_host=mixpanel.address).send)
    assert tracker.people.set("1", {"plan": "Premium"}) is True
    assert records()[0][1][0]["$set"] == {"plan": "Premium"}


def test_alias_is_sent_at_once_whatever_the_sink(mixpanel, records):
    pushed = []
    tracker = Tracker("token", lambda *message: pushed.append(message), api_host=mixpanel.address)
    assert tracker.alias("new_id", "original_id") is True
    assert not pushed
    assert records() == [
        (
            "/track?verbose=1&ip=0",
            [
                {
                    "event": "$create_alias",
                    "properties": {
                        "distinct_id": "original_id",
                        "alias": "new_id",
                        "token": "token",
                    },
                }
            ],
        )
    ]


def test_an_alias_that_fails_is_false_and_the_handler_hears(mixpanel):
    mixpanel.answer = (503, b"")
    heard = []
    tracker = Tracker("token", lambda *_: None, heard.append, api_host=mixpanel.address)
    assert tracker.alias("new_id", "original_id") is False
    assert heard[0].status == 503
