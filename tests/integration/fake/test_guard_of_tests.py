"""A test that forgot the fixture: nothing is pushed, nothing is kept, and it is said."""

import sys

import pytest
import redis

from tests.support.processes import finished

TESTS = """
import fakeredis, pytest
from mixrelay import Tracker

tracker = Tracker("token", redis_url={url!r})

def test_forgets():
    assert tracker.track("u", "Forgotten") is False
    assert (tracker.counters.failed, tracker.counters.spooled) == (1, 0)

def test_asks(mixrelay_events):
    assert tracker.track("u", "Asked")
    mixrelay_events.assert_tracked("Asked")

def test_drains(mixrelay_drain):
    assert tracker.track("u", "Drained")
    mixrelay_drain().assert_tracked("Drained")

def test_uses_a_fake():
    assert Tracker("token", redis=fakeredis.FakeRedis()).track("u", "Faked")

def test_has_a_sink():
    assert Tracker("token", sink=lambda *_: True).track("u", "Own")

@pytest.mark.mixrelay_real_pushes
def test_means_it():
    assert tracker.track("u", "Meant")

def test_forgets_again():
    assert tracker.track("u", "Forgotten") is False

@pytest.fixture(scope="session")
def shop():
    return tracker.track("u", "From a session's fixture")

def test_has_a_fixture_that_forgets(shop):
    assert shop is False
"""


def run(tmp_path, url, *arguments):
    (tmp_path / "test_app.py").write_text(TESTS.format(url=url))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return finished(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "XDG_STATE_HOME": str(tmp_path / "state")},
    )


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_only_who_means_it_reaches_a_server(tmp_path, redis_url, arguments):
    done = run(tmp_path, redis_url, *arguments)
    assert "8 passed" in done.stdout, done.stdout
    with redis.Redis.from_url(redis_url) as client:
        pushed = client.lrange("mixpanel_queue", 0, -1)
    assert [b"Meant" in one for one in pushed] == [True]
    assert not (tmp_path / "state").exists()
    said = done.stdout[done.stdout.index("nothing was pushed") :]
    named = [line for line in said.splitlines() if line.startswith("test_app.py")]
    assert sorted(named) == [
        "test_app.py::test_forgets",
        "test_app.py::test_forgets_again",
        "test_app.py::test_has_a_fixture_that_forgets",
    ]
    assert "Ask for mixrelay_events or mixrelay_drain" in said


def test_a_setting_lets_all_push(tmp_path, redis_url):
    (tmp_path / "pytest.ini").write_text("[pytest]\nmixrelay_real_pushes = true\n")
    done = run(tmp_path, redis_url, "-k", "forgets_again", "--strict-config")
    assert "1 failed" in done.stdout  # it says that the call was refused, and it was not
    assert "nothing was pushed" not in done.stdout
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("mixpanel_queue") == 1


def test_the_refusal_says_what_to_do(tmp_path):
    done = run(tmp_path, "redis://:secret@localhost:1/0", "-k", "forgets_again", "-s")
    assert "secret" not in done.stdout + done.stderr
    (tmp_path / "test_app.py").write_text(
        "from mixrelay import Tracker\n"
        "def test_hears():\n"
        "    heard = []\n"
        "    Tracker('t', error_handler=heard.append).people.set('u', {})\n"
        "    Tracker('t', error_handler=heard.append).people.set('u', {'a': 1})\n"
        "    assert 'fixture mixrelay_events or mixrelay_drain' in str(heard[-1])\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = finished(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout
