"""What the attacked process does: each act is what a user's process does, in a forked child."""

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import typer
from typer.main import get_command

from mixrelay.console.app import command_line
from mixrelay.console.failures import CommandError
from mixrelay.producer import RedisSink, Tracker
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.base.scripts import NAMES, sha
from mixrelay.shared.settings import Settings
from mixrelay.worker.base.retry import persist
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.drain.session import Setup
from mixrelay.worker.shift import drain
from tests.support.traffic import TOKEN

DELIVER = "deliver"
CONSOLE = get_command(command_line())
WORKER = "attacked"
DEAD_WORKER = "dead"
SECONDS = 20.0


@dataclass(frozen=True)
class Place:
    """Where an act takes place; the addresses are those of proxies, but for `direct`."""

    redis: str
    direct: str
    mixpanel: str
    queue: str
    folder: str
    deadline: float = 2.0
    """Seconds of one request."""
    extend_every: float = 10.0
    partitions: int = 1

    def worker(self, *, burst: bool = False) -> Setup:
        settings = Settings(
            redis_url=self.redis,
            queue=self.queue,
            partitions=self.partitions,
            api_host=self.mixpanel,
            token=TOKEN,
        )
        worker = WorkerSettings(
            concurrency=1,
            linger=0.0,
            deadline=self.deadline,
            grace=self.deadline + 1,
            lease=30.0,
            extend_every=self.extend_every,
            shift=60.0,
            job_timeout=120,
            backoff_base=0.02,
            backoff_cap=0.1,
        )
        return Setup(settings, worker, burst)

    @property
    def path(self) -> Path:
        return Path(self.folder)


class UntilDrained:
    """In the place of RQ: it asks for the end of the shift when nothing is left to do."""

    def __init__(self, place: Place) -> None:
        self._queue = Queue(connect(place.direct), place.queue, partitions=place.partitions)

    def start(self, *_: object) -> None:
        pass

    def end(self) -> None:
        pass

    @property
    def is_wanted_elsewhere(self) -> bool:
        return self._queue.books().waiting == 0


def deliver(place: Place) -> None:
    """One shift, until nothing waits or SIGTERM comes."""
    link = UntilDrained(place)
    drain(place.worker(), worker_name=WORKER, link=link, seconds=SECONDS)  # type: ignore[arg-type]


def deliver_in_a_burst(place: Place) -> None:
    """The same as `--burst` does it, which asks the books whether it is done."""
    drain(place.worker(burst=True), worker_name=WORKER, link=None, seconds=SECONDS)


def end_leases_and_deliver(place: Place) -> None:
    """What a parent does after its horse's death, and then a shift that finds others' leases."""
    queue = Queue(connect(place.redis), place.queue, partitions=place.partitions)
    persist(lambda: queue.end_leases(DEAD_WORKER, died=True), what="leases", abandon=Event())
    deliver(place)


def command(*words: str) -> Callable[[Place], None]:
    """A command of the console, as an operator types it."""

    def run(place: Place) -> None:
        where = ["--redis-url", place.redis, "--queue", place.queue]
        arguments = [word.format(folder=place.folder) for word in words]
        CONSOLE([*arguments[:-1], *where, arguments[-1]], standalone_mode=False)

    return run


@contextmanager
def _tracker(place: Place) -> Iterator[Tracker[Any]]:
    sink = RedisSink(
        place.redis,
        place.queue,
        spool_dir=place.path / "spool",
        timeout=2.0,
        on_ambiguous="drop",
    )
    yield Tracker(TOKEN, sink, lambda error: print(f"told: {error}"))
    sink.close()


EVENTS, UPDATES, CHARGES = 3, 2, 1


def track(place: Place) -> None:
    """Calls as a request handler makes them; notes the number of each that was True."""
    numbers = Numbers(place)
    with _tracker(place) as tracker:
        for _ in range(EVENTS):
            numbers.take(lambda n: tracker.track("ann", "Tracked", {"n": n}))
        for _ in range(UPDATES):
            numbers.take(lambda n: tracker.people.set("ann", {"n": n}))
        for _ in range(CHARGES):
            numbers.take(lambda n: tracker.people.increment("ann", {"n": n}))
        _empty_spool(place, tracker, numbers)


def track_in_vain(place: Place) -> None:
    """Calls while Redis is away: they wait in the spool."""
    numbers = Numbers(place)
    with _tracker(place) as tracker:
        for _ in range(EVENTS):
            numbers.take(lambda n: tracker.track("ann", "Tracked", {"n": n}))


def _empty_spool(place: Place, tracker: Tracker[Any], numbers: "Numbers") -> None:
    ends = time.monotonic() + SECONDS
    while list(place.path.glob("spool/*/*.jsonl")) and time.monotonic() < ends:
        numbers.take(lambda n: tracker.track("ann", "Tracked", {"n": n}))
        time.sleep(0.02)


class Numbers:
    """Numbers calls on from those of earlier processes, and keeps which were taken and kept."""

    def __init__(self, place: Place) -> None:
        self._folder = place.path

    def take(self, call: Callable[[int], object]) -> None:
        n = len(read_numbers(self._folder / "tried"))
        _note(self._folder / "tried", n)
        if call(n) is True:
            _note(self._folder / "kept", n)


def read_numbers(path: Path) -> list[int]:
    return list(map(int, path.read_text().split())) if path.exists() else []


def _note(path: Path, n: int) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(b"%d\n" % n)


ACTS: dict[str, Callable[[Place], None]] = {
    DELIVER: deliver,
    "deliver in a burst": deliver_in_a_burst,
    "end leases and deliver": end_leases_and_deliver,
    "replay": command("dlq", "replay", "--yes", "--all"),
    "discard": command("dlq", "discard", "--yes", "--reason=invalid"),
    "push": command("push", "{folder}/log.jsonl"),
    "track": track,
    "track in vain": track_in_vain,
}

OK, UNREACHABLE, CRASHED = 0, 3, 70


def warm_up() -> None:
    """Loads what each act would load by itself; touches no server."""
    for name in NAMES:
        sha(name)
    with suppress(typer.BadParameter):  # it is not told which letters
        CONSOLE(["dlq", "replay"], standalone_mode=False)


def act(name: str, place: Place) -> int:
    """Carries it out; returns the exit code, a command's own or a crash's."""
    try:
        ACTS[name](place)
    except CommandError as error:
        print(f"error: {error}")
        return int(error.failure.code)
    return OK


def exit_with(name: str, place: Place) -> None:
    """Ends this process with the act."""
    code = CRASHED
    try:
        code = act(name, place)
    except BaseException:  # noqa: BLE001 - a child's own end
        traceback.print_exc()
    finally:
        os._exit(code)
