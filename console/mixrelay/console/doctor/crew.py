"""The workers: is anyone there, do they drain this list, and did RQ give something up?"""

from collections.abc import Iterator

from redis.exceptions import RedisError
from rq import Queue as RqQueue
from rq.registry import FailedJobRegistry
from rq.worker import BaseWorker

from mixrelay.console.doctor.findings import Area, Finding
from mixrelay.console.failures import explain_redis
from mixrelay.console.status.fleet import workers
from mixrelay.console.status.rq_state import rq_state
from mixrelay.console.text import count
from mixrelay.shared.connection import connect
from mixrelay.shared.errors import MixrelayError
from mixrelay.shared.settings import rq_address
from mixrelay.worker.rq.queue import queue_name
from mixrelay.worker.rq.suspension import HOW_TO_RESUME

WORKERS = Area("workers")


def check_workers(rq_redis_url: str, redis_url: str, queue: str) -> Iterator[Finding]:
    """What RQ knows of the workers of a list; RQ's own address may be empty."""
    name, rq_url = queue_name(queue), rq_redis_url or redis_url
    try:
        rq_url = rq_address(rq_redis_url, redis_url)
        seen = workers(rq_url, name)
        others, failed = _elsewhere(rq_url, name)
        state = rq_state(rq_url, name, seen)
    except RedisError as error:
        failure = explain_redis(error, rq_url).failure
        yield WORKERS.error("rq", failure.what, failure.todo)
        return
    except MixrelayError as error:
        yield WORKERS.error("rq", str(error), "Correct MIXRELAY_RQ_REDIS_URL.")
        return
    if seen:
        yield WORKERS.ok("running", f"{count(len(seen), 'worker')} of RQ's queue {name!r}.")
    elif others:
        yield WORKERS.error(
            "running",
            f"No worker drains {queue!r}; workers run for RQ's queues {', '.join(sorted(others))}.",
            "MIXRELAY_QUEUE must be the same for producers and workers.",
        )
    else:
        yield WORKERS.error(
            "running", "No worker runs.", "Start some: mixrelay worker --processes 2."
        )
    if state.suspended:
        yield WORKERS.error(
            "rq suspend", "The workers are suspended: nothing is sent.", f"Run {HOW_TO_RESUME}."
        )
    if failed:
        yield WORKERS.warning(
            "rq's failed jobs",
            f"{count(failed, 'job')} of RQ failed; no message is lost by that.",
            f"rq info -u <MIXRELAY_RQ_REDIS_URL> {name} lists them; the workers' logs say why.",
        )


def _elsewhere(rq_url: str, name: str) -> tuple[set[str], int]:
    redis = connect(rq_url)
    try:
        registered = BaseWorker.all(connection=redis)
        names = {queue for worker in registered for queue in worker.queue_names()}
        failed = FailedJobRegistry(queue=RqQueue(name, connection=redis)).count
    finally:
        redis.close()
    return {other for other in names if other.startswith("mixrelay") and other != name}, failed
