"""Jobs that someone else wrote into RQ's keys: nothing in them is executed, and work goes on."""

import json
import pickle
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq.job import Job as RqJob
from rq.serializers import PickleSerializer

from mixrelay.worker import Job
from mixrelay.worker.rq.job import RUNNABLE, SHIFT, RefusedJob
from tests.support.works import Works, event, wait_until

LONG_AGO = 1
REGISTRIES = ("wip", "failed", "finished", "deferred", "scheduled", "canceled", "ready")


class Trap:
    """Files that appear where a planted job was executed, one for each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def command(self, name: str) -> str:
        return f"touch {self.folder / name}"

    def json(self, function: object, name: str) -> bytes:
        return json.dumps([function, None, [self.command(name)], {}]).encode()

    def pickle(self, name: str) -> bytes:
        return pickle.dumps(_Sprung(self.command(name)))

    @property
    def sprung(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


class _Sprung:
    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os  # noqa: PLC0415 - as an attacker's pickle would

        return os.system, (self._command,)


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path / "trap")


def hashes(trap: Trap) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Hashes of jobs, each of which would run a command in an unguarded worker."""
    ours = json.dumps([SHIFT, None, ["mixpanel_queue"], {}]).encode()
    yield "another-function", {"data": trap.json("os.system", "json")}
    yield "by-our-name", {"data": trap.json("mixrelay.worker.shift.os.system", "our-name")}
    yield "by-import", {"data": trap.json("mixrelay.worker.rq.job.import_module", "import")}
    yield "no-name", {"data": trap.json(["os.system"], "no-name")}
    yield "of-an-object", {"data": json.dumps(["system", "os", [trap.command("object")], {}])}
    yield "pickled", {"data": trap.pickle("pickle")}
    yield "packed", {"data": zlib.compress(trap.pickle("packed"))}
    yield "of-another-class", {"data": trap.pickle("serializer"), "serializer": b"pickle"}
    yield "meta", {"data": ours, "meta": trap.pickle("meta")}
    yield "result", {"data": ours, "result": trap.pickle("result")}
    for when in ("success", "failure", "stopped"):
        yield f"on-{when}", {"data": ours, f"{when}_callback_name": b"subprocess.call"}
        yield (
            f"on-{when}-of-another",
            {"data": trap.json("os.system", when), f"{when}_callback_name": b"os.abort"},
        )
    yield "unreadable", {"data": b"\xff\x00\x1b[31m"}
    yield "no-data", {"description": b"x"}
    yield "bad-status", {"data": ours, "status": b"no\n12:00:00 INFO worker[1] delivered: all"}
    yield "bad-numbers", {"data": ours, "timeout": b"NaN", "result_ttl": b"-9", "ttl": b"1e99"}
    yield "bad-date", {"data": ours, "created_at": b"yesterday"}


