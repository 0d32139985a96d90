"""An orchestrator that repeats its SIGTERM."""

import signal
import time

from tests.support.works import Works, event


def test_a_second_sigterm_leaves_the_request_under_way_alone(works: Works) -> None:
    works.push(event("a"))
    works.box.fault("latency", seconds=3)
    running = works.start(MIXRELAY_DEADLINE="6", MIXRELAY_GRACE="8", MIXRELAY_LEASE="20")
    works.box.wait_for(lambda box: box.state["faults"][0]["fired"] > 0)
    running.kill(signal.SIGTERM)
    # Sooner, RQ takes the second for an echo of the first.
    time.sleep(1.5)
    running.kill(signal.SIGTERM)
    assert running.exit_code() == 0
    assert works.users() == ["a"]
    assert works.books.totals["delivered"] == 1
    assert works.books.totals["redelivered"] == 0
