"""Redis's clock is set while the queue works: waits and leases last as long as they were to."""

import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import (
    Batch,
    JobKind,
    Lane,
    LetterFilter,
    Nothing,
    Park,
    Pause,
    PauseKind,
    Queue,
    new_job_id,
)
from mixrelay.shared.queue.base import clock as queue_clock
from mixrelay.shared.queue.stats import alerts
from mixrelay.shared.queue.tokens.tokens import Identity, Next, Refusal
from tests.support.bench import DESTINATION, Bench, event, outage, update
from tests.support.clocks import Clock, library, redis_with
from tests.support.fleet import wait_until
from tests.support.patience import patient

BACK, AHEAD = -600, 600
SOON = 10.0
"""Far less than the clock is set by, and far more than anything here waits."""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    folder = tmp_path_factory.mktemp("clock")
    return Clock(library(folder), folder / "now", 0)


@pytest.fixture(scope="module")
def stepping(clock: Clock) -> Iterator[str]:
    with redis_with(clock) as server:
        yield server.url


STEP, WATCHED = 0.2, 0.4


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller steps are seen, after a shorter watch: so leases may be short."""
    monkeypatch.setattr(queue_clock, "STEP_SECONDS", STEP)
    monkeypatch.setattr(queue_clock, "WATCHED_SECONDS", WATCHED)


@pytest.fixture
def bench(clock: Clock, stepping: str) -> Iterator[Bench]:
    clock.set(0)
    with connect(stepping, timeout=5) as redis:
        redis.flushall()
        yield Bench(Queue(redis))


def times_out(bench: Bench, lane: Lane = Lane.EVENT, **options: object) -> Batch:
    """Takes a batch as soon as there is one."""
    taken: list[Batch] = []

    def take() -> bool:
        answer = bench.reserve(lane, **options)
        taken.extend([] if isinstance(answer, Nothing) else [answer])
        return bool(taken)

    wait_until(take, SOON, "a batch")
    return taken[0]


def reaps(bench: Bench, lease_seconds: float = 0.5) -> Callable[[], int]:
    """Reaps as a worker does, who watches the clock."""
    return lambda: bench.queue.reap(lease_seconds=lease_seconds)[0]


def watch(bench: Bench) -> None:
    """Until this process knows the queue's clock."""
    ends = time.monotonic() + WATCHED + 0.2
    while time.monotonic() < ends:
        assert reaps(bench)() == 0
        time.sleep(0.05)


@pytest.mark.parametrize("by", [BACK, -65 * 60, AHEAD])
def test_a_pause_lasts_as_long_as_it_was_to(bench: Bench, clock: Clock, by: int) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage(500))
    clock.set(by)
    began = time.monotonic()
    batch = times_out(bench)
    assert batch.probe
    assert time.monotonic() - began < patient(5)
    bench.deliver(batch)
    assert bench.queue.books().paused == ()


def test_the_seconds_of_a_pause_are_told_as_they_are(bench: Bench, clock: Clock) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage(60_000))
    clock.set(BACK)
    for _ in range(2):
        bench.refused()
        [pause] = bench.queue.books().paused
        assert 30 < pause.seconds < 61


def test_a_batch_that_waits_for_itself_is_due_in_its_time(bench: Bench, clock: Clock) -> None:
    for lane, payload in ((Lane.EVENT, event("a")), (Lane.PROFILE_UPDATE, update("u"))):
        clock.set(0)
        bench.redis.flushall()
        bench.route(payload)
        bench.park(bench.take_read(lane), Park("again", delay_ms=300))
        clock.set(BACK)
        assert times_out(bench, lane).attempts == 1


def test_a_line_that_waits_is_looked_at_again(bench: Bench, clock: Clock) -> None:
    bench.route(update("a"))
    bench.park(bench.take_read(Lane.PROFILE_UPDATE), outage(400))
    bench.refused(Lane.PROFILE_UPDATE)
    clock.set(BACK)
    assert times_out(bench, Lane.PROFILE_UPDATE).line == DESTINATION


def test_fresh_ones_are_taken_beside_a_closed_line_in_their_time(
    bench: Bench, clock: Clock
) -> None:
    bench.route(update("a"))
    bench.park(bench.take_read(Lane.PROFILE_UPDATE), outage(60_000))
    bench.route(update("b"))
    seconds, micros = bench.redis.time()
    mark = seconds * 1000 + micros // 1000 + 100
    bench.redis.set(bench.key("ahead:profile_update"), mark, px=100)
    clock.set(BACK)
    assert times_out(bench, Lane.PROFILE_UPDATE).line is None


