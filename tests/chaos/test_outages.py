"""Mixpanel is away for long: a longer queue, few attempts, no letter, and a slow start."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.sandbox.ledger import Request
from tests.chaos.ledger import Findings, Ledger
from tests.support.fleet import Fleet, wait_until
from tests.support.traffic import mixed, push
from tests.support.works import event

SCALE = 120
"""An hour is half a minute; the backoff of 2 s to 60 s is one of 1/60 s to half a second."""
BASE, CAP = 2 / SCALE, 60 / SCALE
WORKERS, CONCURRENCY = 4, 4
LATENCY = 0.15
EVENTS = 4_000
# Events and imports by one token share a destination; here each lane has one of its own.
SCALED = {
    "MIXRELAY_EVENTS_ENDPOINT": "track",
    "MIXRELAY_BACKOFF_BASE": f"{BASE:.4f}",
    "MIXRELAY_BACKOFF_CAP": f"{CAP:.4f}",
    "MIXRELAY_CONCURRENCY": str(CONCURRENCY),
    "MIXRELAY_BATCH_RECORDS": "50",
    "MIXRELAY_LINGER": "0.05",
    "MIXRELAY_DEADLINE": "2",
}


def attempts_at_most(seconds: float) -> int:
    """Of the whole fleet at one destination: all that was under way fails once, then the probes."""
    doublings = math.ceil(math.log2(CAP / BASE))
    return WORKERS * CONCURRENCY + doublings + 1 + math.ceil(seconds / CAP)


def at_once(arrivals: Sequence[float]) -> list[tuple[int, int]]:
    """For each request how many were under way with it, and how many were over before."""
    times = sorted(arrivals)
    over = [sum(other + LATENCY <= at for other in times) for at in times]
    return [(index + 1 - before, before) for index, before in enumerate(over)]


@pytest.mark.timeout(300)
def test_an_hour_of_outage_is_few_attempts_no_letter_and_a_slow_start(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    sandbox, seconds = ledger.mixpanel, size(6, 30)
    sandbox.fault("latency", seconds=LATENCY)
    fleet = fleet_of(**SCALED)
    ledger.push(2_000)
    fleet.start(WORKERS)
    wait_until(lambda: fleet.queue.books().totals["delivered"] > 500, 60, "a fleet at work")
    sandbox.fault("status", endpoint="/track", status=503)
    sandbox.fault("status", endpoint="/import", status=429)
    sandbox.fault("reset_before", endpoint="/engage")
    sandbox.fault("status", endpoint="/groups", status=502)
    ledger.push(8_000)
    began, before = time.time(), len(sandbox.requests)
    time.sleep(seconds)
    during = [one for one in sandbox.requests[before:] if one.fault]
    books = fleet.queue.books()
    tried = Counter(one.endpoint for one in during)
    assert {name: tried[name] for name in tried if tried[name] > attempts_at_most(seconds)} == {}
    assert len(tried) == 4, "each is tried again and again"
    assert min(tried.values()) > seconds / CAP / 4
    assert books.dead == 0
    assert len(books.paused) == 4
    assert books.difference == 0

    sandbox.clear_faults()
    sandbox.fault("latency", seconds=LATENCY)
    # What waited was joined into few batches; speed shows in what comes now.
    ledger.push(8_000)
    fleet.wait_until_drained(60)
    arrived = [one.at for one in sandbox.requests if one.endpoint == "/track" and one.status == 200]
    herd = at_once([at for at in arrived if at > began + seconds])
    print(f"{dict(tried)} attempts in {seconds} s; then at once: {[many for many, _ in herd]}")
    assert all(many <= max(over, 1) for many, over in herd), "first one, then one more for each"
    assert max(many for many, _ in herd) > WORKERS * CONCURRENCY / 2, "it reaches full speed"
    assert fleet.queue.books().paused == ()
    tell("an hour of outage (scaled)", ledger.check())


def accepted(sandbox: Sandbox, since: int) -> list[Request]:
    """What /track took after so many requests in all."""
    return [one for one in sandbox.requests[since:] if one.endpoint == "/track" and one.accepted]


def rate(fleet: Fleet, sandbox: Sandbox) -> float:
    """Requests a second to /track while it takes some thousand events."""
    since = len(sandbox.requests)
    fleet.queue.push([event(f"u{n}") for n in range(EVENTS)])
    wait_until(
        lambda: sum(one.accepted for one in accepted(sandbox, since)) == EVENTS,
        60,
        "/track takes all",
    )
    times = [one.at for one in accepted(sandbox, since)]
    return len(times) / (max(times) - min(times) + LATENCY)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["hang", "status"])
def test_while_other_lanes_are_down_a_lane_keeps_its_speed(
    fleet_of: Callable[..., Fleet], mixpanel: Sandbox, kind: str
) -> None:
    mixpanel.fault("latency", endpoint="/track", seconds=LATENCY)
    fleet = fleet_of(**SCALED | {"MIXRELAY_CONCURRENCY": "12"})
    fleet.start(1)
    usual = rate(fleet, mixpanel)
    down = {b'["import"': "/import", b'["profile': "/engage", b'["group_u': "/groups"}
    for endpoint in down.values():
        mixpanel.fault(kind, endpoint=endpoint)
    held_up = [one for one in mixed(8_000) if one[:9] in down]
    push(fleet.queue, iter(held_up))
    wait_until(lambda: len(fleet.queue.books().paused) == len(down), 30, "they are down")
    meanwhile = rate(fleet, mixpanel)
    for _ in range(2):
        # What another program takes of the machine for a while is none of the lanes' doing.
        if meanwhile <= usual / 2:
            meanwhile = rate(fleet, mixpanel)
    print(f"{usual:.1f} requests a second usually, {meanwhile:.1f} with the others down ({kind})")
    # Of the twelve senders each lane that is down keeps one waiting at most.
    assert meanwhile > usual / 2
    books = fleet.queue.books()
    assert books.waiting == len(held_up)
    assert books.dead == 0
