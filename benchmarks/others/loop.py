"""The loop of the Ruby library's documentation: pop, JSON.load, send!; into one of three consumers.

`python -m benchmarks.others.loop ours|official|buffered`
"""

import json
import os
import sys
from collections.abc import Callable

import mixpanel
from redis import Redis

from mixrelay.producer import Consumer

Send = Callable[[str, str], object]


def ours(sink: str) -> Send:
    """What stands for `Mixpanel::Consumer` in Python: a request a message."""
    return Consumer(api_host=sink).send


def official(sink: str) -> Send:
    return _of_record(mixpanel.Consumer(events_url=f"{sink}/track"))


def buffered(sink: str) -> Send:
    """Fifty a request, the most that it takes."""
    return _of_record(mixpanel.BufferedConsumer(max_size=50, events_url=f"{sink}/track"))


def _of_record(consumer: mixpanel.Consumer | mixpanel.BufferedConsumer) -> Send:
    """The official consumers take the record that Ruby's message wraps."""
    return lambda _, message: consumer.send("events", json.dumps(json.loads(message)["data"]))


CONSUMERS = {"ours": ours, "official": official, "buffered": buffered}


def main(consumer: str) -> None:
    send = CONSUMERS[consumer](os.environ["BENCH_SINK"])
    queue = Redis.from_url(os.environ["BENCH_REDIS_URL"])
    while isinstance(job := queue.lpop(os.environ["BENCH_QUEUE"]), bytes):
        send(*json.loads(job))


if __name__ == "__main__":
    main(sys.argv[1])
