"""What this process believes to own: never longer than it surely does."""

import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from mixrelay.shared.queue import Batch, Lane, Limits, Nothing
from mixrelay.worker.base.in_flight import Held, Holdings
from mixrelay.worker.drain.leases import LeaseKeeper
from mixrelay.worker.drain.reserver import Reserver

EMPTY = Nothing(wait_seconds=None, suspects_wait=False)


def held(name: str) -> Held:
    batch = Batch(id=name, claim=name, lane=Lane.EVENT, members=(), queue_id="q")
    return Held(batch, until=time.monotonic() + 0.1)


class Extending:
    """A queue in which one batch went to someone else."""

    def extend(self, batches: list[Batch], _seconds: float) -> frozenset[str]:
        assert {batch.id for batch in batches} == {"kept", "lost"}
        return frozenset({"lost"})


def test_a_lost_lease_is_as_good_as_over_and_a_kept_one_is_longer() -> None:
    holdings = Holdings()
    kept, lost = held("kept"), held("lost")
    holdings.add(kept)
    holdings.add(lost)
    keeper = LeaseKeeper(Extending(), holdings, lease_seconds=30, extend_every=10)
    keeper._extend()
    assert kept.surely_owned_for(25)
    assert not lost.surely_owned_for(0)


class Away:
    """A queue whose answers are lost until told otherwise."""

    def __init__(self) -> None:
        self.claims: list[str] = []
        self.is_back = False

    def reserve(self, _lane: Lane, *, claim: str, **_: object) -> Nothing:
        self.claims.append(claim)
        if not self.is_back:
            raise RedisConnectionError("away")
        return EMPTY


def reserving(queue: Away, lease_seconds: float) -> Reserver:
    return Reserver(
        queue,
        owner="me",
        lease_seconds=lease_seconds,
        limits=lambda _lane: Limits(),
        destinations={},
        host_ms=lambda: 0,
    )


def ask_in_vain(reserver: Reserver) -> None:
    with pytest.raises(RedisConnectionError):
        reserver.ask(Lane.EVENT, alone=True)


def test_an_unanswered_claim_is_repeated_and_an_answered_one_is_not() -> None:
    queue = Away()
    reserver = reserving(queue, lease_seconds=30)
    ask_in_vain(reserver)
    queue.is_back = True
    reserver.ask(Lane.EVENT, alone=True)
    reserver.ask(Lane.EVENT, alone=True)
    first, second, third = queue.claims
    assert first == second != third


def test_a_claim_is_not_repeated_once_its_lease_may_be_over() -> None:
    queue = Away()
    reserver = reserving(queue, lease_seconds=0.05)
    ask_in_vain(reserver)
    time.sleep(0.05)
    ask_in_vain(reserver)
    first, second = queue.claims
    assert first != second
