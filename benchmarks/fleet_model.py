"""A model of a fleet in time (simpy): arrivals, a queue, workers, and a Mixpanel with its limit.

Every step takes what was measured (`Costs`); the rules are those of docs/invariants.md: a lane
gathers a batch within the linger, a failure pauses the destination for all, one batch probes, and
slow start follows. Batches are simulated one by one, the messages in them by their number.
"""

import math
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import simpy

RECORDS = 2_000
LINGER = 0.5
BACKOFF_BASE, BACKOFF_CAP = 2.0, 60.0
FULL_SPEED = 32
"""A pace ends there (`_paces.lua`)."""
_PARTS = 10
"""Into which a batch is cut for the lags of its messages."""

Process = Generator[simpy.Event, object, None]


@dataclass(frozen=True)
class Costs:
    """What one message takes, measured."""

    worker_us: float
    """CPU of the worker's processes."""
    server_us: float
    """CPU of the server for the push, the route, its share of a reserve and of a settlement."""


class Arrivals:
    """Messages by the clock: how many came until a moment, and when the n-th came."""

    def __init__(self, pieces: Sequence[tuple[float, float]]) -> None:
        """Takes pieces of (seconds, messages a second), one after the other."""
        self._rates = [rate for _, rate in pieces]
        self._times = [0.0, *accumulate(seconds for seconds, _ in pieces)]
        self._counts = [0.0, *accumulate(seconds * rate for seconds, rate in pieces)]
        self.end = self._times[-1]

    def until(self, moment: float) -> float:
        piece = min(bisect_right(self._times, moment), len(self._rates)) - 1
        passed = min(moment, self.end) - self._times[piece]
        return self._counts[piece] + passed * self._rates[piece]

    def moment_of(self, number: float) -> float:
        """When that many had come; never, where so many do not come."""
        if number > self._counts[-1]:
            return float("inf")
        piece = min(bisect_right(self._counts, number), len(self._rates)) - 1
        rate = self._rates[piece]
        return self._times[piece] + ((number - self._counts[piece]) / rate if rate else 0.0)


class Mixpanel:
    """One project's: away for a while, and refusing what is over its rate."""

    def __init__(
        self,
        *,
        limit: float,
        latency: float,
        outage: tuple[float, float] = (0.0, 0.0),
        steady: bool = False,
    ) -> None:
        """Opens for business.

        Args:
            limit: events a second.
            latency: the median seconds of an answer.
            outage: from when to when it is away, in seconds of the simulation.
            steady: whether each answer takes exactly that long.
        """
        self._limit = limit
        self._latency = latency
        self._outage = outage
        self._spread = 0.0 if steady else 0.35
        self._tokens, self._at = 60 * limit, 0.0

    def seconds(self, dice: random.Random) -> float:
        return self._latency * dice.lognormvariate(0.0, self._spread)

    def answer(self, now: float, records: int) -> int:
        """A status. The limit is over a minute, as its documentation words it."""
        if self._outage[0] <= now < self._outage[1]:
            return 503
        if self._limit < math.inf:
            earned = (now - self._at) * self._limit
            self._tokens, self._at = min(60 * self._limit, self._tokens + earned), now
        if self._tokens < records:
            return 429
        self._tokens -= records
        return 200


@dataclass
class Seen:
    """What a run showed of one queue."""

    peak: float = 0.0
    """Messages that waited, at most."""
    accepted: list[tuple[float, float, float, int]] = field(default_factory=list)
    """Of each batch: the moment, the lag of its oldest and of its newest message, their number."""
    backlog: list[tuple[float, float]] = field(default_factory=list)
    answers: dict[int, int] = field(default_factory=dict)

    def lag(self, share: float) -> float:
        """Seconds from a message's push to its acceptance that this share does not exceed."""
        ordered = sorted(
            (newest + (oldest - newest) * (part + 0.5) / _PARTS, records / _PARTS)
            for _, oldest, newest, records in self.accepted
            for part in range(_PARTS)
        )
        wanted = share * sum(records for _, records in ordered)
        for lag, records in ordered:
            wanted -= records
            if wanted <= 0:
                return lag
        return float("nan")

    def empty_again(self, after: float, most: float) -> float | None:
        """The first moment after which no more than `most` wait; None where that never was."""
        return next((at for at, waiting in self.backlog if at >= after and waiting <= most), None)


@dataclass(frozen=True)
class Batch:
    first: float
    records: int
    probes: bool = False


