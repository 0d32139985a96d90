"""Wrong credentials, from a worker's settings to what `mixrelay status` says of them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue
from tests.support.command import mixrelay
from tests.support.fleet import Fleet, wait_until

TOKEN, WRONG = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
ACCOUNT = {"project_id": "1", "service_account_username": "u", "service_account_secret": "s"}
VARIABLES = {
    "MIXPANEL_PROJECT_ID": "1",
    "MIXPANEL_SERVICE_ACCOUNT_USERNAME": "u",
    "MIXPANEL_SERVICE_ACCOUNT_SECRET": "s",
}
SECONDS = 10.0
"""From the first refusal until Redis has the cause, for `status` to show."""
PATIENCE = 180.0
"""For a busy machine to start a worker, which is not what is measured."""
MANY = 400


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(Options(tokens=frozenset({TOKEN}), **ACCOUNT)) as sandbox:
        yield sandbox


@pytest.fixture
def fleet(redis_url: str, box: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(redis_url, box.url, tmp_path, MIXPANEL_TOKEN=TOKEN)
    yield fleet
    fleet.close()


def event(number: int, **properties: str) -> bytes:
    data = {"event": "E", "properties": {"distinct_id": f"u{number}", **properties}}
    return json.dumps(["event", json.dumps({"data": data})]).encode()


def status(redis_url: str) -> tuple[int, str]:
    ended = mixrelay("status", "--json", expect=None, MIXRELAY_REDIS_URL=redis_url)
    return ended.returncode, ended.stderr.decode()


def named(queue: Queue, redis_url: str, box: Sandbox, cause: str) -> str:
    """The line of `status` that names a cause; fails where the cause was noted too late.

    How long the command itself takes is the machine's affair: it shows what stands in Redis by
    then.
    """
    found = ""

    def is_named() -> bool:
        nonlocal found
        code, said = status(redis_url)
        found = next((line for line in said.splitlines() if cause in line), "")
        return bool(found) and code == ExitCode.FINDING

    wait_until(is_named, PATIENCE, f"status exits with 1 and says {cause!r}")
    refused_at = min(request.at for request in box.requests if not request.accepted)
    books = queue.books()
    refused = [token for token in books.tokens if token.state == "refused"]
    noted = [one.since_ms for one in (*refused, *books.paused)]
    assert min(noted) / 1000 - refused_at < SECONDS
    return found


def arrives(queue: Queue, box: Sandbox, count: int) -> None:
    wait_until(lambda: len(box.events) == count, PATIENCE, "everything arrives")
    wait_until(lambda: queue.books().waiting == 0, PATIENCE, "and is counted")
    assert (queue.books().totals["delivered"], queue.books().difference) == (count, 0)


def test_a_wrong_token_is_named_and_all_arrives_once_it_is_right(
    fleet: Fleet, queue: Queue, box: Sandbox, redis_url: str
) -> None:
    queue.push([event(number) for number in range(MANY)])
    [wrong] = fleet.start(MIXPANEL_TOKEN=WRONG)
    line = named(queue, redis_url, box, f"Mixpanel refuses token fedc…10 at {box.url} (401)")
    assert f"{MANY} messages are kept." in line
    assert "Compare MIXPANEL_TOKEN" in line
    assert (queue.books().totals["delivered"], box.events) == (0, [])

    wrong.terminate(PATIENCE)
    fleet.start()
    arrives(queue, box, MANY)
    wait_until(lambda: status(redis_url) == (0, ""), PATIENCE, "a status without a problem")


def test_a_wrong_service_account_is_named_and_all_arrives_once_it_is_right(
    fleet: Fleet, queue: Queue, box: Sandbox, redis_url: str
) -> None:
    queue.push([event(number) for number in range(MANY)])
    wrong = VARIABLES | {"MIXPANEL_SERVICE_ACCOUNT_SECRET": "wrong"}
    [worker] = fleet.start(**wrong)
    line = named(queue, redis_url, box, "Mixpanel refuses the credentials (401)")
    assert "Compare the service account (its role in the project must be Owner or Admin)" in line
    assert queue.books().totals["delivered"] == 0

    worker.terminate(PATIENCE)
    fleet.start(**VARIABLES)
    arrives(queue, box, MANY)
    wait_until(lambda: status(redis_url) == (0, ""), PATIENCE, "a status without a problem")


def test_one_tenant_s_wrong_token_is_named_and_holds_nobody_else_back(
    fleet: Fleet, queue: Queue, box: Sandbox, redis_url: str
) -> None:
    tokens = (TOKEN, WRONG)
    queue.push([event(number, token=tokens[number % 2]) for number in range(MANY)])
    fleet.start()
    line = named(queue, redis_url, box, "Mixpanel refuses token fedc…10, which comes from messages")
    assert "Its messages become dead letters (unauthorized)." in line
    wait_until(lambda: len(box.events) == MANY // 2, PATIENCE, "the other tenant's events arrive")
    wait_until(lambda: queue.books().waiting == 0, PATIENCE, "the wrong ones become dead letters")
    books = queue.books()
    assert (books.totals["delivered"], books.dead, books.difference) == (MANY // 2, MANY // 2, 0)
    assert {reason for reason, _, _ in books.dead_by} == {"unauthorized"}
