import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Queue
from tests.chaos.hosts.table import Matrix
from tests.chaos.ledger import Findings, Ledger
from tests.chaos.report import Report, property_of
from tests.support.fleet import Fleet

FULL = os.environ.get("MIXRELAY_CHAOS") == "full"
REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report()
    config.pluginmanager.register(config.stash[REPORT])
    config.pluginmanager.register(Matrix(), "matrix")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    report = config.stash[REPORT]
    if lines := report.lines():
        terminalreporter.section("what the attacks did")
        for line in lines:
            terminalreporter.write_line(line)
        report.write()


@pytest.fixture
def size() -> Callable[[int, int], int]:
    """Chooses between the short form, which CI runs, and the full one of `make chaos`."""
    return lambda short, full: full if FULL else short


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str, Findings], None]:
    """Puts a line into the table that ends the run; lines of one name add up."""
    return lambda attack, found: request.node.user_properties.append(property_of(attack, found))


@pytest.fixture
def partitions() -> int:
    """Of the queue; MIXRELAY_CHAOS_PARTITIONS has all attacks meet several."""
    return int(os.environ.get("MIXRELAY_CHAOS_PARTITIONS", "1"))


@pytest.fixture
def fleet_of(
    redis_url: str, mixpanel: Sandbox, tmp_path: Path, partitions: int
) -> Iterator[Callable[..., Fleet]]:
    """Makes a fleet with settings; its workers die with the test."""
    fleets: list[Fleet] = []

    def make(**settings: str) -> Fleet:
        settings.setdefault("MIXRELAY_PARTITIONS", str(partitions))
        fleets.append(Fleet(redis_url, mixpanel.url, tmp_path, **settings))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()


@pytest.fixture
def ledger(redis: Redis, mixpanel: Sandbox, partitions: int) -> Iterator[Ledger]:
    """The numbered messages of the default queue, watched until the test ends."""
    with Ledger(Queue(redis, partitions=partitions), mixpanel) as opened:
        yield opened


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Randomness whose seed is printed; MIXRELAY_SEED repeats a run."""

    seed = int(os.environ.get("MIXRELAY_SEED", random.SystemRandom().randrange(2**32)))
    print(f"MIXRELAY_SEED={seed}")
    return random.Random(seed)
