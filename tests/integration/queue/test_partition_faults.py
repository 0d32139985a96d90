"""Several partitions, lost replies, and nodes that are away: nothing is lost, doubled or undone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Batch, Lane, Nothing, Queue, Settled, Settlement, new_id
from mixrelay.shared.queue.base.scripts import NAMES, sha, source
from tests.support.bench import DESTINATION, event, outage
from tests.support.faultproxy import (
    Exchange,
    Fault,
    FaultProxy,
    after,
    cut_after,
    cut_before,
    first,
    never,
    nth,
)
from tests.support.fleet import wait_until
from tests.support.wide import Wide

PARTITIONS = 4
ALREADY = Settled.ALREADY


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(redis_url) as running:
        yield running


@pytest.fixture
def wide(redis: Redis) -> Wide:
    for name in NAMES:
        redis.script_load(source(name))
    return Wide(redis, PARTITIONS)


@pytest.fixture
def worker(wide: Wide, proxy: FaultProxy) -> Iterator[Queue]:
    """The queue of one whose connections the proxy spoils."""
    with connect(proxy.url, timeout=1) as client:
        yield wide.another(client)


def runs(script: str, *, of: str = "") -> Callable[[Exchange], bool]:
    """Whether a request runs a script, in the slot of one list."""
    name = sha(script).encode()
    key = f"\r\n{of}\r\n".encode() if of else b""
    return lambda exchange: name in exchange.request and key in exchange.request


def insisted(move: Callable[[], Any]) -> Any:
    """As a worker does: repeats what was not answered."""
    for _ in range(5):
        try:
            return move()
        except RedisError:
            continue
    pytest.fail("it was never answered")


def reserve_until_answered(wide: Wide, worker: Queue) -> Batch:
    """With one claim until that is answered, and then with others, as a worker does."""
    claims = [new_id()]
    answers: list[Batch] = []

    def is_there() -> bool:
        with suppress(RedisError):
            answer = wide.reserve(by=worker, claim=claims[-1])
            answers.extend([answer] if isinstance(answer, Batch) else [])
            claims.append(new_id())
        return bool(answers)

    wait_until(is_there, 10, "a batch")
    return answers[0]


def paused_in(wide: Wide, index: int) -> None:
    """A batch of this partition failed, and the pause is over."""
    wide.route(index, event("first"))
    wide.park(wide.take(), outage())
    wide.pause_over()


@contextmanager
def spoiled(proxy: FaultProxy, plan: Any) -> Iterator[None]:
    proxy.plan = plan
    yield
    proxy.plan = never
    assert proxy.faulted, "the fault was never met"


@pytest.mark.parametrize("fault", [cut_before, cut_after])
@pytest.mark.parametrize("script", ["gates", "reserve", "probe", "leased"])
def test_a_probe_is_one_whatever_reply_is_lost(
    wide: Wide, worker: Queue, proxy: FaultProxy, script: str, fault: Fault
) -> None:
    paused_in(wide, 2)
    if script == "leased":
        wide.home.redis.hset(wide.home.key("paces"), "other", b'{"limit":9,"at":99999999999999}')
    key = f"{wide.queue.name}.2" if script == "reserve" else ""
    with spoiled(proxy, nth(1, fault, of=runs(script, of=key))):
        probe = reserve_until_answered(wide, worker)
    assert (probe.partition, probe.probe) == (2, True)
    pause = wide.redis.hgetall(wide.home.key(f"pause:{DESTINATION}"))
    assert pause[b"probe"] == probe.id.encode()
    wide.route(1, event("second"))
    assert isinstance(wide.reserve(), Nothing)
    books = wide.queue.books()
    assert (books.leased[Lane.EVENT], books.batches, books.difference) == (1, 1, 0)


@pytest.mark.parametrize("fault", [cut_before, cut_after])
@pytest.mark.parametrize("script", ["settle", "report"])
def test_an_acceptance_means_the_same_whatever_reply_is_lost(
    wide: Wide, worker: Queue, proxy: FaultProxy, script: str, fault: Fault
) -> None:
    paused_in(wide, 2)
    probe = wide.take(by=worker)
    accepted = Settlement(delivered="all", accepted=True, destination=DESTINATION)
    op = new_id()
    with spoiled(proxy, nth(1, fault, of=runs(script))):
        answer = insisted(lambda: worker.settle(probe, accepted, op=op))
    assert answer is (Settled.DONE if (script, fault) == ("settle", cut_before) else ALREADY)
    books = wide.queue.books()
    assert (books.paused, books.paces) == ((), {DESTINATION: 1})
    assert (books.totals["delivered"], books.difference) == (1, 0)


@pytest.mark.parametrize("fault", [cut_before, cut_after])
@pytest.mark.parametrize("script", ["settle", "report"])
def test_a_failure_means_the_same_whatever_reply_is_lost(
    wide: Wide, worker: Queue, proxy: FaultProxy, script: str, fault: Fault
) -> None:
    paused_in(wide, 2)
    probe = wide.take(by=worker)
    failed = Settlement(rest=outage(), sent=True, destination=DESTINATION)
    op = new_id()
    with spoiled(proxy, nth(1, fault, of=runs(script))):
        insisted(lambda: worker.settle(probe, failed, op=op))
    books = wide.queue.books()
    assert [pause.failures for pause in books.paused] == [2]
    assert (books.waiting, books.difference) == (1, 0)


def test_a_crash_before_the_report_is_made_up_for_by_the_next_batch(
    wide: Wide, worker: Queue, proxy: FaultProxy
) -> None:
    wide.route(2, event("a"), event("b"))
    batch = wide.take(by=worker)
    with (
        spoiled(proxy, first(9, cut_before, of=runs("report"))),
        pytest.raises(RedisError),
    ):
        worker.settle(batch, Settlement(rest=outage(), sent=True, destination=DESTINATION))
    assert wide.queue.books().paused == ()
    for bench in wide.benches:
        bench.due()
    wide.park(wide.take(), outage())
    assert [pause.failures for pause in wide.queue.books().paused] == [1]


def test_two_that_would_probe_at_once_are_one(wide: Wide, worker: Queue, proxy: FaultProxy) -> None:
    """Both have seen that the pause is over; the second finds the first's claim."""
    paused_in(wide, 2)
    for bench in wide.benches[:2]:
        bench.queue.push([event("x")])
    while wide.queue.route()[0]:
        pass
    taken: list[Batch] = []
    probes_first = after(lambda: taken.append(wide.take()))
    with spoiled(proxy, nth(1, probes_first, of=runs("gates"))):
        answer = wide.reserve(by=worker)
    assert isinstance(answer, Nothing)
    assert answer.wait_seconds is not None
    assert 55 < answer.wait_seconds <= 60
    assert [batch.probe for batch in taken] == [True]
    books = wide.queue.books()
    assert (sum(books.leased.values()), books.waiting, books.difference) == (1, 3, 0)
    assert not any(bench.redis.hlen(bench.key("claims")) for bench in wide.benches[1:])
