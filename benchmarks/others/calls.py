"""What else a request could call: the official library, RQ, Celery, dramatiq, PostHog, Segment.

A queue is fed through the official library too, which builds the event and hands it to a consumer
of one's own: that enqueues it.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import events
from benchmarks.stand import Stand
from benchmarks.way import Way

USER = "user-00001"
_MUCH = 1_000_000
"""Of what waits in a process's memory: more than a round makes, so that nothing is dropped."""


@dataclass(frozen=True)
class Queued:
    """A consumer for `mixpanel.Mixpanel` that only enqueues."""

    send: Callable[[str, str], object]


def mixpanel_ways(at: Stand) -> list[Way]:
    mixpanel, url = importlib.import_module("mixpanel"), f"{at.sink}/track"
    buffered = mixpanel.BufferedConsumer(events_url=url)
    plain = _tracking(mixpanel.Consumer(events_url=url))
    return [
        Way("mixpanel, Consumer", plain, share=50),
        Way("mixpanel, BufferedConsumer", _tracking(buffered), finish=buffered.flush),
    ]


def rq_ways(at: Stand) -> list[Way]:
    queue = importlib.import_module("rq").Queue("bench", connection=at.redis)
    send = importlib.import_module("benchmarks.others.official").send
    enqueue = Queued(lambda endpoint, record: queue.enqueue(send, endpoint, record))
    return [Way("rq enqueue", _tracking(enqueue), share=4)]


def celery_ways(_: Stand) -> list[Way]:
    tasks = importlib.import_module("benchmarks.others.celery_tasks")
    return [Way("celery delay", _tracking(Queued(tasks.send.delay)), share=4)]


def dramatiq_ways(_: Stand) -> list[Way]:
    actors = importlib.import_module("benchmarks.others.dramatiq_actors")
    return [Way("dramatiq send", _tracking(Queued(actors.send.send)), share=4)]


def posthog_ways(at: Stand) -> list[Way]:
    client = importlib.import_module("posthog").Posthog(
        events.TOKEN, host=at.sink, max_queue_size=_MUCH
    )

    def capture() -> object:
        return client.capture(events.NAME, distinct_id=USER, properties=events.PROPERTIES)

    return [Way("posthog capture", capture, finish=client.flush)]


def segment_ways(at: Stand) -> list[Way]:
    client = importlib.import_module("segment.analytics.client").Client(
        events.TOKEN, host=at.sink, max_queue_size=_MUCH
    )

    def track() -> object:
        return client.track(USER, events.NAME, events.PROPERTIES)

    return [Way("segment track", track, finish=client.flush)]


def _tracking(consumer: object) -> Callable[[], object]:
    tracker = importlib.import_module("mixpanel").Mixpanel(events.TOKEN, consumer=consumer)
    return lambda: tracker.track(USER, events.NAME, events.PROPERTIES)


OTHERS = {
    "mixpanel": mixpanel_ways,
    "rq": rq_ways,
    "celery": celery_ways,
    "dramatiq": dramatiq_ways,
    "posthog": posthog_ways,
    "segment": segment_ways,
}


def ways(at: Stand) -> Iterator[tuple[str, list[Way] | str]]:
    """By library; where it is not installed, what is missing."""
    # The modules of tasks, which a worker imports too, read where they are from here.
    os.environ.update({"BENCH_REDIS_URL": at.url, "BENCH_SINK": at.sink})
    for library, make in OTHERS.items():
        try:
            yield library, make(at)
        except ImportError as error:
            yield library, f"{error}; pip install '.[bench]'"
