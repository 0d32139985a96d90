"""A queue of three partitions, as an operator meets it: every command shows one queue."""

import json
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.console.exits import ExitCode
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import JobState, Lane, Queue
from tests.support import works
from tests.support.bench import event, update
from tests.support.command import COMMAND, environment, mixrelay
from tests.support.console import called
from tests.support.fleet import Fleet, wait_until
from tests.support.partitions import Partitioned
from tests.support.processes import Process


class Commands:
    """The commands of an operator whose environment says that there are three."""

    def __init__(self, url: str) -> None:
        self.settings = {"MIXRELAY_REDIS_URL": url, "MIXRELAY_PARTITIONS": "3"}

    def __call__(self, *arguments: str, expect: int = 0, **settings: str) -> str:
        return called(*arguments, expect=expect, **self.settings | settings)[0]

    def lines(self, *arguments: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self(*arguments).splitlines()]

    def status(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            called("status", "--json", expect=None, **self.settings)[0]
        )
        return found


@pytest.fixture
def three(redis: Redis) -> Partitioned:
    return Partitioned(redis)


@pytest.fixture
def do(redis_url: str) -> Commands:
    return Commands(redis_url)


def test_letters_are_listed_in_one_order_and_counted_together(
    three: Partitioned, do: Commands
) -> None:
    three.bury_some(random.Random(1))
    letters = three.letters()
    assert [one["id"] for one in do.lines("dlq", "list", "--json")] == [one.id for one in letters]
    assert [one["id"] for one in do.lines("dlq", "export", "--event", "a")] == [
        one.id for one in letters if b'"a' in one.payload
    ]
    assert f"letter {letters[-1].id}" in do("dlq", "show", letters[-1].id).lower()
    kinds = Counter((one.reason, one.status, one.type) for one in letters)
    assert len(do("dlq", "stats", "--kinds").splitlines()) == len(kinds) + 1
    assert sum(one["letters"] for one in do.lines("dlq", "stats", "--json")) == len(letters)
    assert do.status()["dead"] == len(letters)


def test_letters_are_replayed_by_a_filter_and_by_their_ids(
    three: Partitioned, do: Commands
) -> None:
    three.bury_some(random.Random(2))
    letters = three.letters()
    meant = [one for one in letters if one.reason == "invalid"]
    would = do("dlq", "replay", "--reason", "invalid", "--dry-run")
    assert would == f"Would replay {len(meant)} letters.\n"
    assert do("dlq", "replay", "--reason", "invalid", "--yes") == (
        f"Replayed {len(meant)} letters.\n"
    )
    rest = three.letters()
    assert rest == [one for one in letters if one.reason != "invalid"]
    chosen = [rest[0], rest[-1], next(one for one in rest if one.id.startswith("1-"))]
    ids = [word for one in chosen for word in ("--id", one.id)]
    assert do("dlq", "discard", *ids, "--yes", "--why", "tests") == (
        f"Discarded {len({one.id for one in chosen})} letters.\n"
    )
    assert not {one.id for one in chosen} & {one.id for one in three.letters()}
    books = three.queue.books()
    assert (books.difference, books.totals["replayed"]) == (0, len(meant))
    counts = [entry.count for entry in three.queue.audit.newest()]
    assert sum(counts) == len(meant) + len({one.id for one in chosen})
    assert "tests" in do("dlq", "audit", COLUMNS="200")


def test_a_background_job_is_one_job_and_a_worker_does_all_of_it(
    three: Partitioned, do: Commands, mixpanel: Sandbox, redis_url: str, tmp_path: Path
) -> None:
    for index in range(3):
        three.bury(
            index,
            *[works.update(f"profile {number}", **{"$set": {"n": 1}}) for number in range(40)],
        )
    said = do("dlq", "replay", "--all", "--background", "--yes")
    [job] = three.queue.jobs.newest()
    assert job.id in said
    assert do("dlq", "jobs").count(job.id) == 1
    fleet = Fleet(redis_url, mixpanel.url, tmp_path, MIXRELAY_PARTITIONS="3")
    try:
        fleet.start()
        wait_until(lambda: three.queue.books().totals["delivered"] == 120, 30, "all delivered")
    finally:
        fleet.close()
    done = three.queue.jobs.get(job.id)
    assert done is not None
    assert (done.state, done.moved, done.planned) == (JobState.DONE, 120, 120)
    books = three.queue.books()
    assert (books.totals["delivered"], books.dead, books.difference) == (120, 0, 0)
    assert "120" in do("dlq", "jobs", job.id)


def test_exported_letters_come_back_once(three: Partitioned, do: Commands, tmp_path: Path) -> None:
    three.bury_some(random.Random(3))
    payloads = sorted(letter.payload for letter in three.letters())
    file = tmp_path / "letters.jsonl"
    file.write_text(do("dlq", "export", "--raw"))
    do("dlq", "discard", "--all", "--yes")
    assert three.letters() == []
    assert do("dlq", "import", str(file)) == f"Imported {len(payloads)} letters.\n"
    assert do("dlq", "import", str(file)) == "Imported 0 letters.\n"
    assert sorted(letter.payload for letter in three.letters()) == payloads
    assert three.queue.books().difference == 0


