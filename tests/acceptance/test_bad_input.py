"""Whatever is pushed, the lane goes on: a clear dead letter for each, and nothing vanishes."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import LetterFilter
from tests.support.fleet import Fleet, wait_until

TOKEN = "00112233445566778899aabbccddeeff"


def event(**properties: object) -> bytes:
    record = {"event": "E", "properties": {"token": TOKEN, "distinct_id": "u", **properties}}
    return orjson.dumps(["event", orjson.dumps({"data": record}).decode()])


def message(text: str) -> bytes:
    return orjson.dumps(["event", text])


BAD = {
    "not JSON": (b"hello", "malformed"),
    "nothing": (b"", "malformed"),
    "invalid UTF-8": (b'["event","\xff\xfe"]', "malformed"),
    "cut short": (event()[:-9], "malformed"),
    "NaN in the message": (message('{"data":{"event":"E","properties":{"x":NaN}}}'), "malformed"),
    "a lone surrogate": (b'["event","{\\"data\\":{\\"event\\":\\"\\\\ud83d\\"}}"]', "malformed"),
    "depth 100,000": (b'["event",' + b"[" * 100_000 + b"]" * 100_000 + b"]", "malformed"),
    "depth 100,000 in the text": (message("[" * 100_000 + "]" * 100_000), "malformed"),
    "a number": (b"42", "malformed"),
    "null": (b"null", "malformed"),
    "a string": (b'"event"', "malformed"),
    "an object": (b'{"type":"event"}', "malformed"),
    "an empty list": (b"[]", "malformed"),
    "one element": (b'["event"]', "malformed"),
    "three elements": (b'["event","{}",1]', "malformed"),
    "an unknown type": (b'["evnet","{}"]', "malformed"),
    "a number as type": (b'[1,"{}"]', "malformed"),
    "null as message": (b'["event",null]', "malformed"),
    "a number as message": (b'["event",7]', "malformed"),
    "a record that is a number": (message('{"data":7}'), "malformed"),
    "no event name": (message('{"data":{"properties":{"token":"t"}}}'), "invalid"),
    "properties that are a list": (message('{"data":{"event":"E","properties":[]}}'), "invalid"),
    "5 MB": (event(text="x" * 5_000_000), "too_large"),
    "300 properties": (event(**{f"p{n}": n for n in range(300)}), "invalid"),
    "time that is prose": (event(time="yesterday"), "invalid"),
    "a profile without id": (
        b'["profile_update","{\\"data\\":{\\"$token\\":\\"t\\",\\"$set\\":{}}}"]',
        "invalid",
    ),
    "an unknown operation": (
        b'["profile_update","{\\"data\\":{\\"$token\\":\\"t\\",\\"$distinct_id\\":\\"u\\",\\"$sett\\":{}}}"]',
        "invalid",
    ),
}


@pytest.fixture
def fleet(redis_url: str, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(redis_url, mixpanel.url, tmp_path)
    yield fleet
    fleet.close()


def test_every_kind_of_bad_input_is_a_clear_letter_and_the_lane_goes_on(
    fleet: Fleet, mixpanel: Sandbox
) -> None:
    for payload, _ in BAD.values():
        fleet.queue.push([event(kind="good"), payload, event(kind="good")])
    fleet.start()
    fleet.wait_until_drained(60)

    letters = {letter.payload: letter for letter in fleet.queue.letters.find(LetterFilter())}
    found = {kind: letters.get(payload) for kind, (payload, _) in BAD.items()}
    reasons = {kind: letter and letter.reason for kind, letter in found.items()}
    assert reasons == {kind: reason for kind, (_, reason) in BAD.items()}
    for kind, letter in found.items():
        print(f"{kind:28} {letter.reason:10} {letter.field} {letter.error[:100]}")
        assert len(letter.error) > 10, kind
    assert len(mixpanel.events) == 2 * len(BAD)
    assert fleet.queue.books().difference == 0


@pytest.mark.parametrize("key", ["mixpanel_queue", "{mixpanel_queue}:lane:event"])
def test_a_key_of_another_type_is_a_clear_error_and_work_goes_on_once_it_is_gone(
    fleet: Fleet, mixpanel: Sandbox, key: str
) -> None:
    fleet.queue.redis.set(key, "somebody else's")
    fleet.start()
    worker = fleet.workers[0]
    wait_until(lambda: key in worker.log.read_text(), 20, "the log names the key")
    assert worker.process.poll() is None, worker.tail()
    with pytest.raises(WrongKeyType, match="holds a string, not a list"):
        fleet.queue.route()
    assert fleet.queue.redis.get(key) == b"somebody else's"

    fleet.queue.redis.delete(key)
    fleet.queue.push([event()])
    mixpanel.wait_for(lambda sandbox: len(sandbox.events) == 1, 30)
