"""Values that other threads change while they are tracked: no crash, and no torn JSON.

MIXRELAY_CHANGING_SECONDS=180 makes a long run of it, MIXRELAY_CHANGING_SEED=… repeats one.
"""

import os
import random
import sys

import pytest

from tests.support.processes import finished

SECONDS = float(os.environ.get("MIXRELAY_CHANGING_SECONDS", "3"))


@pytest.mark.timeout(120 + 2 * SECONDS)
@pytest.mark.parametrize("manner", ["sync", "async"])
def test_values_that_change_while_they_are_tracked_harm_nobody(manner):
    seed = os.environ.get("MIXRELAY_CHANGING_SEED") or str(random.randrange(10**9))
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.support.changing"]
    done = finished(
        [*command, str(SECONDS), seed, manner],
        capture_output=True,
        text=True,
        timeout=110 + 2 * SECONDS,
    )
    print(f"seed {seed}:", done.stdout)
    assert done.returncode == 0, f"seed {seed}, status {done.returncode}: {done.stderr[-3000:]}"
    assert " 0 failures" in done.stdout
