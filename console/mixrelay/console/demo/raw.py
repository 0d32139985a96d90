"""Tuples that are pushed past our producer: as Mixpanel's Ruby library writes them, and broken."""

import json
import time
from collections.abc import Iterator

from mixrelay.console.demo.stage import TOKEN

REFUSED_USER = "user-nobody-likes"
"""The sandbox is told to refuse this one's records, as a rule at Mixpanel might."""


def as_ruby_writes(count: int) -> Iterator[bytes]:
    """`[type, message].to_json` of mixpanel-ruby 3.3.0: no `$insert_id`, the time in milliseconds.

    Each comes twice, byte for byte: two equal events are still two.
    """
    for number in range(count // 2):
        payload = _event("Email Opened", {"distinct_id": f"ruby-{number % 20}", "n": number})
        yield payload
        yield payload


def refused(count: int) -> Iterator[bytes]:
    """Nothing is wrong with them, but Mixpanel says no."""
    for number in range(count):
        yield _event("Order Paid", {"distinct_id": REFUSED_USER, "n": number})


def hopeless() -> list[bytes]:
    """What can never be delivered, each for another reason."""
    return [
        b"no JSON at all",
        b'["event", "{\\"data\\": {\\"event\\": \\"\xff\\"}}"]',
        b'["event", "{\\"data\\": {\\"event\\": \\"NaN\\", \\"properties\\": {\\"x\\": NaN}}}"]',
        b'["evnet", "{\\"data\\": {}}"]',
        _event("Time Is Prose", {"distinct_id": "user-x", "time": "yesterday"}),
        _event("Wide", {"distinct_id": "user-x", **{f"p{n}": n for n in range(300)}}),
    ]


def _event(name: str, properties: dict[str, object]) -> bytes:
    defaults = {
        "token": TOKEN,
        "time": int(time.time() * 1000),
        "mp_lib": "ruby",
        "$lib_version": "3.3.0",
    }
    message = {"data": {"event": name, "properties": {**defaults, **properties}}}
    return json.dumps(["event", json.dumps(message)]).encode()
