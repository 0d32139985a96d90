"""How long an operator waits for a million dead letters, each answer timed, the slowest of five.

On a Valkey of its own, with the letters buried as a worker buries them; then the same through the
dashboard, with its memory before and after.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from redis import Redis

from benchmarks.benchmark import Benchmark, Goal, Row, Rows, Size, failures, measured, table
from benchmarks.letters_page import ask_pages
from benchmarks.stand import stand
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


def run(size: Size) -> Iterator[Row]:
    letters = size.of(LETTERS)
    with stand() as at:
        queue, began = at.queue, time.monotonic()
        _bury(queue, letters)
        while queue.mend():
            pass
        took = f"{letters:,} in {time.monotonic() - began:.0f} s"
        yield _told("become dead letters", "queue", took)
        yield _told("Valkey's memory", "queue", f"{_memory(at.redis) / letters:.0f} bytes a letter")
        yield from _ask(queue)
        lately = datetime.now(UTC) - timedelta(seconds=20)
        for what, measured_so in ask_pages(at, lately.isoformat()):
            yield _told(what, "page", measured_so)
        yield _act(queue)


def _told(what: str, asked: str, measured_so: str) -> Row:
    return {"name": what, "asked": asked, "measured": measured_so}


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


def _ask(queue: Queue) -> Iterator[Row]:
    now = datetime.now(UTC)
    lately, box, jobs = now - timedelta(seconds=20), queue.letters, queue.jobs
    combined = LetterFilter("rejected", "event", 400, since=lately)
    rare, first = LetterFilter(distinct_id="none"), box.page(LetterFilter())
    rows: dict[str, Callable[[], object]] = {
        "first page": lambda: box.page(LetterFilter()),
        "second page": lambda: box.page(LetterFilter(), first.cursor),
        "a reason": lambda: box.page(LetterFilter("rejected")),
        "reason, status, type and time": lambda: box.page(combined),
        "oldest page": lambda: box.page(LetterFilter(), newest_first=False),
        "an event's name, 5,000 looked at": lambda: box.page(LetterFilter(event="Event 7")),
        "a distinct_id that none has, 5,000 looked at": lambda: box.page(rare),
        "groups: counts, first and last, a sample": box.groups,
        "plan: all": lambda: jobs.plan(LetterFilter()),
        "plan: a reason": lambda: jobs.plan(LetterFilter("rejected")),
        "plan: type and status": lambda: jobs.plan(LetterFilter(type="event", status=400)),
        "plan: reason, status, type and time": lambda: jobs.plan(combined),
        "plan: an event's name, 5,000 looked at": lambda: jobs.plan(LetterFilter(event="Event 7")),
    }
    for what, ask in rows.items():
        yield _told(what, "queue", f"{_seconds(ask) * 1000:.1f} ms")


def _act(queue: Queue) -> Row:
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
    return _told(
        "replay of a reason, in steps",
        "queue",
        f"{job.moved:,} of {plan.count:,} in {seconds:.0f} s, "
        f"the slowest step {slowest * 1000:.0f} ms",
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


def show(rows: Rows) -> str:
    """What is asked, of the queue itself and as the dashboard's page."""
    asked: dict[str, dict[str, str]] = {}
    for row in measured(rows):
        asked.setdefault(row["name"], {})[row["asked"]] = row["measured"]
    lines = [[what, told.get("queue", ""), told.get("page", "")] for what, told in asked.items()]
    return table(("a million dead letters", "the queue", "the dashboard's page"), lines) + failures(
        rows
    )


def goals(_: Rows) -> Iterator[Goal]:
    """None: its figures are watched, not held to."""
    yield from ()


BENCHMARK = Benchmark("letters", "an operator's waits over a million of them", run, show, goals)
