"""What RQ does: the workers, their shifts, and jobs that ended badly."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.registry import FailedJobRegistry, StartedJobRegistry
from starlette.responses import Response

from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.status.fleet import workers as seen_by_rq
from mixrelay.console.status.tokens import region_of, sorted_tokens
from mixrelay.shared.connection import connect
from mixrelay.worker.rq.job import Job
from mixrelay.worker.rq.queue import Shifts, queue_name

_SHOWN = 20
_ERROR_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Shift:
    """A job of RQ's as the page shows it."""

    id: str
    what: str
    began: datetime | None
    messages: int | None
    error: str


def workers(call: Call) -> Response:
    name = call.queue.name
    rq_url = call.place.settings.rq_url
    redis = connect(rq_url)
    try:
        queue = Shifts(redis, name, job_timeout=1).queue
        running = _shifts(redis, StartedJobRegistry(queue=queue).get_job_ids())
        failed_ids = FailedJobRegistry(queue=queue).get_job_ids()
        waiting = len(queue)
        failed = _shifts(redis, failed_ids[-_SHOWN:][::-1])
    except RedisError as error:
        return call.page("workers.html", **_nothing(call, str(error)))
    finally:
        redis.close()
    return call.page(
        "workers.html",
        workers=seen_by_rq(rq_url, queue_name(name)),
        running=running,
        waiting=waiting,
        failed=failed,
        failed_count=len(failed_ids),
        rq_queue=queue_name(name),
        mistake="",
        **_tokens(call),
    )


def _tokens(call: Call) -> dict[str, Any]:
    books = call.queue.books()
    return {"tokens": sorted_tokens(books), "now_ms": books.now_ms, "region_of": region_of}


def _nothing(call: Call, error: str) -> dict[str, Any]:
    return {
        "workers": None,
        "running": [],
        "waiting": 0,
        "failed": [],
        "failed_count": 0,
        "rq_queue": queue_name(call.queue.name),
        "mistake": f"RQ's keys cannot be read: {error}",
        **_tokens(call),
    }


def _shifts(redis: Redis, ids: list[str]) -> list[Shift]:
    return list(_read(redis, ids[:_SHOWN]))


def _read(redis: Redis, ids: list[str]) -> Iterator[Shift]:
    for job_id in ids:
        try:
            job = Job.fetch(job_id.split(":", 1)[0], connection=redis, serializer="json")
        except NoSuchJobError:
            continue
        meta = job.meta if isinstance(job.meta, dict) else {}
        messages = meta.get("messages")
        yield Shift(
            id=job.id,
            what=job.func_name or "?",
            began=job.started_at,
            messages=messages if isinstance(messages, int) else None,
            error=(job.exc_info or "")[-_ERROR_CHARACTERS:],
        )


ROUTES = [route("/workers", "workers", workers)]
