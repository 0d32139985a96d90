"""Drains the queue for a while: everything a shift needs, built after the fork and torn down."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from mixrelay.shared.connection import connect
from mixrelay.shared.mixpanel.endpoints import Endpoint
from mixrelay.shared.mixpanel.transport import Transport
from mixrelay.shared.queue import Lane, Limits, PauseKind, Queue
from mixrelay.shared.queue.opt_outs import OptOuts
from mixrelay.shared.settings import Settings
from mixrelay.shared.shortage import is_shortage, shortage_words
from mixrelay.shared.tuples import Kind
from mixrelay.worker.base.clocks import Clocks
from mixrelay.worker.base.in_flight import Holdings
from mixrelay.worker.base.retry import PASSING, Until, hurry, persist
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.base.signals import Stop
from mixrelay.worker.counting.hot_shards import ShardCounts
from mixrelay.worker.counting.shards import ShardReader
from mixrelay.worker.deliver.delivery import Delivery
from mixrelay.worker.deliver.outcome import pause_of
from mixrelay.worker.deliver.parts import Preparations, Sending
from mixrelay.worker.deliver.prepare import Preparation
from mixrelay.worker.deliver.routing import Routes
from mixrelay.worker.deliver.tracing import Tracing
from mixrelay.worker.deliver.writer import Ledger
from mixrelay.worker.drain.bulk_runner import BulkRunner
from mixrelay.worker.drain.dispatcher import TICK_SECONDS, Dispatcher
from mixrelay.worker.drain.leases import LeaseKeeper
from mixrelay.worker.drain.maintenance import Upkeep
from mixrelay.worker.drain.reserver import Reserver
from mixrelay.worker.drain.senders import Senders
from mixrelay.worker.opted_out import OptedOutList
from mixrelay.worker.plan_check import PlanCheck
from mixrelay.worker.process.burst import AwayTooLong
from mixrelay.worker.tokens.met_tokens import MetTokens
from mixrelay.worker.tokens.proofs import Proofs
from mixrelay.worker.tokens.prover import Prover

log = logging.getLogger(__name__)

REDIS_TIMEOUT = 5.0
_DRAINED_CHECK_SECONDS = 0.1
_END_LEASES_SECONDS = 2.0
SHORT_SECONDS = 2.0
"""Before a drain job ends for want of memory or threads, so that none follows the other at once."""


@dataclass(frozen=True)
class Setup:
    """What a worker process was started with; its horses inherit it through the fork."""

    settings: Settings
    worker: WorkerSettings
    burst: bool = False
    plan: PlanCheck | None = field(init=False, repr=False, compare=False)
    """Read once, so that what is wrong with it is said before a worker starts."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError as `Settings.check_for_worker` and `PlanCheck.of`."""
        self.settings.check_for_worker()
        object.__setattr__(self, "plan", PlanCheck.of(self.settings, self.worker))

    @classmethod
    def from_environment(cls) -> "Setup":
        return cls(Settings.from_environment(), WorkerSettings.from_environment())


