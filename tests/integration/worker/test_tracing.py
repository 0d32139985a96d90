"""The way of a trace: from the call that tracks, in the message, to the span of the request."""

import json
import os
import signal
import subprocess
import sys

import orjson
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mixrelay.producer import Tracker
from mixrelay.shared.tuples import read, write
from mixrelay.worker.deliver.tracing import LINKS_AT_MOST
from tests.support.processes import Process, finished
from tests.support.works import COMMAND, TOKEN, event, update, wait_until

PARENT = "00-{:032x}-{:016x}-01"


@pytest.fixture(scope="module")
def exporter():
    """The process's one provider, as an application sets it up."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def spans(exporter):
    exporter.clear()
    return exporter.get_finished_spans


@pytest.fixture
def tracker(works, monkeypatch):
    monkeypatch.setenv("MIXRELAY_OTEL", "on")
    return Tracker(TOKEN, redis_url=works.url, spool_dir="off")


def traced(user, parent):
    return write("event", orjson.dumps(data_of(user) | {"traceparent": parent}).decode())


def data_of(user):
    return json.loads(json.loads(event(user))[1])


def test_a_span_of_a_request_links_to_the_traces_of_its_messages(works, tracker, spans):
    tracer = trace.get_tracer("application")
    with tracer.start_as_current_span("checkout") as first:
        tracker.track("ann", "Paid", {"traceparent": "mine"})
        tracker.people.set("ann", {"plan": "pro"})
    with tracer.start_as_current_span("signup") as second:
        tracker.track("bob", "Paid")
    tracker.track("eve", "Paid")
    with tracer.start_as_current_span("around the worker"):
        works.drain(otel=True)

    found = {span.name: span for span in spans() if span.name.startswith("deliver")}
    assert set(found) == {"deliver import", "deliver engage"}
    span = found["deliver import"]
    told = [first.get_span_context(), second.get_span_context()]
    assert [link.context.span_id for link in span.links] == [one.span_id for one in told]
    assert [link.context.trace_id for link in span.links] == [one.trace_id for one in told]
    assert span.parent is None
    assert span.context.trace_id not in {one.trace_id for one in told}
    assert dict(span.attributes or {}) | {"mixrelay.batch_id": "", "mixrelay.destination": ""} == {
        "messaging.system": "mixrelay",
        "messaging.operation.name": "deliver",
        "messaging.operation.type": "process",
        "messaging.destination.name": "mixpanel_queue",
        "messaging.batch.message_count": 3,
        "mixrelay.destination": "",
        "mixrelay.lane": "event",
        "mixrelay.batch_id": "",
        "mixrelay.attempts": 0,
        "http.response.status_code": 200,
    }


def test_the_trace_becomes_no_property_and_the_caller_s_own_stays(works, tracker):
    with trace.get_tracer("application").start_as_current_span("checkout"):
        tracker.track("ann", "Paid", {"traceparent": "mine"})
        tracker.people.set("ann", {"plan": "pro"})
    works.drain()
    [arrived] = works.box.events
    assert arrived["properties"]["traceparent"] == "mine"
    assert set(arrived) == {"event", "properties"}
    assert "traceparent" not in json.dumps(works.box.profiles)


def test_a_message_with_a_trace_is_read_as_one_without(works):
    plain = event("ann")
    message = json.loads(json.loads(plain)[1])
    for more in ({"traceparent": PARENT.format(1, 2)}, {"api_key": "k", "traceparent": "?"}):
        found = read(write("event", json.dumps(message | more)))
        assert found.data == read(plain).data
        assert found.api_key == more.get("api_key")


def test_links_are_bounded_and_each_trace_is_linked_once(works, spans):
    many = [traced(f"u{n}", PARENT.format(n + 1, 1)) for n in range(LINKS_AT_MOST + 20)]
    works.push(*[traced("twice", PARENT.format(9, 9))] * 2)
    works.drain(otel=True)
    assert len(spans()[-1].links) == 1
    works.push(*many)
    works.drain(otel=True)
    assert len(spans()[-1].links) == LINKS_AT_MOST


@pytest.mark.parametrize("told", ["", "00-zz", 5, None, "00-" + "0" * 32 + "-" + "0" * 16 + "-00"])
def test_a_trace_that_is_none_hinders_no_delivery(works, spans, told):
    message = json.dumps(data_of("ann") | {"traceparent": told})
    works.push(write("event", message), orjson.dumps(["event", json.loads(message)]))
    works.drain(otel=True)
    assert works.users() == ["ann", "ann"]
    assert not spans()[-1].links


def test_a_record_as_deep_as_the_parser_goes_has_no_trace_and_hinders_nothing(works, spans):
    """It is read without what stands around it, which is one level more."""
    word, message = json.loads(update("deep", **{"$set": {"traceparent": "HERE"}}))
    deep = message.replace('"HERE"', "[" * 1_022 + "]" * 1_022)
    payload = write(word, deep)
    assert read(payload).data["$distinct_id"] == "deep"
    works.push(payload, update("ann", **{"$set": {"plan": "pro"}}))
    works.drain(otel=True)
    assert "ann" in json.dumps(works.box.profiles)
    assert not spans()[-1].links


def test_a_refusal_and_a_broken_connection_are_errors_of_the_span(works, spans):
    works.push(event("ann"))
    works.box.fault("status", status=503, count=1)
    works.drain(otel=True)
    refused, accepted = spans()
    assert refused.attributes["http.response.status_code"] == 503
    assert refused.attributes["error.type"] == "503"
    assert (refused.status.is_ok, accepted.status.is_ok) == (False, True)


def test_without_the_setting_no_span_is_opened_and_nothing_is_written(works, spans, monkeypatch):
    monkeypatch.delenv("MIXRELAY_OTEL", raising=False)
    tracker = Tracker(TOKEN, redis_url=works.url, spool_dir="off")
    with trace.get_tracer("application").start_as_current_span("checkout"):
        tracker.track("ann", "Paid")
    assert b"traceparent" not in works.queue.redis.lindex("mixpanel_queue", 0)
    works.drain()
    assert [span.name for span in spans()] == ["checkout"]


PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
provider = TracerProvider()
out = open({path!r}, "a", buffering=1)
slow = BatchSpanProcessor(ConsoleSpanExporter(out=out), schedule_delay_millis=60_000)
provider.add_span_processor(slow)
trace.set_tracer_provider(provider)
"""


