"""A Redis that can be taken away in the ways a producer meets."""

import json
import signal
import time
from contextlib import contextmanager

from mixrelay.shared.connection import connect
from tests.support.patience import Deadline


def until(happened, seconds=10):
    """Wait for something; fail where it does not happen."""
    deadline = Deadline(seconds)
    while not happened():
        assert not deadline.is_over(), f"it did not happen, {deadline}"
        time.sleep(0.01)


def names(url, queue="q"):
    """Return the names of the queue's events, in order."""
    with connect(url) as client:
        return [event_name(one) for one in client.lrange(queue, 0, -1)]


def event_name(one):
    return json.loads(json.loads(one)[1])["data"]["event"]


@contextmanager
def hung(process):
    """Stop a server: connections are still taken, answers do not come."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