@pytest.mark.parametrize("by", [BACK, AHEAD])
def test_a_lost_workers_lease_ends_in_its_time(bench: Bench, clock: Clock, by: int) -> None:
    bench.route(event("a"))
    watch(bench)
    bench.take(lease_seconds=0.8)
    clock.set(by)
    began = time.monotonic()
    wait_until(reaps(bench, 0.8), SOON, "the lease has ended")
    assert 0.5 < time.monotonic() - began < patient(8)


def test_a_live_lease_outlasts_a_clock_that_is_set_ahead(
    bench: Bench, clock: Clock, stepping: str
) -> None:
    bench.route(event("a"), event("b"))
    # Two who watch, one who holds.
    other = Bench(Queue(connect(stepping, timeout=5)))
    for one in (bench, other):
        reaps(one)()
    watch(bench)
    reaps(other)()
    batch = bench.take(lease_seconds=60)
    for hour in range(1, 4):
        clock.set(hour * 3600)
        ends = time.monotonic() + 0.5
        while time.monotonic() < ends:
            for one in (bench, other):
                assert reaps(one, 60)() == 0
            assert not bench.queue.extend([batch], 60)
            time.sleep(0.05)
    bench.deliver(batch)
    totals = bench.queue.books().totals
    assert (totals["redelivered"], totals["clock_steps"]) == (0, 3)
    other.redis.close()


def test_a_lease_that_was_taken_while_the_clock_was_ahead_ends_in_its_time(
    bench: Bench, clock: Clock
) -> None:
    bench.route(event("a"), update("u"))
    watch(bench)
    clock.set(AHEAD)
    bench.take(lease_seconds=0.5)
    batch = bench.take_read(Lane.PROFILE_UPDATE)
    bench.park(batch, outage(400))
    wait_until(reaps(bench), SOON, "the lease has ended")
    assert times_out(bench, Lane.PROFILE_UPDATE).probe


def test_who_has_just_begun_ends_no_lease(bench: Bench, clock: Clock, stepping: str) -> None:
    bench.route(event("a"))
    watch(bench)
    batch = bench.take(lease_seconds=60)
    clock.set(AHEAD)
    newcomer = Bench(Queue(connect(stepping, timeout=5)))
    assert reaps(newcomer, 60)() == 0
    assert reaps(bench, 60)() == 0
    assert reaps(newcomer, 60)() == 0
    bench.deliver(batch)
    newcomer.redis.close()


def test_a_slow_answer_is_no_step(bench: Bench) -> None:
    watch(bench)
    sleeping = Bench(Queue(Redis(connection_pool=bench.redis.connection_pool)))
    sleeping.redis.client_pause(500)  # type: ignore[no-untyped-call, unused-ignore]
    for _ in range(3):
        reaps(bench)()
    assert "clock_steps" not in bench.queue.books().totals


def test_letters_of_a_time_ahead_are_meant_by_a_job(bench: Bench, clock: Clock) -> None:
    bench.route(*(update("u", n) for n in range(3)))
    bench.bury(bench.take(Lane.PROFILE_UPDATE))
    bench.route(event("a"))
    bench.bury(bench.take())
    clock.set(BACK)
    plan = bench.queue.jobs.plan(LetterFilter())
    assert plan.count == 4
    told = {"job_id": new_job_id(), "who": "ann", "planned": plan.count}
    job = bench.queue.jobs.start(JobKind.REPLAY, plan.wanted, **told)  # type: ignore[arg-type]
    for _ in range(20):
        step = bench.queue.jobs.step(job)
        assert step.job is not None
        job = step.job
        # What dies again meanwhile does not come round again.
        while isinstance(again := bench.reserve(), Batch):
            bench.bury(again)
        if job.state.is_over:
            break
    assert (job.moved, job.state.is_over) == (4, True)


