"""What a bulk job came to, in words and as JSON."""

from datetime import UTC, datetime
from typing import Any

from mixrelay.console.text import count, duration, iso
from mixrelay.shared.queue import Job, JobKind

DONE = {JobKind.REPLAY: "replayed", JobKind.DISCARD: "discarded", JobKind.FIX: "re-queued"}


def words(job: Job) -> str:
    """One line: `168 re-queued: 160 delivered, 8 failed again (same error)`."""
    if not job.kind.requeues:
        return f"{job.moved:,} discarded"
    parts = [f"{number:,} {said}" for number, said in _parts(job) if number]
    return f"{job.requeued:,} re-queued" + (f": {', '.join(parts)}" if parts else "")


def _parts(job: Job) -> tuple[tuple[int, str], ...]:
    found = job.outcome
    return (
        (found.delivered, "delivered"),
        (found.failed_again, f"failed again{_same(found.same_error, found.failed_again)}"),
        (found.gone, "discarded since"),
        (job.under_way, "under way"),
        (job.undone, "undone"),
    )


def _same(same: int, failed: int) -> str:
    if not same:
        return ""
    return " (same error)" if same == failed else f" ({same:,} of them with the same error)"


def pace(job: Job, now_ms: float) -> str:
    """How fast it goes, and when it will be through; empty where nobody can say."""
    if job.started is None or not job.moved:
        return ""
    end = job.finished or datetime.fromtimestamp(now_ms / 1000, UTC)
    seconds = max((end - job.started).total_seconds(), 0.001)
    speed = job.moved / seconds
    said = (
        f"{count(round(speed), 'letter')} a second"
        if speed >= 1
        else f"{count_a_minute(speed)} a minute"
    )
    left = (job.planned or 0) - job.moved - job.skipped
    if job.state.is_over or left <= 0:
        return said
    return f"{said}, {duration(left / speed)} left"


def count_a_minute(speed: float) -> str:
    """A slow speed, by the minute."""
    return count(round(speed * 60), "letter")


def to_json(job: Job) -> dict[str, Any]:
    """A job as one object (product contract: `mixrelay dlq jobs --json`)."""
    found = job.outcome
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "error": job.error,
        "filter": None if job.named else job.wanted.to_json(),
        "named": job.named,
        "planned": job.planned,
        "processed": job.moved,
        "skipped": job.skipped,
        "looked_at": job.looked,
        "rate": job.rate,
        "who": job.who,
        "why": job.why,
        "background": job.background,
        "created": iso(job.created),
        "started": iso(job.started) if job.started else None,
        "finished": iso(job.finished) if job.finished else None,
        "requeued": job.requeued,
        "delivered": found.delivered,
        "failed_again": found.failed_again,
        "same_error": found.same_error,
        "discarded_since": found.gone,
        "under_way": job.under_way,
        "settled": job.is_settled,
        "undone": job.undone,
        "missing": list(job.missing),
    }