def plant(redis: Redis, name: str, fields: dict[str, bytes]) -> None:
    common = {"created_at": "2026-01-01T00:00:00.000000Z", "origin": "mixrelay", "status": "queued"}
    redis.hset(f"rq:job:{name}", mapping=common | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("stock", [False, True], ids=["our worker", "rq's own command"])
def test_no_planted_job_is_executed_wherever_it_lies(
    works: Works, redis: Redis, trap: Trap, stock: bool
) -> None:
    names = []
    for name, fields in hashes(trap):
        if stock and name in {"no-data", "bad-status", "bad-numbers", "bad-date"}:
            continue  # RQ's own worker ends at a job that cannot be read; ours goes on.
        plant(redis, name, fields)
        names.append(name)
        redis.rpush("rq:queue:mixrelay", name)
        redis.sadd(f"rq:job:{name}:dependents", "another-function")
        for registry in REGISTRIES:
            redis.zadd(f"rq:{registry}:mixrelay", {name: LONG_AGO, f"{name}:execution": LONG_AGO})
    redis.sadd("rq:queues", "rq:queue:mixrelay")
    redis.rpush("rq:queue:mixrelay:intermediate", *names)
    works.push(event("ann"))
    # Some of them are drain jobs: each drains its time, and the others wait for it.
    running = works.start(stock=stock, MIXRELAY_SHIFT="1")
    wait_until(lambda: "ann" in works.users(), "the event among planted jobs", 60)
    wait_until(lambda: not redis.lpos("rq:queue:mixrelay", names[-1]), "the last planted job", 60)
    running.kill(signal.SIGTERM)
    assert running.exit_code() == 0
    assert trap.sprung == []
    assert "12:00:00 INFO worker[1]" not in {line.strip() for line in running.log.splitlines()}


@pytest.mark.parametrize(
    "name", [b"\x00", b"a\x00b", b"\xff\xfe", b"", b"../../etc", b"a:b", b"x" * 100_000, b"\x1b[2J"]
)
def test_a_job_whose_id_is_hostile_does_not_end_the_worker(
    works: Works, redis: Redis, trap: Trap, name: bytes
) -> None:
    redis.hset(b"rq:job:" + name, mapping={"data": trap.json("os.system", "id")})
    redis.rpush("rq:queue:mixrelay", name)
    works.push(event("ann"))
    running = works.start()
    wait_until(lambda: "ann" in works.users(), "the event behind the planted job")
    assert running.process.poll() is None, running.log
    assert trap.sprung == []
    assert "\x1b" not in running.log


def test_a_message_to_the_workers_channel_runs_nothing_and_ends_nothing(
    works: Works, redis: Redis, trap: Trap
) -> None:
    running = works.start()
    wait_until(lambda: redis.smembers("rq:workers"), "a worker that RQ knows")
    [key] = redis.smembers("rq:workers")  # type: ignore[misc, unused-ignore]
    channel = b"rq:pubsub:" + key.removeprefix(b"rq:worker:")
    wait_until(lambda: redis.pubsub_numsub(channel)[0][1], "a worker that listens")
    for said in (
        b"no json",
        b"\xff",
        b"[]",
        b"7",
        b"{}",
        b'{"command": ["x"]}',
        trap.pickle("sub"),
    ):
        redis.publish(channel, said)
    works.push(event("ann"))
    wait_until(lambda: "ann" in works.users(), "an event after the messages")
    assert running.process.poll() is None, running.log
    assert trap.sprung == []


def test_our_job_class_reads_json_whatever_it_is_told(redis: Redis, trap: Trap) -> None:
    plant(redis, "one", {"data": trap.pickle("data"), "meta": trap.pickle("meta")})
    job = Job.fetch("one", connection=redis, serializer=PickleSerializer)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever, so long as nothing runs
        job.perform()
    assert trap.sprung == []


def test_rqs_own_job_class_would_have_run_it(redis: Redis, trap: Trap) -> None:
    """What the tests above rest on: the traps do spring where nobody guards."""
    plant(redis, "one", {"data": trap.json("os.system", "data"), "meta": trap.pickle("meta")})
    RqJob.fetch("one", connection=redis, serializer=PickleSerializer)
    RqJob.fetch("one", connection=redis, serializer="json").perform()
    assert trap.sprung == ["data", "meta"]


@pytest.mark.parametrize("when", ["success", "failure", "stopped"])
def test_a_jobs_callbacks_are_never_even_looked_up(redis: Redis, when: str) -> None:
    ours = json.dumps([SHIFT, None, ["mixpanel_queue"], {}]).encode()
    plant(redis, "one", {"data": ours, f"{when}_callback_name": b"os.system"})
    job = Job.fetch("one", connection=redis)
    assert getattr(job, f"{when}_callback") is None
    with pytest.raises(RefusedJob, match="callbacks or webhooks"):
        job.perform()


def test_every_function_in_the_table_is_ours() -> None:
    assert len(RUNNABLE) < 10
    assert all(name.startswith("mixrelay.worker.") for name in RUNNABLE)


@pytest.mark.parametrize("key", ["rq:queue:mixrelay", "rq:workers", "rq:workers:mixrelay"])
def test_an_rq_key_of_another_type_stops_no_message(works: Works, redis: Redis, key: str) -> None:
    redis.set(key, "foreign")
    works.push(event("ann"))
    running = works.start()
    wait_until(lambda: "ann" in works.users(), "the event in spite of a foreign key", 40)
    assert running.process.poll() is None, running.log
