import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from tests.support.fleet import Fleet


@pytest.fixture
def fleet_of(redis_url: str, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Makes a fleet with settings; its workers die with the test."""
    fleets: list[Fleet] = []

    def make(**settings: str) -> Fleet:
        fleets.append(Fleet(redis_url, mixpanel.url, tmp_path, **settings))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Randomness whose seed is printed; MIXRELAY_SEED repeats a run."""

    seed = int(os.environ.get("MIXRELAY_SEED", random.SystemRandom().randrange(2**32)))
    print(f"MIXRELAY_SEED={seed}")
    return random.Random(seed)
