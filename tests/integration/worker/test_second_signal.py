"""An orchestrator that repeats its SIGTERM."""

import signal
import time

import pytest

from tests.support.works import Works, event, wait_until


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


@pytest.mark.parametrize("processes", ["1", "2"])
def test_sigterms_to_the_very_end_change_no_exit_code(works: Works, processes: str) -> None:
    """Also while the interpreter ends, when Python has given up its handlers."""
    worker = works.start(MIXRELAY_PROCESSES=processes)
    works.push(event("ann"))
    wait_until(lambda: works.users() == ["ann"], "delivery")

    while worker.process.poll() is None:
        worker.kill(signal.SIGTERM)
        time.sleep(0.001)

    assert worker.exit_code() == 0