class Draining:
    """One run. Main thread only: the senders and the lease keeper are threads beside it."""

    def __init__(
        self,
        setup: Setup,
        *,
        owner: str,
        stop: Stop,
        is_wanted_elsewhere: Callable[[], bool],
        redis: Redis | None = None,
        transport: Sending | None = None,
    ) -> None:
        """Opens nothing.

        Args:
            setup: the process's.
            owner: names this horse, so that its parent can end its leases.
            stop: tells it to end at once.
            is_wanted_elsewhere: tells it to make room for another job.
            redis: the queue's, in place of the settings' address: fakeredis, in tests.
            transport: what sends, in place of HTTP: in tests too.
        """
        self._setup = setup
        self._owner = owner
        self._stop = stop
        self._is_wanted_elsewhere = is_wanted_elsewhere
        self._abandon = threading.Event()
        worker = setup.worker
        self._queue = Queue(
            redis or connect(setup.settings.redis_url, timeout=REDIS_TIMEOUT),
            setup.settings.queue,
            partitions=setup.settings.partitions,
        )
        self._opted_out = OptedOutList()
        self._holdings = Holdings()
        self._transport = transport or _transport(worker)
        self._tracing = Tracing.of(setup.settings.queue) if worker.otel else None
        self._keeper = LeaseKeeper(
            self._queue,
            self._holdings,
            lease_seconds=worker.lease,
            extend_every=worker.extend_every,
        )
        reader = ShardReader(base=setup.settings.base, token=setup.settings.token)
        self._shards = ShardCounts(self._queue, reader)
        self._bulk = BulkRunner(
            Queue(self._queue.redis, setup.settings.queue, partitions=setup.settings.partitions)
        )
        self._away = AwayTooLong()
        self._burst_is_over = False
        self._hurried = False
        self._drained_check_at = 0.0
        self._ends_at = 0.0
        self._clocks = Clocks(self._queue)
        self._dispatcher: Dispatcher | None = None

    @property
    def messages(self) -> int:
        """Messages taken on so far."""
        return self._dispatcher.messages if self._dispatcher else 0

    def run(self, seconds: float) -> None:
        """Drains that long, or until told to stop; what is held at the end is given back.

        Raises:
            Exception: a bug, met in the handling of a batch. Like the death of a work-horse it
                counts for every batch that is still held.
        """
        self._ends_at = time.monotonic() + seconds
        senders = Senders(self._setup.worker.concurrency, self._delivery().handle)
        dispatcher = self._dispatcher = self._dispatching(senders)
        try:
            if self._start(senders):
                to = self._setup.settings
                self._clocks.compare(self._transport.post, to.base, to.token)
                self._bulk.start()
                dispatcher.run()
        finally:
            self._hurry_to_stop()
            self._bulk.stop()
            dispatcher.finish(self._setup.worker.grace)
            self._end(died=dispatcher.crash is not None)
        if dispatcher.crash is not None:
            raise dispatcher.crash
        if dispatcher.is_short:
            self._rest()

    def _start(self, senders: Senders) -> bool:
        """Starts the threads; without a sender, or without who keeps the leases, none can work."""
        try:
            self._keeper.start()
            senders.start()
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            log.error(  # noqa: TRY400 - no bug, so no traceback
                "worker_short: no %s to start; this drain job ends. Raise the process's "
                "limits (ulimit -u, the container's pids and memory), or run fewer workers here",
                shortage_words(error),
            )
            self._rest()
            return False
        return True

    def _rest(self) -> None:
        ends = time.monotonic() + SHORT_SECONDS
        while time.monotonic() < ends and not self._stop.requested:
            time.sleep(TICK_SECONDS)

    def _end(self, *, died: bool) -> None:
        self._keeper.stop()
        self._abandon.set()
        self._transport.close()
        give_up = Until(time.monotonic() + _END_LEASES_SECONDS)
        try:
            persist(
                lambda: self._queue.end_leases(self._owner, died=died),
                what="the end of the leases",
                abandon=give_up,
            )
        except Exception as error:  # noqa: BLE001 - the leases end by themselves
            log.warning("redis_away: leases end by themselves: %s", error)
        self._queue.arrivals.close()
        self._shards.end()
        if self._tracing:
            self._tracing.flush()

    def _hurry_to_stop(self) -> None:
        """Once told to stop: a Redis that hangs must not outlast the grace, in any thread."""
        if self._stop.requested and not self._hurried:
            self._hurried = True
            hurry(self._queue.redis)

    def _is_over(self) -> bool:
        self._hurry_to_stop()
        return (
            self._stop.requested
            or time.monotonic() >= self._ends_at
            or self._is_wanted_elsewhere()
            or (self._setup.burst and self._is_drained())
        )

    def _is_drained(self) -> bool:
        # Kept: it is asked again in the next moment, by who waits and by who loops.
        if time.monotonic() >= self._drained_check_at:
            self._drained_check_at = time.monotonic() + _DRAINED_CHECK_SECONDS
            self._burst_is_over = self._look_whether_drained()
        return self._burst_is_over

    def _look_whether_drained(self) -> bool:
        try:
            waiting = self._queue.books().waiting
        except PASSING:
            return self._away.after_failure()
        self._away.answered()
        return not self._holdings and waiting == 0

    def _dispatching(self, senders: Senders) -> Dispatcher:
        worker = self._setup.worker
        # Known before the first batch; where Redis is away there is none.
        with suppress(RedisError):
            self._opted_out.read(OptOuts(self._queue.redis, self._queue.name))
        reserver = Reserver(
            self._queue,
            owner=self._owner,
            lease_seconds=worker.lease,
            limits=lambda lane: Limits(
                worker.records_of(lane), worker.batch_bytes, _linger(worker)
            ),
            destinations=own_destinations(self._setup.settings),
            host_ms=self._clocks.host_ms,
        )
        return Dispatcher(
            queue=self._queue,
            reserver=reserver,
            senders=senders,
            holdings=self._holdings,
            is_over=self._is_over,
            upkeep=Upkeep(self._queue, worker, self._shards, self._opted_out),
            lease_seconds=worker.lease,
        )

    def _delivery(self) -> Delivery:
        worker = self._setup.worker
        return Delivery(
            ledger=Ledger(
                self._queue,
                owner=self._owner,
                lease_seconds=worker.lease,
                abandon=self._abandon,
            ),
            transport=self._transport,
            preparation=Preparations(self._preparation),
            clocks=self._clocks,
            settings=worker,
            stopping=lambda: self._stop.requested,
            homes=own_destinations(self._setup.settings),
            proofs=self._proofs() if self._setup.settings.prove_tokens else None,
            tracing=self._tracing,
            shards=self._shards,
            plan=self._setup.plan,
        )

    def _proofs(self) -> Proofs:
        settings, worker = self._setup.settings, self._setup.worker
        met = MetTokens(base=settings.base, own=settings.token or None)
        prover = Prover(
            self._queue.tokens,
            met,
            self._transport.post,
            base=settings.base,
            proof_seconds=worker.deadline,
            pause=lambda: pause_of(worker, PauseKind.CONFIGURATION),
            now_ms=self._clocks.steady_ms,
            stopping=lambda: self._stop.requested,
            abandon=self._abandon,
        )
        return Proofs(self._queue.tokens, met, prover)

    def _preparation(self, queue_id: str) -> Preparation:
        settings = self._setup.settings
        return Preparation(
            queue_id=queue_id,
            base=settings.base,
            token=settings.token or None,
            account=settings.account,
            events=Endpoint(settings.events_endpoint),
            opted_out=self._opted_out,
        )


