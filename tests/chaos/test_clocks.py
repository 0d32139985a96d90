"""Hosts whose clocks are ten minutes apart, and clocks that are set while workers run."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import JobKind, LetterFilter, Queue, new_job_id
from tests.chaos.ledger import Findings, Ledger, number_of
from tests.support.clocks import Clock, library
from tests.support.fleet import Fleet, wait_until
from tests.support.letters import bury, event
from tests.support.patience import within
from tests.support.processes import finished
from tests.support.redis_cluster import RedisCluster

Tell = Callable[[str, Findings], None]
Size = Callable[[int, int], int]

LEASES = {
    "MIXRELAY_LEASE": "3",
    "MIXRELAY_EXTEND_EVERY": "1",
    "MIXRELAY_DEADLINE": "2.5",
    "MIXRELAY_GRACE": "3",
    "MIXRELAY_LINGER": "0.05",
    "MIXRELAY_BATCH_RECORDS": "20",
    "MIXRELAY_SHIFT": "20",
    "MIXRELAY_JOB_TIMEOUT": "30",
}
STEP = 660
"""Seconds: more than a job's timeout and the minute after which RQ ends it by force."""


@pytest.fixture(scope="module", name="library")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def clock_of(library: Path, tmp_path: Path) -> Callable[[int], Clock]:
    """Makes a clock that is so many seconds ahead."""
    return lambda ahead: Clock(library, tmp_path / f"clock{ahead:+d}", ahead)


def without_time(number: int) -> bytes:
    """As Mixpanel's Node library writes it: the queue's own clock gives it one."""
    data = {"event": "Untimed", "properties": {"distinct_id": "u", "token": "t", "n": number}}
    return json.dumps(["event", json.dumps({"data": data})]).encode()


