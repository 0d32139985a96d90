"""Logs that cannot be written, and texts from outside that would forge them."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from redis import Redis

from mixrelay.shared.queue import LetterFilter
from mixrelay.worker.rq.queue import Shifts
from tests.chaos.ledger import Findings, Ledger
from tests.support.fleet import COMMAND, Fleet, wait_until
from tests.support.processes import Process, finished

Tell = Callable[[str, Findings], None]

LINE = re.compile(r"\d\d:\d\d:\d\d (INFO|WARNING|ERROR) +worker\[\d+\] [\w ]+: |  \| ")
FORGED = "\n12:00:00 ERROR   worker[1] misconfigured: forged\x1b[31m\r\u2028\u202e"


def closed_pipe(_folder: Path) -> IO[bytes]:
    reader = Process(["true"], stdin=subprocess.PIPE)
    reader.wait(10)
    assert reader.stdin
    return reader.stdin


def full_disk(_folder: Path) -> IO[bytes]:
    return Path("/dev/full").open("wb", buffering=0)


@pytest.mark.parametrize("output", [closed_pipe, full_disk])
def test_delivery_goes_on_when_no_log_can_be_written(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    tmp_path: Path,
    tell: Tell,
    output: Callable[[Path], IO[bytes]],
) -> None:
    ledger.mixpanel.fault("status", status=503, count=3)
    environment = fleet_of(MIXRELAY_BACKOFF_BASE="0.2", MIXRELAY_BACKOFF_CAP="0.5").environment
    ledger.push(500)
    with output(tmp_path) as sink:
        command = [COMMAND, "worker", "--burst", "--processes", "2"]
        worker = finished(
            command, env=environment, stdout=sink, stderr=sink, check=False, timeout=60
        )
    assert worker.returncode == 0
    assert ledger.queue.books().waiting == 0
    tell("no log can be written: a closed pipe, a full disk", ledger.check())


def test_delivery_goes_on_without_any_output(
    fleet_of: Callable[..., Fleet], ledger: Ledger, tell: Tell
) -> None:
    ledger.mixpanel.fault("status", status=503, count=3)
    fleet = fleet_of(MIXRELAY_BACKOFF_BASE="0.2", MIXRELAY_BACKOFF_CAP="0.5")
    ledger.push(500)
    # Numbers 0 to 2 are free then, and what is opened next gets them.
    [worker] = fleet.start(1, "--burst", prefix=["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"])
    assert worker.exit_code(60) == 0
    assert fleet.queue.books().waiting == 0
    tell("no output at all", ledger.check())


def forging(name: str) -> bytes:
    properties = {"distinct_id": "d", "token": "t", "time": 1_600_000_000}
    data = {"event": name, "properties": properties}
    return json.dumps(["event", json.dumps({"data": data})]).encode()


def test_no_text_from_outside_makes_or_floods_a_line_of_the_log(
    fleet_of: Callable[..., Fleet], ledger: Ledger, redis: Redis
) -> None:
    page = f"<html>{FORGED}{'x' * 1_000_000}</html>"
    # Only between two drain jobs does a worker take another job of RQ's.
    fleet = fleet_of(MIXRELAY_BACKOFF_BASE="0.1", MIXRELAY_BACKOFF_CAP="0.2", MIXRELAY_SHIFT="2")
    ledger.mixpanel.fault("status", status=503, body=page, count=1)
    ledger.mixpanel.fault("html", body=page, count=1)
    ledger.mixpanel.fault("redirect", location="http://x/" + "y" * 3_000, body=page, count=1)
    ledger.mixpanel.fault("status", status=400, body=json.dumps({"error": FORGED}), count=1)
    fleet.queue.push([forging(FORGED)])
    [worker] = fleet.start()
    fleet.wait_until_drained(30)
    fleet.queue.push(
        [
            FORGED.encode(),
            forging("e" * 2_000_000),
            json.dumps([FORGED, "{}"]).encode(),
            json.dumps(["x" * 1_000_000, "{}"]).encode(),
            json.dumps(["event", FORGED]).encode(),
            json.dumps(["event", json.dumps({"data": {FORGED: FORGED}})]).encode(),
        ]
    )
    fleet.wait_until_drained(30)
    push_forged_job(redis, fleet)
    wait_until(lambda: "nothing was run" in worker.text(), 20, "a refused job")
    lines = worker.text().split("\n")[:-1]
    for line in lines:
        assert LINE.match(line), line[:300]
        assert line.isprintable(), line[:300]
        assert len(line) < 10_000
    assert len(list(fleet.queue.letters.find(LetterFilter()))) == 7


def push_forged_job(redis: Redis, fleet: Fleet) -> None:
    """A job of someone else who may write to RQ's keys."""
    queue = Shifts(redis, fleet.queue.name, job_timeout=60).queue
    redis.hset(
        queue.job_class.key_for("forged"),
        mapping={
            "created_at": "2026-01-01T00:00:00Z",
            "status": "queued",
            "origin": queue.name,
            "data": json.dumps([f"os{FORGED}{'z' * 100_000}", None, [], {}]),
            "description": FORGED,
            "timeout": 60,
        },
    )
    redis.rpush(queue.key, "forged")
