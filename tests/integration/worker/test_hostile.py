"""Messages that try to stop the lane: each ends as a letter that says why, or arrives."""

import orjson
import pytest

from mixrelay.shared.queue import Number
from tests.support.works import TOKEN, Works, event


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def around(limit: int) -> list[int]:
    return [*range(limit - 80, limit + 10), 100_000]


@pytest.mark.parametrize("shape", ["one", "list", "nested list", "object"])
def test_a_message_nested_at_any_depth_stops_nothing(works: Works, shape: str) -> None:
    depths = [1, 90, 200, 500, *around(1_000), *around(1_024)]
    for depth in depths:
        properties = f'{{"token":"{TOKEN}","distinct_id":"x","a":{nested(depth)}}}'
        inner = f'{{"event":"e","properties":{properties}}}'
        text = {
            "one": f'{{"data":{inner}}}',
            "list": f'{{"data":[{inner}]}}',
            "nested list": "[" * depth + inner + "]" * depth,
            "object": f'{{"data":{inner}}}',
        }[shape]
        message = text if shape == "object" else orjson.dumps(text).decode()
        works.push(f'["event",{message}]'.encode())
    works.push(event("last"))
    works.drain()
    assert "last" in works.users()
    assert works.books.totals["delivered"] + works.books.dead == len(depths) + 1
    assert set(works.reasons()) <= {"malformed", "invalid"}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b'["event"]',
        b'["event","{}","third"]',
        b'["event",null]',
        b'["event","not json"]',
        b'["event","[]"]',
        b'["event","{\\"data\\":{\\"event\\":\\"e\\",\\"properties\\":{\\"x\\":NaN}}}"]',
        b'["event","\\ud83d"]',
        b'["event","{\\"data\\":\\"\xff\\"}"]',
        b'["event","{\\"data\\":{\\"event\\":\\"e\\",\\"properties\\":{\\"n\\":'
        + b"9" * 400
        + b'}}}"]',
        b'["unknown","{}"]',
        b'["profile_update","{\\"data\\":{\\"$set\\":{}}}"]',
        b'["import","{\\"data\\":{},\\"api_key\\":7}"]',
        b'["event","{\\"data\\":{\\"event\\":\\"\\",\\"properties\\":[]}}"]',
        b'["event","' + b"x" * 5_000_000 + b'"]',
        b'["event","{\\"data\\":[1,[2,[{}]],null]}"]',
    ],
    ids=lambda payload: payload[:40].decode("latin-1"),
)
def test_a_broken_message_is_a_letter_with_its_bytes_and_a_reason(
    works: Works, payload: bytes
) -> None:
    works.push(event("before"), payload, event("after"))
    works.drain()
    assert sorted(works.users()) == ["after", "before"]
    letters = works.letters()
    assert letters
    assert all(letter.error and letter.reason in {"malformed", "invalid"} for letter in letters)
    if len(letters) == 1:
        assert letters[0].payload == payload
    assert works.books.difference == 0


def test_a_record_over_a_megabyte_is_too_large_and_its_neighbours_arrive(works: Works) -> None:
    works.push(event("before"), event("huge", pad="x" * 1_100_000), event("after"))
    works.drain()
    assert sorted(works.users()) == ["after", "before"]
    assert works.reasons() == ["too_large"]
    assert works.letters()[0].id == Number("0-2")
