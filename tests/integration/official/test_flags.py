"""Feature flags of Mixpanel's library, whose exposures are events that the consumer queues."""

import asyncio
import json
import re
import ssl
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mixpanel
import pytest
from mixpanel.flags.types import LocalFlagsConfig, RemoteFlagsConfig, SelectedVariant

from mixrelay.producer.official import QueueConsumer
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Queue
from tests.support.patience import joined
from tests.support.works import TOKEN, Works, wait_until

GUIDE = Path(__file__).parents[3] / "docs/other-languages.md"
TLS = Path(__file__).parents[2] / "data" / "tls"
FALLBACK = SelectedVariant(variant_value="fallback")
USER = {"distinct_id": "u"}
DEFINITIONS = {
    "flags": [
        {
            "id": "1",
            "name": "New page",
            "key": "page",
            "status": "enabled",
            "project_id": 1,
            "context": "distinct_id",
            "ruleset": {
                "variants": [{"key": "on", "value": True, "is_control": False, "split": 1.0}],
                "rollout": [{"rollout_percentage": 1.0}],
            },
        }
    ]
}
ANSWER = {"code": 200, "flags": {"page": {"variant_key": "on", "variant_value": True}}}


class Flags(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(DEFINITIONS if "definitions" in self.path else ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def flags_host(monkeypatch):
    """Stands for Mixpanel's flags API, which the library reaches by TLS alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "localhost.pem", TLS / "localhost.key")
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "localhost.pem"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Flags) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        joined(thread)


def library(host, consumer, executor=None):
    return mixpanel.Mixpanel(
        TOKEN,
        consumer,
        local_flags_config=LocalFlagsConfig(host, 5, executor, enable_polling=False),
        remote_flags_config=RemoteFlagsConfig(host, 5, executor),
    )


@pytest.fixture
def exposures(redis, redis_url, tmp_path):
    """What arrived at Mixpanel, by user and the way in which the flag was evaluated."""

    def delivered():
        with Sandbox() as box:
            works = Works(redis_url, Queue(redis), box, tmp_path)
            works.drain()
            assert works.reasons() == []
            assert {event["event"] for event in box.events} <= {"$experiment_started"}
            found = [event["properties"] for event in box.events]
        return [(each["distinct_id"], each["Flag evaluation mode"]) for each in found]

    return delivered


def test_local_flags_expose_through_the_queue(flags_host, redis_url, exposures):
    with library(flags_host, QueueConsumer(redis_url)) as mp:
        mp.local_flags.start_polling_for_definitions()
        assert mp.local_flags.is_enabled("page", USER) is True
        assert mp.local_flags.get_variant_value("page", "fallback", USER) is True
        variants = mp.local_flags.get_all_variants(USER)
        mp.local_flags.track_exposure_event("page", variants["page"], USER)
    assert exposures() == [("u", "local")] * 3


def test_remote_flags_expose_through_the_queue(flags_host, redis_url, exposures):
    with library(flags_host, QueueConsumer(redis_url)) as mp:
        assert mp.remote_flags.is_enabled("page", USER) is True
        variants = mp.remote_flags.get_all_variants(USER)
        mp.remote_flags.track_exposure_event("page", variants["page"], USER)
    assert exposures() == [("u", "remote")] * 2


def test_remote_flags_expose_from_an_event_loop(flags_host, redis, redis_url, exposures):
    async def ask():
        async with library(flags_host, QueueConsumer(redis_url)) as mp:
            assert await mp.remote_flags.ais_enabled("page", USER) is True
            # The library sends from a thread of its own after it has returned.
            queued = partial(redis.llen, "mixpanel_queue")
            await asyncio.to_thread(wait_until, queued, "an exposure in the queue")
            await mp.remote_flags.atrack_exposure_event("page", FALLBACK, USER)

    asyncio.run(ask())
    assert exposures() == [("u", "remote")] * 2


def test_exposures_may_come_from_an_executors_threads(flags_host, redis_url, exposures):
    with (
        ThreadPoolExecutor(4) as executor,
        library(flags_host, QueueConsumer(redis_url), executor) as mp,
    ):
        mp.local_flags.start_polling_for_definitions()
        # "0" would be a placeholder, which Mixpanel refuses.
        users = [f"user-{n}" for n in range(50)]
        assert all(mp.local_flags.is_enabled("page", {"distinct_id": user}) for user in users)
        executor.shutdown()
    assert sorted(exposures()) == sorted((user, "local") for user in users)


def test_flags_are_right_although_redis_is_away(flags_host):
    heard = []
    away = QueueConsumer("redis://127.0.0.1:1/0", error_handler=heard.append, spool_dir="off")
    with library(flags_host, away) as mp:
        mp.local_flags.start_polling_for_definitions()
        assert mp.local_flags.is_enabled("page", USER) is True
        assert mp.remote_flags.is_enabled("page", USER) is True
    assert len(heard) == 2


def test_openfeature_as_the_guide_has_it_exposes_through_the_queue(
    flags_host, redis_url, exposures, monkeypatch
):
    pytest.importorskip("mixpanel_openfeature", reason="pip install mixpanel-openfeature")
    from openfeature import api  # noqa: PLC0415 - where it is installed
    from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415

    monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
    [printed] = re.findall(r"^  ```py\n(.*?)^  ```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    program = textwrap.dedent(printed)
    here = f"LocalFlagsConfig({flags_host!r}, 5, None, enable_polling=False)"
    assert "LocalFlagsConfig()" in program
    exec(program.replace("LocalFlagsConfig()", here), {"QueueConsumer": QueueConsumer})
    try:
        context = EvaluationContext(attributes={"distinct_id": "u"})
        assert api.get_client().get_boolean_value("page", False, context) is True
    finally:
        api.shutdown()
    assert exposures() == [("u", "local")]
