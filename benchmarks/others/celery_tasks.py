"""A task of Celery for each event; the same gathered by celery-batches, where that is installed."""

import os
from importlib.util import find_spec

from celery import Celery

from benchmarks.others import official

BATCH = 2_000

app = Celery("bench", broker=os.environ["BENCH_REDIS_URL"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task
def send(endpoint: str, record: str) -> None:
    official.send(endpoint, record)


if find_spec("celery_batches"):
    from celery_batches import Batches, SimpleRequest

    @app.task(base=Batches, flush_every=BATCH, flush_interval=1)
    def send_many(requests: list[SimpleRequest]) -> None:
        """Joined as the official BufferedConsumer does it, but as many as Mixpanel takes."""
        official.send("events", f"[{','.join(one.args[1] for one in requests)}]")


def enqueue(records: list[str]) -> None:
    for record in records:
        send.delay("events", record)


def enqueue_for_batches(records: list[str]) -> None:
    for record in records:
        send_many.delay("events", record)
