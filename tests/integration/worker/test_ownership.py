"""Between reserve and settle: whose a batch is, and what is known of it when its worker dies."""

import os
import signal
import threading
import time

import pytest

from mixrelay.shared.queue import Batch, Lane, Limits, Nothing, new_id
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.base.signals import Stop
from mixrelay.worker.deliver.delivery import Delivery
from mixrelay.worker.deliver.writer import LeaseLost, Ledger
from tests.support.works import Works, event, update, wait_until

AT_ONCE = Limits(linger_seconds=0)


def reserve(works: Works, owner: str, seconds: float, limits: Limits = AT_ONCE) -> Batch | Nothing:
    while works.queue.route()[1]:
        pass
    return works.queue.reserve(
        Lane.EVENT, owner=owner, claim=new_id(), lease_seconds=seconds, limits=limits
    )


def lost(works: Works, *, asleep_for: float = 0.1) -> Held:
    """A batch of one whose holder slept past its lease, and that another holds by now."""
    asleep = reserve(works, "here", asleep_for, Limits(records=1, linger_seconds=0))
    assert isinstance(asleep, Batch)
    held = Held(asleep, until=time.monotonic() + asleep_for)
    wait_until(lambda: works.queue.reap() != (0, 0), "the end of the lease")
    assert isinstance(reserve(works, "another", 60), Batch)
    return held


def delivery(works: Works, stop: Stop | None = None) -> Delivery:
    return works._draining(None, burst=False, stop=stop)._delivery()


def test_a_worker_that_slept_past_its_lease_sends_nothing(works: Works) -> None:
    works.push(event("a"))
    delivery(works).handle(lost(works))
    assert list(works.box.requests) == []
    assert works.books.in_flight == 1


def test_a_batch_got_in_the_place_of_a_lost_one_is_given_back(works: Works) -> None:
    later = event("b")
    works.push(event("a"), later)
    # Until the second has waited for others long enough to be handed out.
    held = lost(works, asleep_for=0.7)
    ledger = Ledger(works.queue, owner="here", lease_seconds=60, abandon=threading.Event())
    with pytest.raises(LeaseLost):
        ledger.refresh(held)
    strange = reserve(works, "third", 60)
    assert isinstance(strange, Batch)
    assert strange.members[0].payload == later


class StopAtTheFirstRequest(Stop):
    """A SIGTERM that comes while the first request is under way."""

    def __init__(self, works: Works) -> None:
        self._works = works

    @property
    def requested(self) -> bool:
        return len(self._works.box.requests) > 0


def test_no_further_request_begins_once_told_to_stop(works: Works) -> None:
    works.push(*[event(f"u{number}") for number in range(7)], event("culprit"))
    works.box.fault("reject_distinct_id", match="culprit")
    batch = reserve(works, "here", 60)
    assert isinstance(batch, Batch)
    stop = StopAtTheFirstRequest(works)
    delivery(works, stop).handle(Held(batch, until=time.monotonic() + 60))
    assert len(works.box.requests) == 1
    assert works.books.waiting == 8
    assert isinstance(reserve(works, "another", 60), Batch), "it was given back at once"


@pytest.mark.parametrize(
    ("policy", "counted", "reasons"), [("retry", 2, []), ("dead-letter", 1, ["ambiguous"])]
)
def test_an_increment_whose_worker_died_while_sending_follows_on_ambiguous(
    works: Works, policy: str, counted: int, reasons: list[str]
) -> None:
    works.box.fault("hang", endpoint="/engage", count=1, seconds=20, take=True)
    works.push(update("p", **{"$add": {"n": 1}}))
    running = works.start(MIXRELAY_ON_AMBIGUOUS=policy, MIXRELAY_DEADLINE="3.5")
    wait_until(lambda: works.box.profiles, "the request")
    os.kill(running.horse(), signal.SIGKILL)
    works.wait_until_all_is_settled()
    assert works.box.profiles["p"]["n"] == counted
    assert works.reasons() == reasons
    assert works.books.totals["ambiguous"] == counted - 1
