import json

import pytest

from mixrelay.producer import BufferedConsumer, ConfigurationError, Tracker


@pytest.fixture
def sent():
    return []


def collect(sent):
    def sink(kind, message):
        sent.append((kind, json.loads(message)))

    return sink


def names(sent):
    return [(kind, [record["event"] for record in message["data"]]) for kind, message in sent]


def event(name):
    return json.dumps({"data": {"event": name}})


def test_a_full_buffer_is_one_list_and_the_rest_waits_for_the_flush(sent):
    consumer = BufferedConsumer(collect(sent), max_size=2)
    for name in "abc":
        assert consumer.send("event", event(name)) is True
    assert names(sent) == [("event", ["a", "b"])]
    consumer.flush()
    assert names(sent) == [("event", ["a", "b"]), ("event", ["c"])]
    consumer.flush()
    assert len(sent) == 2


def test_each_type_and_each_key_is_gathered_apart(sent):
    consumer = BufferedConsumer(collect(sent))
    tracker = Tracker("token", consumer.send)
    tracker.track("1", "a")
    tracker.import_event("1", "b", api_key="K1")
    tracker.import_event("1", "c", api_key="K2")
    tracker.import_event("1", "d", api_key="K1")
    tracker.people.set("1", {"big": 2**64})
    consumer.flush()
    assert names(sent[:3]) == [("event", ["a"]), ("import", ["b", "d"]), ("import", ["c"])]
    assert [message.get("api_key") for _, message in sent] == [None, "K1", "K2", None]
    assert sent[3][1]["data"][0]["$set"]["big"] == 2**64


def test_a_list_longer_than_a_request_is_cut(sent):
    consumer = BufferedConsumer(collect(sent), max_size=2)
    consumer.send("event", json.dumps({"data": [{"event": name} for name in "abcde"]}))
    consumer.flush()
    assert [found for _, found in names(sent)] == [["a", "b"], ["c", "d"], ["e"]]


def test_what_was_not_accepted_stays_for_the_next_flush(sent):
    working = False

    def sink(kind, message):
        if not working:
            raise OSError("no network")
        sent.append((kind, json.loads(message)))

    consumer = BufferedConsumer(sink, max_size=2)
    consumer.send("event", event("a"))
    with pytest.raises(OSError, match="no network"):
        consumer.send("event", event("b"))
    with pytest.raises(OSError, match="no network"):
        consumer.flush()
    working = True
    consumer.flush()
    assert names(sent) == [("event", ["a", "b"])]


def test_what_is_no_message_is_not_taken(sent):
    consumer = BufferedConsumer(collect(sent))
    with pytest.raises(ValueError, match="not JSON"):
        consumer.send("event", "{")
    consumer.flush()
    assert not sent


@pytest.mark.parametrize("size", [0, -1, 2001])
def test_a_size_that_mixpanel_would_not_take_is_refused(size):
    with pytest.raises(ConfigurationError, match="1 to 2000"):
        BufferedConsumer(max_size=size)
