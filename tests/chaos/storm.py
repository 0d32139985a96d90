"""What happens in a storm: each a method, in a random order that a seed repeats."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from redis.exceptions import RedisError
from rq import suspension

from mixrelay.producer import Tracker
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import JobKind, Letter, LetterFilter, Number, Queue, new_id
from tests.chaos.arrivals import Arrivals
from tests.chaos.ledger import number_of_letter
from tests.support.clocks import Clock
from tests.support.faultproxy import FaultProxy
from tests.support.fleet import Fleet, wait_until
from tests.support.patience import joined
from tests.support.redis_servers import RedisServer

Got = TypeVar("Got")

DOOMED = "Doomed"
"""Events of a user that Mixpanel refuses for ever: letters to replay and to discard."""
STEP = 600
SUSPENDED = 4.0
HEARD = 30.0


@dataclass(slots=True)
class Deaths:
    """Kills horses at random moments, each once, in a thread."""

    fleet: Fleet
    chance: Random
    every: float
    """Seconds between two deaths, on average."""
    count: int = 0
    _dead: set[int] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="deaths")
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        assert self._thread
        joined(self._thread)

    def _run(self) -> None:
        # None is made up for: on a busy machine that would kill each at its birth.
        while not self._over.wait(self.chance.expovariate(1 / self.every)):
            self._kill_one()

    def _kill_one(self) -> None:
        for victim in self.chance.sample(self.fleet.workers, len(self.fleet.workers)):
            horse = victim.horse()
            if horse is not None and horse not in self._dead:
                with suppress(ProcessLookupError):
                    os.kill(horse, signal.SIGKILL)
                self._dead.add(horse)
                self.count += 1
                return


@dataclass(slots=True)
class Storm:
    """All but the deaths. Redis is what the proxy leads to, one of two servers of one clock."""

    fleet: Fleet
    servers: list[RedisServer]
    """The primary first."""
    proxy: FaultProxy
    clock: Clock
    arrivals: Arrivals
    tracker: Tracker
    chance: Random
    counts: Counter[str] = field(default_factory=Counter)
    doomed: int = 0
    jobs: list[str] = field(default_factory=list)
    _ahead: int = 0
    _bag: list[Callable[[], None]] = field(default_factory=list)

    def next(self) -> None:
        """Lets the next thing happen. Each comes once before one comes again."""
        if not self._bag:
            self._bag = [
                self.failover, self.clock_set_ahead, self.clock_set_back, self.suspend_and_resume,
                self.letters_replayed, self.doomed_replayed, self.doomed_discarded, self.bad_job,
            ]  # fmt: skip
            self.chance.shuffle(self._bag)
        event = self._bag.pop()
        self.counts[event.__name__.replace("_", " ")] += 1
        event()
        self.doom(self.chance.randint(1, 20))

    def doom(self, many: int) -> None:
        """Tracks events that become dead letters."""
        for _ in range(many):
            assert self.tracker.track(DOOMED, DOOMED)
        self.doomed += many

    @property
    def queue(self) -> Queue:
        return self.fleet.queue

    # Redis.

    def failover(self) -> None:
        """To the other server, and the proxy leads there a moment later."""
        first, second = self.servers
        wait_until(lambda: _link(second) == "up", 60, "a replica in step")
        first.client.execute_command("FAILOVER", "TIMEOUT", 20_000)
        wait_until(lambda: _role(second) == "master", 60, "the other is the primary")
        time.sleep(self.chance.uniform(0, 0.5))
        self.proxy.lead_to(second.url)
        self.servers.reverse()

    def clock_set_ahead(self) -> None:
        self._ahead += STEP
        self.clock.set(self._ahead)

    def clock_set_back(self) -> None:
        self._ahead -= STEP
        self.clock.set(self._ahead)

    # Operators.

    def suspend_and_resume(self) -> None:
        with connect(self.proxy.url) as redis:
            heard(lambda: suspension.suspend(redis))
            time.sleep(SUSPENDED)
            heard(lambda: suspension.resume(redis))

    def letters_replayed(self) -> None:
        letters = [one for one in self._letters() if number_of_letter(one) is not None]
        # Noted first: one may arrive before the answer.
        self.arrivals.replayed |= {number_of_letter(one) or 0 for one in letters}
        if letters:
            self._job(JobKind.REPLAY, [one.id for one in letters])

    def doomed_replayed(self) -> None:
        self._job(JobKind.REPLAY, LetterFilter(event=DOOMED))

    def doomed_discarded(self) -> None:
        self._job(JobKind.DISCARD, LetterFilter(event=DOOMED))

    def bad_job(self) -> None:
        with connect(self.proxy.url) as redis:
            heard(lambda: redis.rpush("rq:queue:mixrelay", b"\xff\xfe", b"garbage"))

    def wait_for_jobs(self) -> None:
        """Until all that were begun are over."""
        for job_id in self.jobs:
            wait_until(lambda job_id=job_id: self._is_over(job_id), 60, f"the end of {job_id}")  # type: ignore[misc]
        self.jobs.clear()

    def _is_over(self, job_id: str) -> bool:
        job = self.queue.jobs.get(job_id)
        return job is None or job.state.is_over

    def _letters(self) -> list[Letter]:
        return heard(lambda: list(self.queue.letters.find(LetterFilter())))

    def _job(self, kind: JobKind, wanted: LetterFilter | list[Number]) -> None:
        job_id = new_id()
        self.jobs.append(job_id)
        heard(
            lambda: self.queue.jobs.start(
                kind, wanted, job_id=job_id, who="storm", why="to see", background=True
            )
        )


def heard(action: Callable[[], Got]) -> Got:
    """What Redis answers once it does; a move is repeated under the same id."""
    got: list[Got] = []

    def is_done() -> bool:
        with suppress(RedisError):
            got.append(action())
        return bool(got)

    wait_until(is_done, HEARD, "an answer of Redis")
    return got[0]


def _link(server: RedisServer) -> str:
    return str(server.client.info("replication").get("master_link_status"))


def _role(server: RedisServer) -> str:
    return str(server.client.info("replication")["role"])
