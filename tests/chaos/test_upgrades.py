"""Former and present workers and producers on one queue, forward and back, with kills."""

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.sandbox import Sandbox
from tests.chaos.ledger import Findings, Ledger
from tests.support.fleet import Fleet, Worker, wait_until
from tests.support.former import produced, unpacked
from tests.support.processes import finished

SAME_FORM, OLDER_FORM = "0.4.0-form-3", "0.4.0-form-2"
SHORT, FULL = 160, 10_000
SLOW = 0.15
"""Seconds that Mixpanel takes for a request: what is killed has one under way."""
QUICK = {
    "MIXRELAY_LEASE": "3",
    "MIXRELAY_EXTEND_EVERY": "1",
    "MIXRELAY_DEADLINE": "2",
    "MIXRELAY_BATCH_RECORDS": "20",
    "MIXRELAY_LINGER": "0.1",
}


class Versions:
    """A queue with producers and workers of two versions."""

    def __init__(self, fleet: Fleet, ledger: Ledger, former: dict[str, str], folder: Path) -> None:
        self.fleet = fleet
        self.ledger = ledger
        self.former = former
        self._folder = folder

    def produce(self, count: int) -> None:
        """Half of it by a producer of each version."""
        env = os.environ | self.fleet.environment
        for more in (self.former, {}):
            produced(self.ledger.count, count // 2, env | more, self._folder)
            self.ledger.note(count // 2)

    def workers(self, *, former: int = 0, present: int = 0) -> list[Worker]:
        started = self.fleet.start(former, **self.former) if former else []
        return started + (self.fleet.start(present) if present else [])

    def wait_for_some(self) -> None:
        """Until a tenth of what waits now is delivered, and the rest is under way."""
        before = self._delivered()
        target = min(self.ledger.count, before + max(1, (self.ledger.count - before) // 10))
        wait_until(lambda: self._delivered() >= target, 30, f"{target} are delivered")

    def _delivered(self) -> int:
        return int(self.fleet.queue.books().totals["delivered"])

    def drained(self) -> None:
        self.fleet.wait_until_drained(90)


@pytest.fixture
def versions_of(
    fleet_of: Callable[..., Fleet], ledger: Ledger, tmp_path: Path
) -> Callable[..., Versions]:
    return lambda name: Versions(fleet_of(**QUICK), ledger, unpacked(name, tmp_path), tmp_path)


def end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.exit_code(30)


def assert_profiles_end_as_they_were_set(mixpanel: Sandbox) -> None:
    """A profile's values arrive in their order; one that is sent again comes at once."""
    values = defaultdict(list)
    for update in mixpanel.updates:
        if "n" in update.get("$set", {}):
            values[update["$distinct_id"]].append(update["$set"]["n"])
    assert values
    for user, seen in values.items():
        firsts = list(dict.fromkeys(seen))
        assert firsts == sorted(firsts), (user, seen)
        assert seen[-1] == max(seen), (user, seen)


@pytest.mark.timeout(400)
def test_two_versions_of_one_form_work_side_by_side_forward_and_back(
    versions_of: Callable[[str], Versions],
    mixpanel: Sandbox,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    """Former alone, both, present alone, both, former alone; those that leave are killed."""
    both, count = versions_of(SAME_FORM), size(SHORT, FULL)
    mixpanel.fault("latency", seconds=SLOW)
    both.produce(count)
    former = both.workers(former=1)
    both.wait_for_some()
    present = both.workers(present=1)
    both.produce(count)
    former[0].kill_horse()
    both.wait_for_some()
    former[0].destroy()
    both.produce(count)
    both.wait_for_some()
    former = both.workers(former=1)
    present[0].kill_horse()
    both.wait_for_some()
    present[0].destroy()
    both.produce(count)
    both.drained()
    end(former)
    found = both.ledger.check()
    assert found.messages == 4 * count
    assert_profiles_end_as_they_were_set(mixpanel)
    tell("two versions of one form, forward and back, with kills", found)


@pytest.mark.timeout(400)
def test_a_form_is_raised_under_traffic_and_who_is_too_old_says_so_and_loses_nothing(
    versions_of: Callable[[str], Versions],
    redis: Redis,
    mixpanel: Sandbox,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    """Former workers are killed in the middle; started again after the present one, they stand."""
    both, count = versions_of(OLDER_FORM), size(SHORT, FULL)
    mixpanel.fault("latency", seconds=SLOW)
    both.produce(count)
    former = both.workers(former=1)
    both.wait_for_some()
    former[0].destroy()
    assert redis.get("{mixpanel_queue}:schema") == b"2"
    both.produce(count)
    present = both.workers(present=1)
    both.wait_for_some()
    end(present)
    assert redis.get("{mixpanel_queue}:schema") == b"3"
    both.produce(count)
    waiting = both.fleet.queue.books().waiting
    assert waiting >= count

    back = both.workers(former=1)
    said = "SCHEMA 3 is the form of this queue, and this program knows up to 2"
    wait_until(lambda: said in back[0].text(), 60, said)
    command = [str(both.fleet.workers[0].process.args[0]), "status"]
    env = os.environ | both.fleet.environment | both.former
    status = finished(command, env=env, capture_output=True, text=True)
    assert status.returncode != 0
    assert "SCHEMA 3" in status.stdout + status.stderr
    assert "Traceback" not in status.stderr
    assert both.fleet.queue.books().waiting == waiting, "it changed nothing"
    back[0].destroy()

    both.workers(present=1)
    both.drained()
    found = both.ledger.check()
    assert found.messages == 3 * count
    assert_profiles_end_as_they_were_set(mixpanel)
    tell("a form that is raised under traffic, and a downgrade that is refused", found)
