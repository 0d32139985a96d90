"""Where a worker's CPU time goes for a drained message, stage by stage.

    python -m benchmarks.where_time_goes [--messages N]

One process does all that a sender does (route, reserve, read, check, send, settle), so that what is
sampled is that and nothing else. A sample is taken every few milliseconds of CPU time, by the
kernel's clock, and belongs to the innermost function that `STAGES` names; measuring costs the
code nothing. Valkey and the sink are other processes.
"""

import argparse
import gc
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

from benchmarks import events, machine
from benchmarks.stand import MEASURED_CORE, pinned, stand
from mixrelay.shared.mixpanel.endpoints import base_address
from mixrelay.shared.mixpanel.transport import Transport
from mixrelay.shared.queue import Batch, Lane, Queue, new_id
from mixrelay.worker.base.clocks import Clocks
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.counting.hot_shards import ShardCounts
from mixrelay.worker.deliver.delivery import Delivery
from mixrelay.worker.deliver.prepare import Preparation
from mixrelay.worker.deliver.writer import Ledger

WARM_UP = 20_000
LEASE_SECONDS = 60.0
EVERY = 0.001
"""Seconds of CPU; a kernel may round it up to its tick."""

STAGES: dict[str, dict[str, set[str]]] = {
    "garbage collection": {"where_time_goes": {"_collected"}},
    "log": {"logging": set()},
    "routing": {"queue/queue": {"route"}, "queue/partition": {"route"}},
    "members of the reply": {
        "queue/batch": set(),
        "queue/members": set(),
        "worker/sorting": {"_payloads"},
    },
    "reply off the socket": {"queue/queue": {"reserve"}, "queue/partition": {"reserve"}},
    "settle": {"worker/ledger": set()},
    "outer JSON": {
        "shared/tuples": {"_outer"},
        "worker/alike": {"_frame", "_are_framed", "_strings"},
    },
    "inner JSON": {
        "shared/tuples": {"_plain", "_unwrapped"},
        "shared/jsontext": set(),
        "worker/alike": {"_objects"},
    },
    "checks": {
        "mixpanel/rules": set(),
        "mixpanel/times": set(),
        "worker/routes": set(),
        "worker/records": {"_time_of", "_event_route", "event_route"},
        "worker/plain": {"plain", "_event_route", "_update_route"},
    },
    "stamps": {"worker/stamps": set(), "worker/plain": {"_event_ends", "_written", "_as_one"}},
    "records": {
        "worker/records": set(),
        "worker/sorting": {"_place", "_prepare"},
        "worker/sorted": {"add"},
    },
    "body": {"worker/sorting": {"body"}, "worker/sorted": {"body"}},
    "gzip": {"mixpanel/transport": {"_gzipped"}, "mixpanel/packing": set()},
    "request": {"mixpanel/transport": set()},
    "the rest of reading": {
        "shared/tuples": {"read"},
        "worker/sorting": {"sort"},
        "worker/alike": {"read_alike"},
    },
}
"""Functions by the end of their module's path; an empty set stands for all of a module."""
REST = "the rest"


def stage(frame: FrameType | None) -> str:
    while frame is not None:
        path, function = frame.f_code.co_filename.removesuffix(".py"), frame.f_code.co_name
        for name, places in STAGES.items():
            for module, functions in places.items():
                inside = path.endswith(module) or f"/{module}/" in path
                if inside and (not functions or function in functions):
                    return name
        frame = frame.f_back
    return REST


@contextmanager
def sampling(samples: Counter[str]) -> Iterator[None]:
    """Counts, for the main thread, in which stage each slice of CPU time ended."""

    def note(_signal: int, frame: FrameType | None) -> None:
        samples[stage(frame)] += 1

    def _collected(_phase: str, _info: dict[str, int]) -> None:
        """Is the innermost function right after a collection, when its samples are taken."""

    before = signal.signal(signal.SIGPROF, note)
    gc.callbacks.append(_collected)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        gc.callbacks.remove(_collected)
        signal.signal(signal.SIGPROF, before)


class Drain:
    """A sender's work without its threads."""

    def __init__(self, queue: Queue, sink: str, shards: ShardCounts | None = None) -> None:
        settings = WorkerSettings()
        self._queue = queue
        self._transport = Transport(pool_size=1)
        self._sink = base_address(override=sink)
        self._delivery = Delivery(
            ledger=Ledger(queue, owner="bench", lease_seconds=LEASE_SECONDS, abandon=Event()),
            transport=self._transport,
            preparation=self._preparation,
            clocks=Clocks(queue),
            settings=settings,
            stopping=lambda: False,
            homes={},
            shards=shards,
        )
        self._prepared: dict[str, Preparation] = {}

    def close(self) -> None:
        self._transport.close()

    def messages(self, count: int) -> int:
        """Drains at least that many, if they are there; returns how many."""
        done = 0
        while done < count:
            while self._queue.route()[0] and done == 0:
                pass
            asked_at = time.monotonic()
            batch = self._queue.reserve(
                Lane.EVENT, owner="bench", claim=new_id(), lease_seconds=LEASE_SECONDS
            )
            if not isinstance(batch, Batch):
                break
            done += len(batch.members)
            self._delivery.handle(Held(batch, until=asked_at + LEASE_SECONDS))
        return done

    def _preparation(self, queue_id: str) -> Preparation:
        if queue_id not in self._prepared:
            self._prepared[queue_id] = Preparation(
                queue_id=queue_id, base=self._sink, token=events.TOKEN
            )
        return self._prepared[queue_id]


def report(samples: Counter[str], seconds: float, messages: int) -> None:
    taken = sum(samples.values())
    micros = seconds / messages * 1e6
    print(f"{'stage':28} {'µs a message':>12} {'share':>7}")
    for name in [*STAGES, REST]:
        share = samples[name] / taken
        print(f"{name:28} {share * micros:12.2f} {share:7.1%}")
    print(f"{'all':28} {micros:12.2f} {taken:>6} samples")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--messages", type=int, default=400_000)
    wanted = options.parse_args().messages
    with stand() as at, pinned(MEASURED_CORE):
        events.fill(at.queue, wanted + WARM_UP)
        drain = Drain(at.queue, at.sink)
        drain.messages(WARM_UP)
        samples: Counter[str] = Counter()
        began = time.process_time()
        with sampling(samples):
            done = drain.messages(wanted)
        seconds = time.process_time() - began
        drain.close()
    print(machine.describe())
    print(f"{done:,} messages of {events.size():.0f} bytes as queued, batches of up to 2,000")
    report(samples, seconds, done)


if __name__ == "__main__":
    main()
