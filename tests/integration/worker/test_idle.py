"""Idle means silent: a fleet that has nothing to do hardly asks Redis, and writes nothing."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from redis import Redis

from tests.support.fleet import wait_until
from tests.support.works import Works, event

pytestmark = pytest.mark.timeout(180)

SECONDS = 5.0
WORKERS = 2
COMMANDS_A_SECOND = 10
"""Of one worker, those inside its scripts among them: ten are under a hundred together."""
WRITES_AT_MOST = 40
"""RQ's heartbeats of two workers, two times at most in five seconds: keys changed by them."""


def calls(stats: Mapping[str, Any]) -> int:
    return sum(one["calls"] for name, one in stats.items() if name.startswith("cmdstat_"))


def scripts(stats: Mapping[str, Any]) -> int:
    return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


def is_quiet(redis: Redis) -> bool:
    """Whether a second passes without a script."""
    before = scripts(redis.info("commandstats"))
    time.sleep(1)
    return scripts(redis.info("commandstats")) == before


def test_an_idle_fleet_is_silent_and_still_hears_of_a_push_at_once(
    works: Works, redis: Redis
) -> None:
    works.push(event("first"))
    running = [works.start(MIXRELAY_LINGER="0.05") for _ in range(WORKERS)]
    wait_until(lambda: all("shift_started" in one.log for one in running), 60, "two drain jobs")
    works.box.wait_for(lambda box: len(box.events) == 1)
    wait_until(lambda: is_quiet(redis), 60, "a quiet fleet")
    redis.config_resetstat()
    changes = redis.info("persistence")["rdb_changes_since_last_save"]
    began = time.monotonic()
    time.sleep(SECONDS)
    stats, seconds = redis.info("commandstats"), time.monotonic() - began
    written = redis.info("persistence")["rdb_changes_since_last_save"] - changes
    # A look all the same may fall into these seconds: fifty commands inside each of its scripts.
    looks = 3 * WORKERS
    assert scripts(stats) <= looks, stats
    assert calls(stats) <= COMMANDS_A_SECOND * WORKERS * seconds + looks * 60, stats
    assert written <= WRITES_AT_MOST
    pushed = time.monotonic()
    works.push(event("late"))
    works.box.wait_for(lambda box: len(box.events) == 2)
    assert time.monotonic() - pushed < SECONDS, "not by looking every now and then"
