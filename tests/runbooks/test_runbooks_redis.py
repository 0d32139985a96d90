"""Runbooks about Redis: followed to the letter, with traffic going on."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import LetterFilter, Queue
from tests.support.fleet import Fleet, wait_until
from tests.support.letters import event
from tests.support.redis_servers import RedisServer
from tests.support.runbook import PATIENCE, TOKEN, Runbook, Traffic, demand_balance

DEEP = [[[[["book"]]]]]
GRACE = 60.0
SAFE = {"appendonly": "yes", "appendfsync": "always", "maxmemory_policy": "noeviction"}


@contextmanager
def server(**config: str) -> Iterator[RedisServer]:
    running = RedisServer(**SAFE | config)
    try:
        yield running
    finally:
        running.kill()
        running.client.close()
        shutil.rmtree(running.folder, ignore_errors=True)


@contextmanager
def fleet_of(url: str, mixpanel: Sandbox, folder: Path, count: int = 1) -> Iterator[Fleet]:
    folder.mkdir(exist_ok=True)
    fleet = Fleet(url, mixpanel.url, folder, MIXRELAY_LINGER="0.1")
    fleet.start(count)
    try:
        yield fleet
    finally:
        fleet.close()


def delivered(queue: Queue, more: int = 10) -> None:
    before = queue.books().totals["delivered"]
    wait_until(
        lambda: queue.books().totals["delivered"] >= before + more, PATIENCE, "more is delivered"
    )


@pytest.fixture
def settings(mixpanel: Sandbox) -> dict[str, str]:
    return {"MIXPANEL_API_HOST": mixpanel.url, "MIXPANEL_TOKEN": TOKEN}


def test_redis_is_full(mixpanel: Sandbox, tmp_path: Path, settings: dict[str, str]) -> None:
    with server() as redis, Traffic(redis.url) as traffic:
        queue = Queue(connect(redis.url))
        book = Runbook("Redis is full", redis.url)
        with fleet_of(redis.url, mixpanel, tmp_path) as fleet:
            delivered(queue)
            fleet.workers[0].terminate(GRACE)
            queue.push([event("Filler", f"f{n}", n=n) for n in range(2_000)])
            redis.client.config_set("maxmemory", redis.client.info("memory")["used_memory"] + 1)
            before = traffic.events
            said = book.run("mixrelay doctor", expect=None, **settings)
            assert "maxmemory" in said
            assert "Filler" in book.run("mixrelay queue top")
            book.run("mixrelay dlq trash --empty")
            redis.client.config_set("maxmemory", 512 * 1024 * 1024)
            wait_until(lambda: traffic.events > before, PATIENCE, "producers get through again")
            fleet.replace(fleet.workers[0])
            delivered(queue, 2_000)
            demand_balance(queue, mixpanel, traffic)
        assert sum(one["event"] == "Filler" for one in mixpanel.events) == 2_000
        book.demand_all_run()


def test_redis_is_lost_and_comes_back(
    mixpanel: Sandbox, tmp_path: Path, settings: dict[str, str]
) -> None:
    with server() as redis, Traffic(redis.url) as traffic:
        queue = Queue(connect(redis.url))
        book = Runbook("Redis is lost or moved", redis.url)
        with fleet_of(redis.url, mixpanel, tmp_path):
            delivered(queue)
            redis.kill()
            assert not redis.is_running()
            redis.start()
            delivered(queue)
            # The words of a push whose reply was lost may be there: the producer pushed them again.
            assert "unaccounted" not in book.run("mixrelay status", expect=None)
            book.ended("mixrelay doctor", None, settings)
            traffic.stop()
            wait_until(lambda: queue.books().waiting == 0, PATIENCE, "drained")
        assert queue.books().difference == 0
        fine = {one["properties"]["n"] for one in mixpanel.events if one["event"] == "Fine"}
        assert fine == set(range(traffic.events))


def test_redis_is_moved(
    mixpanel: Sandbox, tmp_path: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with server() as old, server() as new, Traffic(old.url) as traffic:
        old_queue, new_queue = Queue(connect(old.url)), Queue(connect(new.url))
        book = Runbook("Redis is lost or moved", old.url, OLD=old.url, NEW=new.url)
        with fleet_of(old.url, mixpanel, tmp_path / "old") as former:
            old_queue.push([event("Other", "ann", Cart=DEEP)])
            delivered(old_queue)
            book.run("mixrelay doctor --redis-url NEW", expect=None, **settings)
            book.run("mixrelay pause profile_update")
            book.run("mixrelay pause group_update")
            with fleet_of(new.url, mixpanel, tmp_path / "new"):
                traffic.point_to(new.url)
                delivered(new_queue)
                assert former.workers[0].terminate(GRACE) == 0
                book.run("mixrelay worker --redis-url OLD --burst", **settings)
                assert old_queue.books().waiting == 0
                book.run("mixrelay dlq export")
                assert os.path.getsize(tmp_path / "letters.jsonl") > 0  # noqa: PTH202 - of a file
                book.run("mixrelay dlq import")
                book.run("mixrelay resume profile_update")
                book.run("mixrelay resume group_update")
                demand_balance(new_queue, mixpanel, traffic)
        assert old_queue.books().difference == 0
        [letter] = new_queue.letters.find(LetterFilter())
        assert b"Other" in letter.payload
        book.passes_over("mixrelay worker --redis-url NEW", "mixrelay status", "mixrelay doctor")
        book.demand_all_run()


def test_backup_and_restore(mixpanel: Sandbox, tmp_path: Path) -> None:
    config = {"appendonly": "no", "dbfilename": "dump.rdb"}
    with server(**config) as redis, Traffic(redis.url) as traffic:
        queue = Queue(connect(redis.url))
        book = Runbook("Backup and restore", redis.url)
        with fleet_of(redis.url, mixpanel, tmp_path) as fleet:
            delivered(queue)
            fleet.workers[0].terminate(GRACE)
            # As mixrelay's producers write them: what has no time or id of its own does not fold.
            now = int(time.time())
            own = [{"n": n, "time": now, "$insert_id": f"backed-up-{n}"} for n in range(50)]
            queue.push([event("Backed up", f"b{one['n']}", **one) for one in own])
            redis.client.save()
            fleet.replace(fleet.workers[0])
            wait_until(
                lambda: sum(one["event"] == "Backed up" for one in mixpanel.events) == 50,
                PATIENCE,
                "all is delivered once",
            )
            traffic.stop()
            assert fleet.workers[0].terminate(GRACE) == 0
            redis.kill()
            redis.start()
            restored = queue.books()
            assert (restored.queued > 50, restored.difference) == (True, 0)
            book.run("mixrelay pause profile_update")
            book.run("mixrelay pause group_update")
            book.run("mixrelay status", expect=None)
            fleet.replace(fleet.workers[0])
            wait_until(
                lambda: queue.books().waiting == queue.books().lanes["profile_update"] > 0,
                PATIENCE,
                "events are sent again, updates are held",
            )
            book.run("mixrelay resume profile_update")
            book.run("mixrelay resume group_update")
            wait_until(lambda: queue.books().waiting == 0, PATIENCE, "drained")
        assert queue.books().difference == 0
        backed = [one for one in mixpanel.events if one["event"] == "Backed up"]
        assert len(backed) == 50, "events that were delivered before fold"
        assert len(mixpanel.duplicates) >= 50
        book.demand_all_run()