def test_spans_of_a_work_horse_are_exported_before_it_ends(works, tmp_path):
    exported = tmp_path / "spans"
    exported.touch()
    environ = os.environ | {
        "MIXRELAY_REDIS_URL": works.url,
        "MIXPANEL_API_HOST": works.box.url,
        "MIXPANEL_TOKEN": TOKEN,
        "MIXRELAY_LINGER": "0.05",
        "MIXRELAY_OTEL": "on",
    }
    works.push(event("ann"))
    command = [sys.executable, "-c", PROVIDER.format(path=str(exported)) + COMMAND]
    with Process(command, env=environ, stderr=subprocess.PIPE) as running:
        try:
            wait_until(lambda: works.box.events, "the event")
            assert exported.read_text() == ""
            running.send_signal(signal.SIGTERM)
            assert running.wait(20) == 0
        finally:
            running.kill()
    assert '"name": "deliver import"' in exported.read_text()


def test_updates_of_a_profile_have_spans_too(works, spans):
    works.push(update("ann", **{"$set": {"plan": "pro"}}))
    works.drain(otel=True)
    assert [span.name for span in spans()] == ["deliver engage"]


HIDDEN = """
import importlib.abc, logging, sys
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
logging.basicConfig()
from mixrelay.producer import Tracker
from mixrelay.worker.deliver.tracing import Tracing
got = []
Tracker("t", lambda kind, message: got.append(message)).track("ann", "Paid")
assert "traceparent" not in got[0]
assert Tracing.of("mixpanel_queue") is None
"""


def test_without_the_packages_all_goes_on_and_says_what_to_install():
    ended = finished(
        [sys.executable, "-c", HIDDEN],
        env=os.environ | {"MIXRELAY_OTEL": "on"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("pip install 'mixrelay[otel]'") == 2


def test_off_the_producer_imports_nothing_of_opentelemetry():
    code = (
        "import sys\nfrom mixrelay.producer import Tracker\n"
        "Tracker('t', print)\nassert 'opentelemetry' not in sys.modules"
    )
    environ = {name: told for name, told in os.environ.items() if name != "MIXRELAY_OTEL"}
    finished([sys.executable, "-c", code], env=environ, check=True, timeout=30)
