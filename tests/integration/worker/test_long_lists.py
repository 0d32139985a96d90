"""A list of records in one message costs its own size a few times, whatever its length (rule 8)."""

import time
from pathlib import Path

import orjson
import pytest

from mixrelay.shared.queue import LetterFilter
from mixrelay.worker.lists.cutting import SLICE_RECORDS
from tests.support.works import TOKEN, Works, event

RECORDS = 12_000
PADDING = "x" * 200


def record(number: int) -> str:
    inner = {"token": TOKEN, "distinct_id": f"u{number}", "time": int(time.time()), "p": PADDING}
    return orjson.dumps({"event": "listed", "properties": inner}).decode()


def change(number: int) -> str:
    inner = {"$token": TOKEN, "$distinct_id": f"u{number % 3}", "$set": {"n": number}}
    return orjson.dumps(inner | {"$ip": PADDING}).decode()


def listed(kind: str, texts: list[str]) -> bytes:
    return orjson.dumps([kind, f'{{"data":[{",".join(texts)}]}}'])


def nested(texts: list[str]) -> bytes:
    some = [f"[{','.join(texts[at : at + 100])}]" for at in range(0, len(texts), 100)]
    return listed("event", some)


def peak(works: Works) -> int:
    """The most memory that the server has had, with what its scripts took."""
    pid = works.queue.redis.info("server")["process_id"]
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(one.split()[1]) * 1024 for one in lines if one.startswith("VmHWM"))


@pytest.mark.parametrize("shape", ["one list", "lists in a list", "lists of 1,000"])
def test_a_long_list_costs_a_few_times_its_size(works: Works, shape: str) -> None:
    texts = [record(number) for number in range(RECORDS)]
    pushed = {
        "one list": [listed("event", texts)],
        "lists in a list": [nested(texts)],
        "lists of 1,000": [
            listed("event", texts[at : at + 1_000]) for at in range(0, RECORDS, 1_000)
        ],
    }[shape]
    size = sum(map(len, pushed))
    before, sent = peak(works), works.queue.redis.info("stats")["total_net_input_bytes"]
    works.push(*pushed)
    works.drain(seconds=60)
    assert sorted(int(user[1:]) for user in works.users()) == list(range(RECORDS))
    books = works.books
    assert (books.dead, books.difference, books.totals["received"]) == (0, 0, RECORDS)
    written = works.queue.redis.info("stats")["total_net_input_bytes"] - sent
    print(f"{written / size:.1f} times its size was sent to the server")
    assert written < 6 * size
    assert peak(works) - before < 20 * size


def test_others_are_sent_in_between(works: Works) -> None:
    works.push(listed("event", [record(number) for number in range(RECORDS)]))
    works.push(*(event("other") for _ in range(10)))
    works.drain(seconds=60, batch_records=SLICE_RECORDS, concurrency=1)
    users = works.users()
    last = max(place for place, user in enumerate(users) if user == "other")
    assert len(users) == RECORDS + 10
    assert last < RECORDS / 2


def test_updates_in_a_list_keep_their_order(works: Works) -> None:
    works.push(listed("profile_update", [change(number) for number in range(RECORDS // 3)]))
    works.push(listed("profile_update", [change(number) for number in range(RECORDS // 3, 4_500)]))
    works.drain(seconds=60, profile_batch_records=500)
    for profile in range(3):
        values = [
            one["$set"]["n"] for one in works.box.updates if one["$distinct_id"] == f"u{profile}"
        ]
        assert values == list(range(profile, 4_500, 3))


def test_a_list_over_the_limit_is_a_letter_as_it_is_until_the_limit_is_raised(works: Works) -> None:
    payload = listed("event", [record(number) for number in range(2_000)])
    works.push(payload, event("other"))
    works.drain(list_bytes=len(payload) - 1)
    [letter] = works.letters()
    assert (letter.reason, letter.payload) == ("too_large", payload)
    assert f"a list of {len(payload):,} bytes, over MIXRELAY_LIST_BYTES" in letter.error
    assert works.users() == ["other"]
    works.queue.replay([letter.id])
    works.drain(list_bytes=len(payload))
    assert list(works.queue.letters.find(LetterFilter())) == []
    assert len(works.users()) == 2_001


def test_a_list_of_too_many_records_is_one_letter(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixrelay.worker.lists.cutting.MOST_RECORDS", 3_000)
    payload = listed("event", ["0"] * 3_001)
    works.push(payload)
    works.drain(seconds=60)
    [letter] = works.letters()
    assert (letter.reason, letter.payload) == ("too_large", payload)
    assert "a list of 3,001 records; one message may hold 3,000" in letter.error