def test_letters_that_were_replayed_before_it_was_set_back_are_meant(
    bench: Bench, clock: Clock
) -> None:
    bench.route(event("a"))
    bench.bury(bench.take())
    bench.queue.replay([one.id for one in bench.queue.letters.find(LetterFilter())])
    bench.bury(bench.take())
    clock.set(BACK)
    for kind in (JobKind.REPLAY, JobKind.DISCARD):
        job = bench.queue.jobs.start(kind, LetterFilter(), job_id=new_job_id(), who="ann")
        done = bench.queue.jobs.step(job).job
        assert done is not None
        assert done.moved == 1
        if kind is JobKind.REPLAY:
            bench.bury(bench.take())


@pytest.mark.parametrize("by", [BACK, AHEAD])
def test_a_job_keeps_its_rate(bench: Bench, clock: Clock, by: int) -> None:
    bench.route(*(event(str(n)) for n in range(30)))
    bench.bury(bench.take())
    told = {"job_id": new_job_id(), "who": "ann", "rate": 20.0}
    job = bench.queue.jobs.start(JobKind.DISCARD, LetterFilter(), **told)  # type: ignore[arg-type]
    job = bench.queue.jobs.step(job).job  # type: ignore[assignment]
    clock.set(by)
    began = time.monotonic()
    while not job.state.is_over:
        assert time.monotonic() - began < patient(SOON)
        step = bench.queue.jobs.step(job)
        assert step.wait_seconds < 2
        assert step.job is not None
        job = step.job
        time.sleep(step.wait_seconds)
    assert job.moved == 30


def test_a_step_is_counted_and_told(bench: Bench, clock: Clock) -> None:
    bench.route(event("a"))
    bench.deliver(bench.take())
    clock.set(BACK)

    def is_counted() -> bool:
        bench.refused()
        return "clock_steps" in bench.queue.books().totals

    # A server may go by the time at which it last awoke.
    wait_until(is_counted, SOON, "it is seen")
    books = bench.queue.books()
    assert books.totals["clock_steps"] == 1
    assert books.clock_step is not None
    assert -602 < books.clock_step.seconds < -598
    assert abs(books.clock_step.at_ms - books.now_ms) < 20_000


def test_an_alert_of_a_lost_watcher_is_told_by_another_in_its_time(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "CLAIM_SECONDS", 0.5)
    known = bench.queue.alerts
    assert known.begin("outage", "one", "it is down") is not None
    assert known.begin("outage", "two", "it is down") is None
    clock.set(BACK)
    wait_until(lambda: known.begin("outage", "two", "it is down"), SOON, "another tells it")


def ask(bench: Bench, who: str, token: str = "f" * 12) -> Next:
    asked = {"proof_seconds": 0.3, "within_seconds": 3600.0, "insists": True}
    return bench.queue.tokens.ask(token, who=who, **asked).next  # type: ignore[arg-type]


def test_a_token_whose_prover_is_lost_is_proven_by_another_in_its_time(
    bench: Bench, clock: Clock
) -> None:
    assert ask(bench, "one") is Next.PROVE
    assert ask(bench, "two") is Next.WAIT
    clock.set(BACK)
    wait_until(lambda: ask(bench, "two") is Next.PROVE, SOON, "another proves")


def test_proofs_of_other_tokens_go_on(bench: Bench, clock: Clock) -> None:
    told = [ask(bench, "one", f"{n:012x}") for n in range(40)]
    assert Next.WAIT in told, "ten in a second"
    clock.set(BACK)
    wait_until(lambda: ask(bench, "one", "e" * 12) is Next.PROVE, SOON, "the next second's")


def test_a_refused_token_is_proven_again_in_its_time(bench: Bench, clock: Clock) -> None:
    pause = Pause(PauseKind.CONFIGURATION, base_ms=400, cap_ms=400)
    token = Identity("0123456789ab", "3f2a…b7", "https://api.mixpanel.com", own=True)
    opens = [("engage/1", "profile_update")]
    bench.queue.tokens.refused(token, Refusal("refused (401)", 401, opens=opens, pause=pause))
    assert ask(bench, "one", token.fingerprint) is Next.REFUSED
    clock.set(BACK)
    wait_until(lambda: ask(bench, "one", token.fingerprint) is Next.PROVE, SOON, "proven again")


def test_who_may_only_look_sees_waits_as_they_are(bench: Bench, clock: Clock) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage(60_000))
    clock.set(BACK)
    [pause] = bench.queue.books().paused
    assert 30 < pause.seconds < 61
    assert bench.queue.books().clock_step is not None
