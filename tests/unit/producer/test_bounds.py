"""A value without an end, or far larger than a record may be, is refused and fills no memory.

Each is tracked in a process of its own, whose memory is bounded: what does not hold would take the
machine's.
"""

import resource
import sys

import pytest

from mixrelay.producer.records.encoding import message_text
from mixrelay.shared.mixpanel.rules import MAX_RECORD_BYTES
from tests.support.patience import patient
from tests.support.processes import finished

LIMIT = 2 * 2**30
CHILD = """
import collections, resource, sys
from collections import abc
from itertools import count, repeat
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
from fakeredis import FakeRedis
import numpy as np
from mixrelay.producer import InvalidPropertyError, Tracker

class Sequence(abc.Sequence):
    __len__ = lambda self: 3
    __getitem__ = lambda self, index: 1
    __iter__ = lambda self: repeat(1)
class Set(abc.Set):
    __len__ = lambda self: 3
    __contains__ = lambda self, value: True
    __iter__ = lambda self: count()
class Mapping(abc.Mapping):
    __len__ = lambda self: 3
    __getitem__ = lambda self, key: 1
    __iter__ = lambda self: map(str, count())
class Dict(dict):
    __getitem__ = lambda self, key: 1
    __iter__ = lambda self: map(str, count())
    keys = lambda self: self
class List(list):
    __iter__ = lambda self: repeat(1)
class Many(abc.Mapping):
    __len__ = lambda self: 1
    __getitem__ = lambda self, key: 1
    __iter__ = lambda self: iter(["a"])
    getlist = lambda self, key: repeat(1)
def shared(pair):
    value = 0
    for _ in range(40):
        value = pair(value)
    return value

VALUES = {
    "a range": lambda: range(10**9),
    "a sequence": Sequence, "a set": Set, "a mapping": Mapping, "a dict": Dict, "a list": List,
    "lists of a key": Many,
    "lists that share": lambda: shared(lambda one: [one, one]),
    "dicts that share": lambda: shared(lambda one: {"a": one, "b": one}),
    "zeros": lambda: [0] * 10**7,
    "one text often": lambda: ["x" * 10**6] * 5_000,
    "an array": lambda: np.broadcast_to(0, (10**9,)),
    "an array of times": lambda: np.broadcast_to(np.datetime64("2020-01-01"), (10**9,)),
    "a key of 5,000 digits": lambda: {10**5000: 1},
    "a number of 5,000 digits": lambda: 10**5000,
}
value = VALUES[sys.argv[1]]()
def refuses(call, policy):
    try:
        assert call() is False and policy == "dead-letter"
    except InvalidPropertyError as error:
        assert policy == "raise" and len(str(error)) < 1000, str(error)[:200]

tracker = Tracker("token", print, on_invalid="raise")
refuses(lambda: tracker.track("u", "E", {"p": [{"q": value}]}), "raise")
tracker = Tracker("token", redis=FakeRedis(), spool_dir="off", on_invalid="dead-letter")
refuses(lambda: tracker.people.set("u", {"p": value}), "dead-letter")
print("refused")
"""
VALUES = [
    "a range", "a sequence", "a set", "a mapping", "a dict", "a list", "lists of a key", "zeros",
    "lists that share", "dicts that share", "one text often", "an array",
    "an array of times", "a key of 5,000 digits", "a number of 5,000 digits",
]  # fmt: skip


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="memory cannot be bounded here")
@pytest.mark.parametrize("name", VALUES)
def test_what_no_record_can_hold_is_refused_within_bounds(name):
    done = finished(
        [sys.executable, "-c", CHILD, name, str(LIMIT)],
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["refused"]), done.stderr[-2000:]


@pytest.mark.parametrize(
    "value",
    [
        [0] * (MAX_RECORD_BYTES // 2 - 100),
        [[[]] * 1000] * 150,
        ["x" * 1000] * 900,
        {str(number): "é" * 10 for number in range(30_000)},
        [[0]] * (MAX_RECORD_BYTES // 4 - 100),
    ],
    ids=["zeros", "empty lists", "texts", "a dict", "lists of one"],
)
def test_what_a_record_can_hold_is_written(value):
    text = message_text({"p": value}, {})
    assert len(text) < MAX_RECORD_BYTES * 1.01
