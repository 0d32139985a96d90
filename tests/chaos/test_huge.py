"""Messages far over Mixpanel's limits: kept, named, and never held in memory or printed whole."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.shared.queue import LetterFilter
from tests.chaos.ledger import Findings, Ledger
from tests.support.fleet import COMMAND, Fleet, Worker, wait_until
from tests.support.processes import finished

Tell = Callable[[str, Findings], None]
Size = Callable[[int, int], int]

MIB = 1024 * 1024
PRINTED_AT_MOST = 20_000


def padded(number: int, size: int) -> bytes:
    properties = {"distinct_id": "d", "token": "t", "time": 1_600_000_000, "n": number}
    data = {"event": "Huge", "properties": properties | {"padding": "x" * size}}
    return json.dumps(["event", json.dumps({"data": data})]).encode()


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(one.split()[1]) * 1024 for one in lines if one.startswith("VmHWM")), 0)


@contextmanager
def peak_of_horses(worker: Worker) -> Iterator[Callable[[], int]]:
    """Watches each horse of a worker; tells the highest peak so far."""
    seen, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.append(peak(worker.horse() or 0))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: max(seen)
    finally:
        over.set()
        thread.join(10)


def push_patiently(redis: Redis, payload: bytes) -> None:
    """As someone does whose client has no timeout: ours would refuse to queue it at all."""
    options = redis.connection_pool.connection_kwargs
    with Redis(host=options["host"], port=options["port"], socket_timeout=60) as client:
        client.rpush("mixpanel_queue", payload)


def printed(fleet: Fleet, *arguments: str) -> bytes:
    return finished(
        [COMMAND, *arguments], env=fleet.environment, capture_output=True, check=True, timeout=60
    ).stdout


@pytest.mark.timeout(300)
def test_one_huge_message_is_a_letter_and_its_neighbours_arrive(
    fleet_of: Callable[..., Fleet], ledger: Ledger, size: Size, tell: Tell
) -> None:
    huge = size(12, 100) * MIB
    fleet = fleet_of()
    [worker] = fleet.start()
    wait_until(lambda: worker.horse() is not None, 30, "a horse")
    with peak_of_horses(worker) as highest:
        ledger.push(300)
        fleet.wait_until_drained(60)
        usual = highest()
        push_patiently(ledger.queue.redis, padded(ledger.count, huge))
        ledger.note(1)
        ledger.push(300)
        fleet.wait_until_drained(120)
        extra = highest() - usual
    [letter] = fleet.queue.letters.find(LetterFilter())
    assert letter.reason == "too_large"
    assert len(letter.payload) > huge
    print(f"{huge / MIB:.0f} MiB took {extra / MIB:.0f} MiB")
    assert extra < 8 * huge
    assert len(printed(fleet, "dlq", "list")) < PRINTED_AT_MOST
    assert "horse_died" not in worker.text()
    assert max(map(len, worker.text().splitlines())) < 5_000
    tell(f"a message of {huge // MIB} MiB", ledger.check(dead=1))


@pytest.mark.timeout(300)
def test_a_batch_of_large_messages_takes_no_more_memory_than_a_few_of_them(
    fleet_of: Callable[..., Fleet], ledger: Ledger, size: Size, tell: Tell
) -> None:
    count = size(40, 2_000)
    fleet = fleet_of()
    [worker] = fleet.start()
    wait_until(lambda: worker.horse() is not None, 30, "a horse")
    with peak_of_horses(worker) as highest:
        ledger.push(300)
        fleet.wait_until_drained(60)
        usual = highest()
        for _ in range(0, count, 20):
            fleet.queue.push([padded(ledger.count + n, 900_000) for n in range(20)])
            ledger.note(20)
        fleet.wait_until_drained(240)
        extra = highest() - usual
    print(f"{count} MB took {extra / MIB:.0f} MiB")
    assert extra < 128 * MIB
    tell(f"a backlog of {count} messages of 1 MB", ledger.check())
