"""Who drains: our worker, the floors below it, and what one would use otherwise.

Each as its own manual says, with its best ordinary settings. Near, a sink answers at once; far, it
takes 100 ms, and whoever can has eight requests in flight.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks import events
from benchmarks.stand import Stand
from benchmarks.watching import Done, delivered
from mixrelay.console.demo.children import Child

OURS, OURS_TWICE = "mixrelay", "mixrelay, two workers"
FULL, SPLICING, PLAIN = "full floor", "splicing floor", "plain floor"
_FILL_SECONDS = 120
_ON_LIST = (("LLEN", events.QUEUE),)
_IN_CELERY = (("LLEN", "celery"), ("HLEN", "unacked"))


@dataclass(frozen=True)
class Load:
    """How many messages wait, and how many requests may be in flight."""

    messages: int
    requests: int = 1


@dataclass(frozen=True)
class Contender:
    name: str
    module: str
    arguments: tuple[str, ...] = ()
    """`{requests}` stands for the requests in flight."""
    near: Load | None = None
    far: Load | None = None
    """What it drains in some ten seconds; None where it is not measured."""
    fill: tuple[str, ...] = ()
    """The module of benchmarks.others and its function that queue its messages; else they go onto
    our list."""
    left: Sequence[tuple[str, str]] = _ON_LIST
    """LLEN or HLEN of which keys sums up to what is not done."""
    needs: tuple[str, ...] = ()
    rounds: int = 1
    """How often it is measured near; a goal rests on the median."""

    def missing(self) -> list[str]:
        return [name for name in self.needs if find_spec(name) is None]

    def load(self, latency: float) -> Load | None:
        return self.far if latency else self.near

    def start(self, stand: Stand, load: Load) -> Child:
        told = [
            argument.format(requests=load.requests, url=stand.url) for argument in self.arguments
        ]
        return stand.start(self.name, self.module, *told)

    def queue(self, stand: Stand, messages: int) -> None:
        """Fills what it drains.

        Raises:
            ValueError: its library could not; the message has what it said.
        """
        if not self.fill:
            events.fill(stand.queue, messages)
            return
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.others.fill", *self.fill, str(messages)],
            env=stand.inherited(),
            capture_output=True,
            text=True,
            check=False,
            timeout=_FILL_SECONDS,
        )
        if ended.returncode:
            raise ValueError(f"{self.name} could not be filled: {ended.stderr[-500:]}")

    def done(self, stand: Stand, messages: int) -> Done:
        if self.module == "mixrelay.console":
            return delivered(stand)
        return lambda: messages - sum(_length(stand, *part) for part in self.left)


def _length(stand: Stand, command: str, key: str) -> int:
    return int(stand.redis.llen(key) if command == "LLEN" else stand.redis.hlen(key))


def _worker(
    name: str, *arguments: str, near: Load | None = None, far: Load | None = None
) -> Contender:
    return Contender(name, "mixrelay.console", ("worker", *arguments), near, far, rounds=3)


def _floor(name: str, kind: str) -> Contender:
    return Contender(
        name,
        "benchmarks.others.floor",
        (kind, "{requests}"),
        Load(1_000_000),
        Load(1_000_000, 8),
        needs=("isal",),
        rounds=3,
    )


def _loop(name: str, kind: str, near: int, far: int) -> Contender:
    module = "benchmarks.others.loop"
    return Contender(name, module, (kind,), Load(near), Load(far), needs=("mixpanel",))


def _rq(name: str, worker_class: str, near: int) -> Contender:
    return Contender(
        name,
        "benchmarks.others.rq_jobs",
        (worker_class,),
        Load(near),
        Load(200),
        fill=("rq_jobs", "enqueue"),
        left=(("LLEN", "rq:queue:bench"),),
        needs=("mixpanel", "rq"),
    )


def _celery(
    name: str, enqueue: str, prefetch: int, near: Load, far: Load, *needs: str
) -> Contender:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "error")
    settings = ("--concurrency", "{requests}", "--prefetch-multiplier", str(prefetch))
    return Contender(
        name,
        "celery",
        ("-A", "benchmarks.others.celery_tasks", "worker", *settings, *quiet),
        near,
        far,
        fill=("celery_tasks", enqueue),
        left=_IN_CELERY,
        needs=("mixpanel", "celery", *needs),
    )


CONTENDERS = (
    _floor(FULL, "full"),
    _floor(SPLICING, "splicing"),
    _floor(PLAIN, "plain"),
    _worker(OURS, near=Load(500_000), far=Load(500_000)),
    _worker(OURS_TWICE, "--processes", "2", near=Load(500_000)),
    _loop("loop into Consumer, Ruby's documentation", "ours", 15_000, 200),
    _loop("loop into mixpanel's Consumer", "official", 15_000, 200),
    _loop("loop into mixpanel's BufferedConsumer(50)", "buffered", 60_000, 6_000),
    _rq("RQ, a job an event, forking", "Worker", 600),
    _rq("RQ, a job an event, SimpleWorker", "SimpleWorker", 3_000),
    _celery("Celery, a task an event", "enqueue", 128, Load(8_000), Load(1_500, 8)),
    _celery(
        "celery-batches of 2,000",
        "enqueue_for_batches",
        2_000,
        Load(20_000),
        Load(20_000),
        "celery_batches",
    ),
    Contender(
        "dramatiq, a message an event",
        "dramatiq",
        ("benchmarks.others.dramatiq_actors", "--processes", "1", "--threads", "8"),
        Load(15_000, 8),
        Load(1_500, 8),
        fill=("dramatiq_actors", "enqueue"),
        left=(("HLEN", "dramatiq:default.msgs"),),
        needs=("mixpanel", "dramatiq"),
    ),
)
