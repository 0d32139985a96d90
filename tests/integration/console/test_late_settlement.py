"""An answer that came when the batch was another's: an operator sees how many there were."""

import re

from mixrelay.shared.queue import Settled, Settlement
from tests.support.bench import event


def test_late_settlements_are_counted_in_the_metrics(bench, page):
    bench.route(event("a"))
    late = bench.take()
    bench.lease_over(late)
    bench.queue.reap()
    bench.deliver(bench.take())
    assert bench.queue.settle(late, Settlement(delivered="all", sent=True)) is Settled.LOST
    assert re.search(r"^mixrelay_lease_lost_total 1\.0$", page.get("/metrics").text, re.MULTILINE)
    assert bench.totals("delivered", "redelivered") == [1, 1]
