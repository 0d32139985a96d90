"""A process ends right after a call: what the call answered True for is in the queue."""

import signal
import sys

import pytest

from tests.support.processes import finished

CALLS = """
import os, signal, sys
from mixrelay.producer import Tracker
tracker = Tracker("token")
answers = [tracker.track("1", "Event"), tracker.people.plus_one("1", "n")]
with tracker.batch():
    tracker.groups.set("Company", "1", {"n": 1})
if answers == [True, True]:
    {end}
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os._exit(7)", 7),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("sys.exit(7)", 7),
    ],
)
def test_nothing_waits_in_a_process_that_ends(url, store, monkeypatch, end, code):
    monkeypatch.setenv("MIXRELAY_REDIS_URL", url)
    command = [sys.executable, "-c", CALLS.replace("{end}", end)]
    assert finished(command, check=False, timeout=30).returncode == code
    assert store.llen("mixpanel_queue") == 3