class QueueModel:
    """One queue with its gate: pause, probe and pace."""

    def __init__(self, env: simpy.Environment, arrivals: Arrivals, mixpanel: Mixpanel) -> None:
        self.env = env
        self.arrivals = arrivals
        self.mixpanel = mixpanel
        self.seen = Seen()
        self._taken = 0.0
        self._parked: deque[Batch] = deque()
        self._leased = 0
        self._closed_until = 0.0
        self._paused = self._probing = False
        self._failures = 0
        self._pace: int | None = None
        self._changed = env.event()
        self._turn = simpy.Resource(env)

    @property
    def waiting(self) -> float:
        parked = sum(batch.records for batch in self._parked)
        return self.arrivals.until(self.env.now) - self._taken + parked

    def take(self) -> Generator[simpy.Event, object, Batch]:
        """The next batch, once there is one and the gate lets it pass; one sender waits for it."""
        with self._turn.request() as turn:
            yield turn
            while (moment := self._ready_at()) > self.env.now:
                if moment == math.inf:
                    yield self._changed
                else:
                    yield self._changed | self.env.timeout(moment - self.env.now)
            return self._lease()

    def settle(self, batch: Batch, status: int, dice: random.Random) -> None:
        self._leased -= 1
        self._probing = self._probing and not batch.probes
        self.seen.answers[status] = self.seen.answers.get(status, 0) + 1
        is_open = not self._paused and self._pace is None
        if status == 200:
            self._accepted(batch)
        else:
            self._failed(batch, dice)
        if not is_open or status != 200:
            self._changed.succeed()
            self._changed = self.env.event()

    def look(self) -> None:
        waiting = self.waiting
        self.seen.peak = max(self.seen.peak, waiting)
        self.seen.backlog.append((self.env.now, waiting))

    def _ready_at(self) -> float:
        never = float("inf")
        if self._paused and self._probing:
            return never
        if self._pace is not None and not self._paused and self._leased >= self._pace:
            return never
        opens = self._closed_until if self._paused else 0.0
        if self._parked:
            return opens
        full = self.arrivals.moment_of(self._taken + RECORDS)
        lingered = self.arrivals.moment_of(self._taken + 1) + LINGER
        return max(opens, min(full, lingered))

    def _lease(self) -> Batch:
        self._leased += 1
        probes = self._probing = self._paused
        if self._parked:
            old = self._parked.popleft()
            return Batch(old.first, old.records, probes)
        records = int(min(RECORDS, max(1.0, self.arrivals.until(self.env.now) - self._taken)))
        batch = Batch(self._taken, records, probes)
        self._taken += records
        return batch

    def _accepted(self, batch: Batch) -> None:
        now, came = self.env.now, self.arrivals.moment_of
        oldest, newest = now - came(batch.first), now - came(batch.first + batch.records)
        self.seen.accepted.append((now, oldest, newest, batch.records))
        if batch.probes:
            self._paused, self._failures, self._pace = False, 0, 1
        elif self._pace is not None:
            self._pace = self._pace + 1 if self._pace < FULL_SPEED else None

    def _failed(self, batch: Batch, dice: random.Random) -> None:
        self._parked.append(Batch(batch.first, batch.records))
        if not self._paused and self._leased:
            self._pace = max(1, min(self._pace or self._leased, self._leased) // 2)
        if batch.probes or not self._paused:
            self._failures += 1
            delay = min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (self._failures - 1))
            self._closed_until = self.env.now + delay + BACKOFF_BASE * dice.uniform(0.5, 2.5)
        self._paused = True


def _sender(
    queue: QueueModel,
    core: simpy.Resource,
    server: simpy.Resource,
    costs: Costs,
    dice: random.Random,
) -> Process:
    env = queue.env
    while True:
        batch = yield from queue.take()
        with server.request() as turn:
            yield turn
            yield env.timeout(batch.records * costs.server_us / 1e6)
        with core.request() as turn:
            yield turn
            yield env.timeout(batch.records * costs.worker_us / 1e6)
        yield env.timeout(queue.mixpanel.seconds(dice))
        queue.settle(batch, queue.mixpanel.answer(env.now, batch.records), dice)


def _watch(queues: Sequence[QueueModel], every: float) -> Process:
    while True:
        for queue in queues:
            queue.look()
        yield queues[0].env.timeout(every)


@dataclass(frozen=True)
class Fleet:
    """What one would start."""

    processes: int
    """Workers of each queue, each on a core of its own."""
    concurrency: int = 8
    servers: int = 1
    """Nodes on which the queues lie, in turn."""


def run(
    fleet: Fleet,
    costs: Costs,
    loads: Sequence[tuple[Arrivals, Mixpanel]],
    seconds: float,
    *,
    seed: int = 1,
    every: float = 1.0,
) -> list[Seen]:
    """Simulates so many seconds of one queue a load; looks at the backlog every so often."""
    env, dice = simpy.Environment(), random.Random(seed)
    servers = [simpy.Resource(env) for _ in range(fleet.servers)]
    queues = [QueueModel(env, arrivals, mixpanel) for arrivals, mixpanel in loads]
    for index, queue in enumerate(queues):
        for _ in range(fleet.processes):
            core = simpy.Resource(env)
            for _ in range(fleet.concurrency):
                server = servers[index % fleet.servers]
                env.process(_sender(queue, core, server, costs, dice))
    env.process(_watch(queues, every))
    env.run(until=seconds)
    return [queue.seen for queue in queues]
