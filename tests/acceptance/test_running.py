"""The commands that run until they are told to stop, and the main job from one end to the other."""

import json
import os
import signal
import subprocess
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.console.exits import ExitCode
from mixrelay.sandbox import Sandbox
from tests.support.command import COMMAND, environment, mixrelay
from tests.support.patience import within
from tests.support.processes import Process

TOKEN = "00112233445566778899aabbccddeeff"
DATA = Path(__file__).parent.parent / "data"


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[tuple[str, Process]]:
    """A command and the address that its first line of output is."""
    with Process(
        [COMMAND, *arguments],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().decode().strip(), process
        finally:
            process.kill()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_valkey_keeps_its_data_and_the_settings_that_a_queue_needs(
    tmp_path: Path, signum: signal.Signals
) -> None:
    data = tmp_path / "data"
    with running("valkey", "--dir", str(data), "--port", "0") as (url, server):
        with Redis.from_url(url) as client:
            client.rpush("mixpanel_queue", "kept")
            assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
            assert client.config_get("appendonly")["appendonly"] == "yes"
            assert client.config_get("appendfsync")["appendfsync"] == "everysec"
        server.send_signal(signum)
        assert server.wait(20) == ExitCode.OK
    files = [data, *data.rglob("*")]
    assert len(files) > 2
    assert [path for path in files if path.stat().st_mode & 0o077] == [], "its user's alone"
    with running("valkey", "--dir", str(data), "--port", "0") as (url, server):
        with Redis.from_url(url) as client:
            assert client.lrange("mixpanel_queue", 0, -1) == [b"kept"]
        server.terminate()
        assert server.wait(20) == ExitCode.OK


def test_a_valkey_that_dies_by_itself_is_a_failure(tmp_path: Path) -> None:
    with running("valkey", "--dir", str(tmp_path), "--port", "0") as (url, server):
        with Redis.from_url(url) as client:
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
        assert server.wait(20) == ExitCode.FINDING


def test_a_port_in_use_is_named(redis_url: str, tmp_path: Path) -> None:
    port = redis_url.rpartition(":")[2]
    for arguments in (["valkey", "--dir", str(tmp_path)], ["sandbox"]):
        ended = mixrelay(*arguments, "--port", port, expect=ExitCode.FINDING)
        assert port.encode() in ended.stderr
        assert b"Choose another --port" in ended.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_sandbox_serves_until_a_signal_and_ends_well(signum: signal.Signals) -> None:
    with running("sandbox", "--port", "0", "--token", TOKEN) as (url, server):
        with urllib.request.urlopen(f"{url}/_sandbox/state", timeout=10) as answer:
            assert json.load(answer)["events"] == 0
        server.send_signal(signum)
        assert server.wait(20) == ExitCode.OK


def test_the_sandbox_takes_its_settings_and_revokes_a_token() -> None:
    settings = ["--token", TOKEN, "--id-merge", "original", "--hot-shard-limit", "1"]
    tables = ["--lookup-table", "t-1=Songs", "--lookup-table", "t-2", "--group-key", "company"]
    account = ["--service-account-username", "u", "--service-account-secret", "s"]
    event = {"event": "E", "properties": {"token": TOKEN, "distinct_id": "u"}}
    with running("sandbox", "--port", "0", *settings, *tables, *account, "--project-id", "7") as (
        url,
        _,
    ):
        for _ in range(2):
            assert posted(f"{url}/track", event) == 1
        posted(f"{url}/_sandbox/credentials", {"revoke": [TOKEN]})
        assert posted(f"{url}/track", event) == 1
        with urllib.request.urlopen(f"{url}/_sandbox/events", timeout=10) as answer:
            names = [row["record"]["event"] for row in json.load(answer)["events"]]
        listing = urllib.request.Request(f"{url}/lookup-tables?project_id=7")
        listing.add_header("Authorization", f"Basic {b64encode(b'u:s').decode()}")
        with urllib.request.urlopen(listing, timeout=10) as answer:
            found = json.load(answer)["results"]
    assert names == ["E", "$hotshard_events"]
    assert found == [{"id": "t-1", "name": "Songs"}, {"id": "t-2", "name": "t-2"}]


def posted(url: str, body: object) -> object:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_a_log_of_mixpanel_s_ruby_library_is_pushed_delivered_and_accounted_for(
    redis_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "MIXPANEL_LOG.txt"
    written = (DATA / "mixpanel-ruby.jsonl").read_bytes()
    log.write_bytes(written)
    count = len(written.splitlines())
    with Sandbox() as mixpanel:
        settings = {
            "MIXRELAY_REDIS_URL": redis_url,
            "MIXPANEL_API_HOST": mixpanel.url,
            "MIXPANEL_TOKEN": TOKEN,
        }
        assert mixrelay("push", str(log), **settings).stdout == f"Pushed {count} tuples.\n".encode()
        mixrelay("worker", "--burst", **settings)
        arrived = len(mixpanel.events) + len(mixpanel.updates)
    figures = json.loads(mixrelay("status", "--json", **settings).stdout)
    totals = figures["totals"]
    assert figures["queued"] == figures["in_flight"] == sum(figures["lanes"].values()) == 0
    assert totals["received"] == totals["delivered"] + figures["dead"]
    assert totals["delivered"] == arrived
    assert totals["received"] >= count


def test_a_worker_that_starts_before_redis_waits_and_leaves_on_sigterm() -> None:
    variables = {"MIXRELAY_REDIS_URL": "redis://127.0.0.1:1/0", "MIXPANEL_TOKEN": TOKEN}
    with Process(
        [COMMAND, "worker"], env=environment(**variables), stderr=subprocess.PIPE
    ) as worker:
        assert worker.stderr
        assert b"cannot be used now, trying again" in worker.stderr.readline()
        with within(5):
            worker.terminate()
            assert worker.wait(20) == ExitCode.OK
