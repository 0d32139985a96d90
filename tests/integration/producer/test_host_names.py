"""A host that can be none, such as ``redis..svc``, is said in words, wherever it was written."""

import asyncio

import pytest
from redis import Redis

from mixrelay.producer import AsyncTracker, ConnectionFailedError, Consumer, Tracker
from tests.support.command import mixrelay

HOSTS = ["redis..svc", f"{'x' * 64}.svc"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", [Tracker, AsyncTracker])
def test_what_goes_by_a_client_with_such_a_host_is_kept(tmp_path, kind, host):
    told = []
    tracker = kind("token", redis=Redis(host=host), spool_dir=tmp_path, error_handler=told.append)
    done = tracker.track("1", "Kept")
    if kind is AsyncTracker:
        done = asyncio.run(finish(done))
    assert done is True
    assert tracker.counters.spooled == 1
    assert "the host's name is not valid" in str(told[0])


async def finish(awaited):
    return await awaited


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MIXPANEL_API_HOST", "https://api..mixpanel.com"),
        ("MIXRELAY_PROXY", "http://proxy..svc:3128"),
    ],
)
def test_a_request_to_such_a_host_fails_in_words(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConnectionFailedError, match="the host's name is not valid"):
        Consumer().send("event", '{"data":{"event":"A","properties":{"token":"abc"}}}')


@pytest.mark.parametrize("command", [["status"], ["worker", "--burst"], ["doctor"]])
def test_commands_refuse_it_in_a_line(command):
    ended = mixrelay(*command, expect=None, MIXRELAY_REDIS_URL="redis://redis..svc:6379/0")
    assert ended.returncode != 0
    said = (ended.stdout + ended.stderr).decode()
    assert "MIXRELAY_REDIS_URL" in said
    assert "empty part between two dots" in said
