"""What the consumer writes, and that nothing reaches its caller."""

import json
import logging
import sys

import mixpanel
import pytest

from mixrelay.producer import DeliveryError, QueueUnavailableError
from mixrelay.producer.official import QueueConsumer
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Queue
from tests.support.processes import finished
from tests.support.works import TOKEN, Works

NOBODY_LISTENS = "redis://127.0.0.1:1/0"
RECORD = '{"event":"E","properties":{}}'


@pytest.fixture
def tuples(redis):
    """What lies in the queue's list."""
    return lambda: [json.loads(payload) for payload in redis.lrange("mixpanel_queue", 0, -1)]


@pytest.fixture
def consumer(redis_url):
    return QueueConsumer(redis_url)


@pytest.fixture
def heard():
    return []


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        ("events", "event"),
        ("people", "profile_update"),
        ("groups", "group_update"),
        ("imports", "import"),
    ],
)
def test_it_writes_the_documented_tuple(consumer, tuples, endpoint, kind):
    assert consumer.send(endpoint, RECORD) is True
    assert tuples() == [[kind, f'{{"data":{RECORD}}}']]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ([("KEY", 'a "secret"')], 'a "secret"'),
        ([(None, "secret")], "secret"),
        (["KEY", "secret"], "secret"),
        ([("KEY", None)], None),
        ([(None, None)], None),
        (["KEY"], None),
        ([], None),
    ],
)
def test_the_secret_goes_along_and_a_key_alone_does_not(consumer, tuples, given, written):
    consumer.send("imports", RECORD, *given)
    [[_, message]] = tuples()
    assert json.loads(message).get("api_key") == written


def test_the_librarys_bytes_are_kept(consumer, tuples):
    text = '{"event":"E","properties":{"n":1.0e-07,"big":18446744073709551617,"t":"\\u00f6"}}'
    consumer.send("events", text)
    assert tuples() == [["event", f'{{"data":{text}}}']]


def test_a_list_is_queued_as_one_message(consumer, redis, redis_url, tmp_path):
    buffered = mixpanel.BufferedConsumer(max_size=2)
    buffered._consumer._session.close()
    buffered._consumer = consumer
    library = mixpanel.Mixpanel(TOKEN, buffered)
    with Sandbox() as box:
        for user in ("a", "b", "c"):
            library.track(user, "E")
        buffered.flush()
        assert redis.llen("mixpanel_queue") == 2
        works = Works(redis_url, Queue(redis), box, tmp_path)
        works.drain()
        assert sorted(works.users()) == ["a", "b", "c"]


def test_what_is_no_json_becomes_a_dead_letter_that_says_so(redis, redis_url, tmp_path):
    library = mixpanel.Mixpanel(TOKEN, QueueConsumer(redis_url))
    with Sandbox() as box:
        library.track("u", "E", {"n": float("nan")})
        library.track("u", "E", {"t": "\ud83d"})
        library.track("u", "Fine")
        works = Works(redis_url, Queue(redis), box, tmp_path)
        works.drain()
        assert [event["event"] for event in box.events] == ["Fine"]
        assert works.reasons() == ["malformed", "malformed"]
        told = " ".join(letter.error for letter in works.letters())
    assert "NaN" in told
    assert "surrogate" in told


@pytest.mark.parametrize("message", ["\ud83d", None, b"{}"])
def test_what_cannot_be_written_down_is_told_to_the_handler(redis_url, heard, tuples, message):
    consumer = QueueConsumer(redis_url, error_handler=heard.append)
    consumer.send("events", message)
    assert len(heard) + len(tuples()) == 1


def test_an_endpoint_that_mixpanel_does_not_have_is_told_to_the_handler(redis_url, heard):
    consumer = QueueConsumer(redis_url, error_handler=heard.append)
    assert consumer.send("nowhere", RECORD) is False
    [error] = heard
    assert isinstance(error, DeliveryError)
    assert "'nowhere'" in str(error)


def test_redis_away_raises_nothing_and_is_told_to_the_handler(heard):
    away = QueueConsumer(NOBODY_LISTENS, error_handler=heard.append, spool_dir="off")
    library = mixpanel.Mixpanel("t", away)
    library.track("u", "E")
    library.people_set("u", {"a": 1})
    assert [type(error) for error in heard] == [QueueUnavailableError] * 2


def test_redis_away_loses_nothing_where_there_is_a_spool(heard, tmp_path):
    away = QueueConsumer(NOBODY_LISTENS, error_handler=heard.append, spool_dir=tmp_path)
    assert away.send("events", RECORD) is True
    assert away.send("people", RECORD) is True
    [kept] = [path for path in tmp_path.rglob("*.jsonl") if path.stat().st_size]
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [kind for kind, _ in lines] == ["event", "profile_update"]
    assert [error.spooled for error in heard] == [True]


def test_without_a_handler_it_is_logged(caplog):
    with caplog.at_level(logging.WARNING, logger="mixrelay.producer"):
        away = QueueConsumer(NOBODY_LISTENS, spool_dir="off")
        assert away.send("events", RECORD) is False
    assert "No connection to Redis" in caplog.text


def test_it_heeds_the_switch_and_counts(monkeypatch, redis_url, tuples):
    QueueConsumer(redis_url).send("events", RECORD)
    monkeypatch.setenv("MIXRELAY_DISABLED", "1")
    off = QueueConsumer(redis_url)
    assert off.send("events", RECORD) is True
    assert off.counters.dropped == 1
    assert len(tuples()) == 1


def test_a_sink_takes_the_place_of_the_queue():
    kept = []
    library = mixpanel.Mixpanel("t", QueueConsumer(sink=lambda *message: kept.append(message)))
    library.group_delete("team", "Acme")
    [(kind, message)] = kept
    assert kind == "group_update"
    assert json.loads(message)["data"]["$group_id"] == "Acme"


def test_what_had_a_buffered_consumer_may_go_on_flushing(consumer, tuples):
    consumer.send("events", RECORD)
    consumer.flush()
    assert len(tuples()) == 1


def test_alias_is_sent_at_once_by_the_library_past_the_consumer(monkeypatch, consumer, tuples):
    with Sandbox() as box:
        own = mixpanel.Consumer(events_url=f"{box.url}/track")
        monkeypatch.setattr(mixpanel, "Consumer", lambda: own)
        mixpanel.Mixpanel(TOKEN, consumer).alias("new", "old")
        own._session.close()
        [event] = box.events
    assert event["event"] == "$create_alias"
    assert tuples() == []


def test_importing_it_needs_no_mixpanel_and_opens_nothing():
    code = (
        "import sys; sys.modules['mixpanel'] = None\n"
        "import mixrelay.producer.official as official\n"
        "assert 'redis' not in sys.modules and 'requests' not in sys.modules\n"
        f"official.QueueConsumer({NOBODY_LISTENS!r})\n"
        "assert 'requests' not in sys.modules"
    )
    finished([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
