"""What arrives through the queue is what Mixpanel's own library would have sent.

Each call is recorded once and goes both ways: the library's own Consumer sends it to one
sandbox; QueueConsumer queues it, and a worker sends it to another. These differences are
allowed, and no others:

- Geolocation is off both ways. The library says so beside the records (``ip=0`` in the form),
  the worker in an event without an address (``properties.ip`` is 0), and in the query for
  updates.
- With a service account the worker sends events, too, to ``/import``, which answers for each.
- JSON, many records a request, and gzip in place of a form for each record.
"""

import inspect
from datetime import date

import mixpanel
import pytest
from mixpanel.credentials import ServiceAccountCredentials

from mixrelay.producer.official import QueueConsumer
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.integration.official.calls import CALLS, OwnSerializer, whom
from tests.support.works import TOKEN, Works, dropped

SECRET = "secret-of-the-project"
ACCOUNT = ("svc-user", "svc-secret", "98765")
KNOWN = {
    "with a secret": Options(tokens=[TOKEN], api_secrets=[SECRET]),
    "with a service account": Options(
        tokens=[TOKEN],
        service_account_username=ACCOUNT[0],
        service_account_secret=ACCOUNT[1],
        project_id=ACCOUNT[2],
    ),
}


class BothWays:
    """A consumer that hands what the library says to two others, word for word."""

    def __init__(self, *consumers):
        self.consumers = consumers

    def send(self, *arguments):
        for consumer in self.consumers:
            consumer.send(*arguments)


@pytest.fixture(scope="module", params=KNOWN)
def arrived(request, valkey, tmp_path_factory):
    """For each call what arrived from the library itself, and what through the queue."""
    with_account = request.param == "with a service account"
    options = KNOWN[request.param]
    with Sandbox(options) as direct, Sandbox(options) as box, connect(valkey) as client:
        client.flushall()
        works = Works(valkey, Queue(client), box, tmp_path_factory.mktemp("works"))
        own = mixpanel.Consumer(
            **urls(direct.url),
            credentials=ServiceAccountCredentials(*ACCOUNT) if with_account else None,
        )
        library = mixpanel.Mixpanel(TOKEN, consumer=BothWays(own, QueueConsumer(valkey)))
        for name, call in CALLS.items():
            call(library, name, None if with_account else SECRET)
        account = {
            "project_id": ACCOUNT[2],
            "service_account_username": ACCOUNT[0],
            "service_account_secret": ACCOUNT[1],
        }
        works.drain(to=works.settings(**account if with_account else {}))
        assert works.reasons() == []
        own._session.close()
        yield Arrived(direct), Arrived(box)


def urls(base):
    return {
        "events_url": f"{base}/track",
        "people_url": f"{base}/engage",
        "groups_url": f"{base}/groups",
        "import_url": f"{base}/import",
    }


class Arrived:
    """What a sandbox got, by the call that it came from."""

    def __init__(self, box):
        self.dropped = dropped(box)
        self.requests = {request.number: request for request in box.requests}
        self.by_call = {}
        for arrival in box.arrivals:
            self.by_call.setdefault(whom(arrival.record), []).append(arrival)

    def one(self, name):
        [arrival] = self.by_call[name]
        return arrival, self.requests[arrival.request]


def test_both_ways_everything_arrives_and_nothing_is_dropped(arrived):
    direct, queued = arrived
    assert set(direct.by_call) == set(CALLS)
    assert set(queued.by_call) == set(CALLS)
    assert (direct.dropped, queued.dropped) == ([], [])


@pytest.mark.parametrize("name", CALLS)
def test_a_call_arrives_as_the_library_itself_would_have_sent_it(arrived, name):
    (direct, request), (queued, batch) = (side.one(name) for side in arrived)
    record = queued.record
    if record.get("event") not in {None, "$merge"} and "ip" not in direct.record["properties"]:
        assert record["properties"].pop("ip") == 0
    elif batch.endpoint == "/engage":
        assert batch.ip == "0"
    assert request.ip == "0"
    assert record == direct.record


@pytest.mark.parametrize("name", CALLS)
def test_a_call_goes_to_the_endpoint_that_the_library_chose(arrived, name):
    (direct, _), (queued, _) = (side.one(name) for side in arrived)
    if direct.endpoint == "/track":
        # A worker sends events where Mixpanel names what it refuses.
        assert (queued.endpoint, queued.credentials) in {
            ("/import", "service_account"),
            ("/import", "token"),
        }
    else:
        assert (queued.endpoint, queued.credentials) == (direct.endpoint, direct.credentials)


def test_every_method_of_the_installed_library_is_in_the_matrix():
    methods = {
        name
        for name, _ in inspect.getmembers(mixpanel.Mixpanel, inspect.isfunction)
        if not name.startswith("_")
    }
    # alias never asks the consumer: test_queue_consumer.py.
    assert methods - {"alias"} == {name.partition(" ")[0] for name in CALLS}
    assert len(methods) == 22


def test_a_consumer_of_the_library_is_a_pattern_that_ours_fits():
    ours = inspect.signature(QueueConsumer.send).parameters
    theirs = inspect.signature(mixpanel.Consumer.send).parameters
    assert list(ours) == list(theirs)
    assert [one.default for one in ours.values()] == [one.default for one in theirs.values()]


def test_an_own_serializer_is_heeded(redis, redis_url, tmp_path):
    with Sandbox() as box:
        works = Works(redis_url, Queue(redis), box, tmp_path)
        library = mixpanel.Mixpanel(TOKEN, QueueConsumer(redis_url), OwnSerializer)
        library.track("u", "E", {"at": date(2026, 1, 2), "n": 1})
        works.drain()
        [event] = box.events
    assert event["properties"]["at"] == "2026-01-02"