def test_a_letter_of_any_partition_is_edited_and_replayed(
    three: Partitioned, do: Commands, tmp_path: Path
) -> None:
    three.bury(2, event("wrong"))
    file = tmp_path / "tuple.json"
    file.write_bytes(event("right"))
    said = do("dlq", "edit", "2-1", "--file", str(file), "--replay")
    assert said.splitlines() == ["Edited letter 2-1.", "Replayed 1 letter."]
    assert three.redis.lrange(three.key(2, "lane:event"), 0, -1)[0].endswith(event("right"))


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_a_push_that_is_killed_puts_each_line_once_where_its_profile_is(
    redis: Redis, redis_url: str, do: Commands, tmp_path: Path, signum: signal.Signals
) -> None:
    written = [update(f"profile {number % 977}", number) for number in range(60_000)]
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join(written) + b"\n")
    three = Partitioned(redis)

    def there() -> int:
        return sum(redis.llen(name) for name in three.lists)

    kills = 0
    while there() < len(written) and kills < 4:
        before = there()
        with Process(
            [COMMAND, "push", log],
            env=environment(**do.settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as pushing:
            wait_until(lambda: there() > before or pushing.poll() is not None, 20, "lines")  # noqa: B023 - awaited within the turn
            pushing.send_signal(signum)
        kills += pushing.returncode != 0
    assert kills
    do("push", str(log))
    assert do("push", str(log)) == "Pushed 0 tuples.\n"
    assert there() == len(written)
    Queue(redis, "other", partitions=3).push(written)
    for index, name in enumerate(three.lists):
        other = "other" if index == 0 else f"other.{index}"
        assert redis.lrange(name, 0, -1) == redis.lrange(other, 0, -1)


def test_a_pipe_is_shared_too(redis: Redis, do: Commands) -> None:
    written = [update(f"profile {number}") for number in range(100)]
    env = environment(**do.settings)
    ended = mixrelay("push", "-", stdin=b"\n".join(written), env=env)
    assert ended.stdout == b"Pushed 100 tuples.\n"
    assert all(redis.llen(name) for name in Partitioned(redis).lists)


def test_a_command_that_was_told_of_one_partition_sees_those_that_workers_noted(
    three: Partitioned, do: Commands
) -> None:
    three.bury(2, event("a"))
    three.queue.announce()
    for setting in ("1", "3"):
        listed = do("dlq", "list", "--json", MIXRELAY_PARTITIONS=setting)
        assert [json.loads(line)["id"] for line in listed.splitlines()] == ["2-1"]


def test_status_watches_one_queue(three: Partitioned, do: Commands) -> None:
    three.queue.announce()
    three.bury(1, event("c"))
    for name in three.lists:
        three.redis.rpush(name, event("a"), event("b"))
    expected = {"queued": 6, "dead": 1}
    assert do.status().items() >= expected.items()
    env = environment(**do.settings | {"MIXRELAY_PARTITIONS": "1"})
    with Process(
        [COMMAND, "status", "--watch", "--json"], env=env, stdout=subprocess.PIPE
    ) as watching:
        assert watching.stdout
        looks = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
    assert all(look.items() >= expected.items() for look in looks)


def test_a_lane_is_held_for_all_partitions_and_shown_once(three: Partitioned, do: Commands) -> None:
    for name in three.lists:
        three.redis.rpush(name, event("a"))
    three.queue.announce()
    do("pause", "event", "--why", "a move")
    held = do.status()["paused"]
    assert [(one["lane"], one["destination"]) for one in held] == [("event", "event")]  # type: ignore[attr-defined]
    assert [one.lane for one in three.queue.books().held] == [Lane.EVENT]
    do("resume", "event")
    assert do.status()["paused"] == []


def test_alerts_and_doctor_look_at_all_of_it(three: Partitioned, do: Commands) -> None:
    three.bury(2, event("a"), reason="rejected")
    alert = called("alert", "--once", expect=ExitCode.FINDING, **do.settings)[1]
    assert "rejected" in alert
    found = do("doctor", "--no-mixpanel", "--json", expect=ExitCode.FINDING)
    [queue] = [one for one in map(json.loads, found.splitlines()) if one["check"] == "queue"]
    assert "1 dead letter" in queue["found"]
    three.redis.set("mixpanel_queue.1", "foreign")
    found = do("doctor", "--redis-only", "--json", expect=ExitCode.FINDING)
    [queue] = [one for one in map(json.loads, found.splitlines()) if one["check"] == "queue"]
    assert "'mixpanel_queue.1' holds a string" in queue["found"]


def test_a_number_that_is_none_is_refused_with_what_to_set(do: Commands) -> None:
    for wrong in ("0", "x"):
        said = called(
            "status", expect=ExitCode.USAGE, **do.settings | {"MIXRELAY_PARTITIONS": wrong}
        )[1]
        assert "PARTITIONS" in said.upper()
