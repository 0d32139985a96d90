"""A message of dramatiq for each event."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.others import official

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_REDIS_URL"]))


@dramatiq.actor
def send(endpoint: str, record: str) -> None:
    official.send(endpoint, record)


def enqueue(records: list[str]) -> None:
    for record in records:
        send.send("events", record)
