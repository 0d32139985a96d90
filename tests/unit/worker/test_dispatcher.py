"""What is routed before lanes are asked; what is taken beside a batch that may kill its worker."""

import time
from types import SimpleNamespace

import pytest

from mixrelay.shared.queue import Batch, Lane, Nothing
from mixrelay.worker.base.in_flight import Held, Holdings
from mixrelay.worker.drain import dispatcher as dispatching_module
from mixrelay.worker.drain.dispatcher import Dispatcher
from mixrelay.worker.drain.senders import Senders

EMPTY = Nothing(wait_seconds=None, suspects_wait=False)
SUSPECTS = Nothing(wait_seconds=None, suspects_wait=True)


def batch(name: str, *, suspect: bool = False) -> Batch:
    return Batch(id=name, claim=name, lane=Lane.EVENT, members=(), queue_id="q", suspect=suspect)


class Lanes:
    """Answers as the queue would, and keeps what it was asked."""

    def __init__(self, *of_events: Batch | Nothing) -> None:
        self.of_events = list(of_events)
        self.asked: list[tuple[Lane, bool]] = []
        self.taking: list[tuple[Lane, bool]] = []

    def ask(self, lane: Lane, *, alone: bool, routes: int) -> Held | Nothing:
        self.asked.append((lane, alone))
        self.taking.append((lane, routes > 0))
        answer = self.of_events.pop(0) if lane is Lane.EVENT and self.of_events else EMPTY
        return Held(answer, until=1e9) if isinstance(answer, Batch) else answer


class Routing:
    """A list of so many tuples; of each call at most a thousand move."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.calls = 0

    def route(self) -> tuple[int, int]:
        moved = min(self.waiting, 1_000)
        self.waiting -= moved
        self.calls += 1
        return moved, self.waiting


def dispatching(lanes: Lanes, routing: Routing | None = None) -> tuple[Dispatcher, Holdings]:
    holdings = Holdings()
    dispatcher = Dispatcher(
        queue=routing,
        reserver=lanes,
        senders=Senders(4, lambda _: None),
        holdings=holdings,
        is_over=lambda: False,
        lease_seconds=30.0,
        upkeep=lambda: None,
    )
    return dispatcher, holdings


def names(holdings: Holdings) -> list[str]:
    return [held.batch.id for held in holdings.all()]


def test_nothing_is_taken_beside_a_suspect_batch() -> None:
    lanes = Lanes(batch("killer", suspect=True), batch("other"))
    dispatcher, holdings = dispatching(lanes)
    dispatcher._reserve()
    dispatcher._reserve()
    assert names(holdings) == ["killer"]
    dispatcher._holdings.remove(holdings.all()[0])
    dispatcher._rotation.changed()
    dispatcher._reserve()
    assert names(holdings) == ["other"]


def test_a_queue_is_told_that_this_worker_holds_nothing_only_where_it_does() -> None:
    lanes = Lanes(batch("one"), batch("two"))
    dispatcher, _ = dispatching(lanes)
    dispatcher._reserve()
    assert [alone for lane, alone in lanes.asked if lane is Lane.EVENT][:2] == [True, False]


def test_a_worker_told_of_a_suspect_takes_nothing_more_and_asks_for_it_once_it_is_free() -> None:
    lanes = Lanes(batch("one"), SUSPECTS, batch("killer", suspect=True))
    dispatcher, holdings = dispatching(lanes)
    dispatcher._reserve()
    asked = len(lanes.asked)
    dispatcher._rotation.changed()
    dispatcher._reserve()
    assert len(lanes.asked) == asked
    holdings.remove(holdings.all()[0])
    dispatcher._reserve()
    assert lanes.asked[asked] == (Lane.EVENT, True)
    assert names(holdings) == ["killer"]


@pytest.mark.parametrize(
    ("waiting", "calls", "left"),
    [(0, 1, 0), (1, 1, 0), (1_000, 1, 0), (1_500, 2, 0), (9_000, 2, 7_000)],
)
def test_lanes_are_asked_again_once_a_whole_batch_was_routed_or_all(
    waiting: int, calls: int, left: int
) -> None:
    routing = Routing(waiting)
    dispatcher, _ = dispatching(Lanes(), routing)
    assert dispatcher._route() == (waiting > 0)
    assert (routing.calls, routing.waiting) == (calls, left)


def test_lanes_are_asked_again_while_a_list_of_huge_messages_is_routed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thousand lists of 400 KB: five a call, and each call takes its time."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(dispatching_module, "time", SimpleNamespace(monotonic=lambda: clock.now))

    class Huge(Routing):
        def route(self) -> tuple[int, int]:
            clock.now += 0.05
            self.waiting -= 5
            self.calls += 1
            return 5, self.waiting

    routing = Huge(1_000)
    dispatcher, _ = dispatching(Lanes(), routing)
    assert dispatcher._route()
    assert clock.now < 0.5
    assert routing.waiting > 900
    while routing.waiting:
        assert dispatcher._route()


def test_while_no_sender_is_free_little_is_routed() -> None:
    routing = Routing(9_000)
    dispatcher, _ = dispatching(Lanes(), routing)
    dispatcher._senders.busy = 4
    dispatcher._route()
    assert routing.calls <= 1
    dispatcher._route_at = time.monotonic() + 60
    assert not dispatcher._route()
    assert routing.calls <= 1


def test_the_lane_that_has_the_most_of_the_list_takes_out_of_it() -> None:
    few = Nothing(0.4, suspects_wait=False, routed=(Lane.IMPORT, Lane.GROUP_UPDATE, Lane.EVENT))
    lanes = Lanes(few)
    dispatcher, _ = dispatching(lanes)
    dispatcher._reserve()
    assert lanes.taking[0] == (Lane.EVENT, True)
    # The others have something now, and imports the most.
    assert {Lane.IMPORT, Lane.GROUP_UPDATE} <= {lane for lane, _ in lanes.taking[1:]}
    assert [lane for lane, takes in lanes.taking[1:] if takes] == [Lane.IMPORT]