def _linger(worker: WorkerSettings) -> float:
    """A message's age is counted from its routing, which is a tick after its push at most."""
    return max(worker.linger - TICK_SECONDS, 0.0)


def own_destinations(settings: Settings) -> dict[Lane, str]:
    """Where the worker's own records of each lane go, by the destinations' names."""
    token = settings.token or None
    routes = _routes(settings)
    ways = {
        Lane.EVENT: routes.to_events(Kind.EVENT, None, token),
        Lane.IMPORT: routes.to_events(Kind.IMPORT, None, token),
        Lane.PROFILE_UPDATE: routes.to_records(Endpoint.ENGAGE, token),
        Lane.GROUP_UPDATE: routes.to_records(Endpoint.GROUPS, token),
    }
    return {lane: route.destination.name for lane, route in ways.items() if route}


def _routes(settings: Settings) -> Routes:
    return Routes(
        base=settings.base,
        token=settings.token or None,
        account=settings.account,
        events=Endpoint(settings.events_endpoint),
    )


def _transport(worker: WorkerSettings) -> Transport:
    return Transport(
        connect_timeout=worker.connect_timeout,
        read_timeout=worker.deadline,
        deadline=worker.deadline,
        max_answer_bytes=worker.max_answer_bytes,
        ca_file=worker.ca_file or None,
        proxy=worker.proxy or None,
        pool_size=worker.concurrency,
        gzip_level=1 if worker.gzip else 0,
    )
