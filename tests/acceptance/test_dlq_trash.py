"""`mixrelay dlq trash` and `restore`."""

import json

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import Queue
from tests.support.console import called
from tests.support.letters import bury, event


def dlq(redis_url: str, *arguments: str, expect: int = 0) -> str:
    return called("dlq", *arguments, expect=expect, MIXRELAY_REDIS_URL=redis_url)[0]


def test_a_wrong_discard_is_listed_and_restored_by_one_command(
    queue: Queue, redis_url: str
) -> None:
    bury(queue, [event(name, "ann", api_key="s3cret") for name in ("Good", "Good", "Bad")])
    dlq(redis_url, "discard", "--all", "--why", "the wrong filter")
    [job] = queue.jobs.newest()
    listed = dlq(redis_url, "trash")
    assert max(map(len, listed.splitlines())) <= 60
    assert "the wrong filter" in dlq(redis_url, "trash", "--wide")
    objects = [json.loads(line) for line in dlq(redis_url, "trash", "--json").splitlines()]
    assert {one["job"] for one in objects} == {job.id}
    assert "s3cret" not in json.dumps(objects)
    assert dlq(redis_url, "restore", "--event", "Good", "--dry-run") == "Would restore 2 letters.\n"
    assert dlq(redis_url, "restore", "--event", "Good") == "Restored 2 letters.\n"
    assert dlq(redis_url, "restore", "--job", job.id) == "Restored 1 letter.\n"
    books = queue.books()
    assert (books.dead, books.difference) == (3, 0)


def test_for_good_and_emptied_is_gone(queue: Queue, redis_url: str) -> None:
    [first, second] = bury(queue, [event("E", "u")] * 2)
    dlq(redis_url, "discard", "--id", first, "--for-good")
    dlq(redis_url, "discard", "--id", second)
    assert dlq(redis_url, "trash", "--empty") == "Dropped 1 letter for good.\n"
    assert dlq(redis_url, "trash") == ""
    dlq(redis_url, "restore", "--id", second, expect=ExitCode.FINDING)
    for wrong in ([], ["--all", "--event", "E"], ["--id", first, "--job", "j"]):
        dlq(redis_url, "restore", *wrong, expect=ExitCode.USAGE)