@contextmanager
def traffic(ledger: Ledger, fleet: Fleet) -> Iterator[Callable[[float], None]]:
    """Pushes for as long as one waits."""

    def flow(seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            ledger.push(30)
            fleet.queue.push([without_time(ledger.count)])
            ledger.note(1)
            time.sleep(0.2)

    yield flow
    fleet.wait_until_drained(60)


def held_by(queue: Queue) -> set[str]:
    batches = (queue.redis.hvals(f"{{{name}}}:batches") for name in queue.lists)
    states = map(json.loads, chain.from_iterable(batches))
    return {str(state["owner"]).rpartition(".")[0] for state in states if state.get("owner")}


@pytest.mark.timeout(300)
def test_clocks_that_disagree_or_are_set_end_no_lease_and_no_horse(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    clock_of: Callable[[int], Clock],
    size: Size,
    tell: Tell,
) -> None:
    ledger.mixpanel.fault("latency", seconds=0.8)
    fleet = fleet_of(**LEASES)
    ahead, behind = clock_of(600), clock_of(-600)
    with traffic(ledger, fleet) as flow:
        for clock in (ahead, behind, None):
            fleet.start(1, **(clock.environment if clock else {}))
        owners: set[str] = set()

        def all_hold() -> bool:
            owners.update(held_by(fleet.queue))
            flow(0.2)
            return len(owners) == len(fleet.workers)

        wait_until(all_hold, 30, "a batch in each worker's hands")
        for step in range(size(1, 8)):
            ahead.set(600 + STEP * (step % 2 == 0))
            behind.set(-600 - STEP * (step % 2 == 0))
            # RQ looks after its horse each 10 s.
            flow(11)
    found = ledger.check()
    logs = "\n".join(worker.text() for worker in fleet.workers)
    assert "horse_died" not in logs
    assert "lease_lost" not in logs
    # Nor does one host's clock make RQ give up what another is at.
    assert "AbandonedJobError" not in fleet.workers[0].text()
    assert "clock_skew" in fleet.workers[0].text()
    assert (found.redelivered, found.resent) == (0, 0)
    assert not ledger.mixpanel.duplicates
    untimed = [one for one in ledger.mixpanel.events if one["event"] == "Untimed"]
    now = time.time()
    assert all(abs(now - one["properties"]["time"] / 1000) < 120 for one in untimed)
    assert [worker.terminate(10) for worker in fleet.workers] == [0, 0, 0]
    assert {number_of(one) for one in untimed} <= set(range(ledger.count))
    tell("clocks 10 minutes apart, and set by 11", found)


@pytest.mark.timeout(120)
def test_what_a_lost_host_with_a_wrong_clock_held_is_taken_over_in_a_leases_time(
    fleet_of: Callable[..., Fleet], ledger: Ledger, clock_of: Callable[[int], Clock], tell: Tell
) -> None:
    ledger.mixpanel.fault("latency", seconds=1.0)
    fleet = fleet_of(**LEASES)
    ledger.push(200)
    [wrong] = fleet.start(1, **clock_of(600).environment)
    wait_until(lambda: sum(fleet.queue.books().leased.values()) > 0, 30, "a lease")
    wrong.destroy()
    with within(10):
        fleet.start(1, **clock_of(-600).environment)
        wait_until(lambda: fleet.queue.books().totals["redelivered"] > 0, 20, "taken over")
    fleet.wait_until_drained(30)
    tell("a host with a wrong clock is lost", ledger.check())


@pytest.fixture
def cluster(
    clock_of: Callable[[int], Clock], monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisCluster]:
    """Three masters; the first partition's clock is ahead, one is behind, one is right."""
    with RedisCluster() as running:
        home = running.master_of(Queue(connect(running.url)).name)
        for server, ahead in ((home, 600), (running.other_than(home), -600)):
            server.kill()
            with monkeypatch.context() as its:
                for name, value in clock_of(ahead).environment.items():
                    its.setenv(name, value)
                running.restart(server)
            assert server.client.time()[0] == pytest.approx(time.time() + ahead, abs=10)
        yield running


@pytest.fixture
def spread(
    cluster: RedisCluster, mixpanel: Sandbox, redis_url: str, tmp_path: Path
) -> Iterator[Fleet]:
    """A fleet whose partitions lie on nodes of each clock."""
    fleet = Fleet(
        cluster.url,
        mixpanel.url,
        tmp_path,
        MIXRELAY_PARTITIONS="6",
        MIXRELAY_RQ_REDIS_URL=redis_url,
        MIXRELAY_BACKOFF_BASE="1",
        MIXRELAY_BACKOFF_CAP="1",
        **LEASES,
    )
    assert len({cluster.master_of(name).port for name in fleet.queue.lists}) == 3
    yield fleet
    fleet.close()


@pytest.mark.timeout(120)
def test_nodes_whose_clocks_disagree_end_leases_and_pauses_when_their_time_is_up(
    cluster: RedisCluster, spread: Fleet, mixpanel: Sandbox, tell: Tell
) -> None:
    queue = spread.queue
    mixpanel.fault("latency", seconds=1.0)
    with Ledger(queue, mixpanel, cluster.url) as ledger:
        ledger.push(600)
        [lost] = spread.start()
        wait_until(lambda: sum(queue.books().leased.values()) > 4, 30, "leases")
        lost.destroy()
        with within(10):
            owner = held_by(queue)
            spread.start()
            wait_until(lambda: not owner & held_by(queue), 20, "all taken over")
        assert owner
        outage = mixpanel.fault("status", status=503, endpoint="/import")
        ledger.push(100)
        wait_until(lambda: bool(queue.books().paused), 20, "a pause")
        waits = [pause.seconds for pause in queue.books().paused]
        assert 0 <= min(waits) <= max(waits) < 10, waits
        mixpanel.clear_faults(outage)
        spread.wait_until_drained(60)
        tell("a cluster whose clocks are 10 minutes apart", ledger.check())


@pytest.mark.timeout(120)
def test_a_pause_is_as_long_in_a_partition_of_any_node(spread: Fleet, mixpanel: Sandbox) -> None:
    spread.start()
    for name in spread.queue.lists:  # one at a time: no other may probe for it
        # Until it is seen: a worker that asks for the time meets it too.
        outage = mixpanel.fault("status", status=503)
        spread.queue.redis.rpush(name, without_time(0))
        began = time.monotonic()
        wait_until(lambda: bool(spread.queue.books().paused), 20, "a pause")
        mixpanel.clear_faults(outage)
        spread.wait_until_drained(15)
        assert time.monotonic() - began > 1, "it waits"


@pytest.mark.timeout(120)
def test_a_job_over_nodes_whose_clocks_disagree_takes_all_letters_at_its_rate(
    spread: Fleet,
) -> None:
    queue, letters = spread.queue, 60
    bury(queue, [event(f"e{n}", f"user-{n}") for n in range(letters)])
    plan = queue.jobs.plan(LetterFilter(reason="invalid"))
    assert plan.count == letters, "those too that died by a clock that is ahead"
    began = time.monotonic()
    job = queue.jobs.start(JobKind.DISCARD, plan.wanted, job_id=new_job_id(), who="ann", rate=10)
    spread.start()
    wait_until(lambda: queue.books().dead == 0, 40, "a job of six seconds")
    assert time.monotonic() - began > letters / 10 - 2, "the rate is the whole job's"
    assert queue.books().totals["discarded"] == letters
    done = queue.jobs.get(job.id)
    assert done is not None
    assert done.moved == letters


def test_the_clocks_of_these_tests_are_wrong_indeed(clock_of: Callable[[int], Clock]) -> None:
    asked = "import time, datetime; print(time.time(), datetime.datetime.now().timestamp())"
    asked += "; began = time.monotonic(); time.sleep(0.1); print(time.monotonic() - began)"
    told = finished(
        [sys.executable, "-c", asked],
        env=clock_of(600).environment,
        capture_output=True,
        check=True,
        timeout=20,
    )
    by_time, by_datetime, slept = map(float, told.stdout.split())
    true = time.time() + 600
    assert (by_time, by_datetime) == pytest.approx((true, true), abs=10)
    assert slept < 5
