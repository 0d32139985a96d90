"""Delivered means that Mixpanel has it: 5,000 mixed messages, two workers, and a token that
Mixpanel does not know, knows in another region, or knows no more."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue, TokenState
from tests.support.command import mixrelay
from tests.support.fleet import Fleet, wait_until

TOKEN, OTHER, THIRD = (f"{digit}" * 32 for digit in "012")
ACCOUNT = {"project_id": "1", "service_account_username": "u", "service_account_secret": "s"}
VARIABLES = {f"MIXPANEL_{name.upper()}": value for name, value in ACCOUNT.items()}
COUNT = 5_000
SECONDS = 10.0
"""From Mixpanel's refusal until it is known to everyone who asks."""
PATIENCE = 120.0
"""For a busy machine."""
QUICK = {"MIXRELAY_BACKOFF_BASE": "0.2", "MIXRELAY_BACKOFF_CAP": "1", "MIXRELAY_LINGER": "0.1"}

StartSandbox = Callable[..., Sandbox]
StartFleet = Callable[..., Fleet]


@pytest.fixture(params=[False, True], ids=["token alone", "service account"])
def has_account(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def sandbox_of(*, has_account: bool) -> Iterator[StartSandbox]:
    """Starts a sandbox that knows some tokens, and the account where there is one."""
    running: list[Sandbox] = []

    def start(*tokens: str) -> Sandbox:
        account = ACCOUNT if has_account else {}
        running.append(Sandbox(Options(tokens=tokens, **account)).__enter__())  # type: ignore[arg-type]
        return running[-1]

    yield start
    for box in running:
        box.__exit__(None, None, None)


@pytest.fixture
def fleet_of(redis_url: str, tmp_path: Path, *, has_account: bool) -> Iterator[StartFleet]:
    """Starts two workers that send to a sandbox."""
    fleets: list[Fleet] = []

    def start(box: Sandbox, token: str) -> Fleet:
        settings = QUICK | (VARIABLES if has_account else {})
        folder = tmp_path / str(len(fleets))
        folder.mkdir()
        fleets.append(Fleet(redis_url, box.url, folder, MIXPANEL_TOKEN=token, **settings))
        fleets[-1].start(2)
        return fleets[-1]

    yield start
    for fleet in fleets:
        fleet.close()


def message(kind: str, data: dict[str, Any]) -> bytes:
    return json.dumps([kind, json.dumps({"data": data})]).encode()


def mixed(numbers: range, token: str | None) -> list[bytes]:
    """Events, imports, profile and group updates in turn, each with its number."""
    return [one(number, token) for number in numbers for one in [KINDS[number % len(KINDS)]]]


def event(number: int, token: str | None, kind: str = "event") -> bytes:
    own = {"token": token} if token else {}
    properties = {"distinct_id": f"u{number}", "n": number, "time": 1_760_000_000 + number, **own}
    return message(kind, {"event": "E", "properties": properties})


def imported(number: int, token: str | None) -> bytes:
    return event(number, token, "import")


def profile(number: int, token: str | None) -> bytes:
    own = {"$token": token} if token else {}
    return message("profile_update", {**own, "$distinct_id": f"u{number}", "$set": {"n": number}})


def group(number: int, token: str | None) -> bytes:
    own = {"$token": token} if token else {}
    record = {**own, "$group_key": "team", "$group_id": f"g{number}", "$set": {"n": number}}
    return message("group_update", record)


KINDS = (event, imported, profile, group)


def push(queue: Queue, tuples: list[bytes]) -> None:
    for first in range(0, len(tuples), 500):
        queue.push(tuples[first : first + 500])


def arrived(*boxes: Sandbox) -> set[int]:
    """The numbers of the messages that Mixpanel has."""
    events = {one["properties"]["n"] for box in boxes for one in box.events}
    return events | {one["$set"]["n"] for box in boxes for one in box.updates}


def refused(queue: Queue) -> list[TokenState]:
    return [one for one in queue.books().tokens if one.state == "refused"]


def is_at_rest(queue: Queue, count: int) -> bool:
    """Whether everything was taken in, and nothing is under way."""
    books = queue.books()
    return books.totals["received"] == count and sum(books.leased.values()) == 0


def keeps_its_word(queue: Queue, *boxes: Sandbox) -> bool:
    """Whether nothing is counted as delivered that Mixpanel has not."""
    books = queue.books()
    return books.difference == 0 and books.totals["delivered"] <= len(arrived(*boxes))


def refusal_is_known(redis_url: str, queue: Queue, box: Sandbox) -> None:
    """Within ten seconds of the first refusal; `status` exits with 1 and names the token."""
    wait_until(lambda: bool(refused(queue)), PATIENCE, "a refusal")
    [state, *_] = refused(queue)
    first = min(one.at for one in box.requests if one.status == 401)
    assert state.since_ms / 1000 - first < SECONDS
    assert state.status == 401
    ended = mixrelay("status", expect=ExitCode.FINDING, MIXRELAY_REDIS_URL=redis_url)
    said = (ended.stdout + ended.stderr).decode()
    assert state.masked in said
    assert not any(token in said for token in (TOKEN, OTHER, THIRD))


def everything_arrives(queue: Queue, *boxes: Sandbox) -> None:
    wait_until(lambda: queue.books().waiting == 0, PATIENCE, "nothing waits")
    books = queue.books()
    assert (books.totals["delivered"], books.dead, books.difference) == (COUNT, 0, 0)
    assert arrived(*boxes) == set(range(COUNT))
    wait_until(lambda: queue.books().paused == (), PATIENCE, "idle circuits close")
    assert refused(queue) == []


@pytest.mark.timeout(600)
def test_a_wrong_token(
    sandbox_of: StartSandbox,
    fleet_of: StartFleet,
    queue: Queue,
    redis_url: str,
    *,
    has_account: bool,
) -> None:
    box = sandbox_of(TOKEN)
    push(queue, mixed(range(COUNT), OTHER))
    fleet_of(box, OTHER)
    refusal_is_known(redis_url, queue, box)
    # The service account sends the events of its project, whatever the token.
    events = COUNT // 2 if has_account else 0
    wait_until(lambda: len(box.events) == events, PATIENCE, "what the account may send")
    wait_until(lambda: is_at_rest(queue, COUNT), PATIENCE, "a still fleet")
    assert queue.books().totals["delivered"] == events
    assert box.updates == []
    box.know(OTHER)
    everything_arrives(queue, box)


@pytest.mark.timeout(600)
def test_a_wrong_token_in_the_workers_setting_alone(
    sandbox_of: StartSandbox,
    fleet_of: StartFleet,
    queue: Queue,
    redis_url: str,
    *,
    has_account: bool,
) -> None:
    if has_account:
        pytest.skip("the account sends them: nothing there depends on the token")
    box = sandbox_of(TOKEN)
    push(queue, [event(number, None) for number in range(COUNT)])
    wrong = fleet_of(box, OTHER)
    refusal_is_known(redis_url, queue, box)
    wait_until(lambda: is_at_rest(queue, COUNT), PATIENCE, "a still fleet")
    assert queue.books().totals["delivered"] == 0
    wrong.close()
    fleet_of(box, TOKEN)
    everything_arrives(queue, box)


@pytest.mark.timeout(600)
def test_a_wrong_region(
    sandbox_of: StartSandbox, fleet_of: StartFleet, queue: Queue, redis_url: str
) -> None:
    there, here = sandbox_of(TOKEN), sandbox_of(OTHER)
    here.set_account(None)
    push(queue, mixed(range(COUNT), TOKEN))
    wrong = fleet_of(here, TOKEN)
    refusal_is_known(redis_url, queue, here)
    wait_until(lambda: is_at_rest(queue, COUNT), PATIENCE, "a still fleet")
    assert queue.books().totals["delivered"] == 0
    assert arrived(here) == set()
    assert {one.endpoint for one in here.requests} == {"/import"}
    wrong.close()
    fleet_of(there, TOKEN)
    everything_arrives(queue, there)


@pytest.mark.timeout(600)
def test_a_token_revoked_in_mid_traffic(
    sandbox_of: StartSandbox, fleet_of: StartFleet, queue: Queue, redis_url: str
) -> None:
    box = sandbox_of(TOKEN, OTHER)
    push(queue, mixed(range(COUNT // 2), TOKEN))
    fleet_of(box, TOKEN)
    wait_until(lambda: len(box.updates) > 100, PATIENCE, "updates arrive")
    box.revoke(TOKEN)
    push(queue, mixed(range(COUNT // 2, COUNT - 100), TOKEN))
    # With a service account only a proof shows it: the evidence there is counts an hour.
    for name in queue.redis.hkeys(f"{{{queue.name}}}:tokens"):
        stored = json.loads(queue.redis.hget(f"{{{queue.name}}}:tokens", name))
        queue.redis.hset(f"{{{queue.name}}}:tokens", name, json.dumps(stored | {"at": 1}))
    rest = mixed(range(COUNT - 100, COUNT), TOKEN)

    def is_noticed() -> bool:
        # A process trusts for a second what it read.
        push(queue, rest[:1])
        del rest[:1]
        return bool(refused(queue))

    wait_until(is_noticed, PATIENCE, "the next proof")
    push(queue, rest)
    refusal_is_known(redis_url, queue, box)
    wait_until(lambda: is_at_rest(queue, COUNT), PATIENCE, "a still fleet")
    wait_until(lambda: keeps_its_word(queue, box), PATIENCE, "nothing is falsely delivered")
    box.know(TOKEN)
    everything_arrives(queue, box)


@pytest.mark.timeout(600)
def test_one_of_three_tenants_has_a_wrong_token(
    sandbox_of: StartSandbox,
    fleet_of: StartFleet,
    queue: Queue,
    redis_url: str,
    *,
    has_account: bool,
) -> None:
    box = sandbox_of(TOKEN, OTHER)
    tenants = [(TOKEN, 0), (OTHER, 1), (THIRD, 2)]
    shares = {token: range(COUNT)[share::3] for token, share in tenants}
    tuples = {
        n: one
        for token, share in shares.items()
        for n, one in zip(share, mixed(share, token), strict=True)
    }
    push(queue, [tuples[number] for number in range(COUNT)])
    # Without MIXPANEL_TOKEN every token is the worker's own; with it the others are messages'.
    fleet_of(box, TOKEN if has_account else "")
    refusal_is_known(redis_url, queue, box)
    wait_until(lambda: is_at_rest(queue, COUNT), PATIENCE, "a still fleet")
    assert keeps_its_word(queue, box)
    assert arrived(box).isdisjoint(shares[THIRD])
    if has_account:
        wait_until(lambda: queue.books().waiting == 0, PATIENCE, "the others arrive")
        assert arrived(box) == {*shares[TOKEN], *shares[OTHER]}
        assert queue.books().dead_by.keys() == {
            ("unauthorized", 401, kind)
            for kind in ("event", "import", "profile_update", "group_update")
        }
    box.know(THIRD)
    if has_account:
        replay = ("dlq", "replay", "--reason", "unauthorized", "--yes")
        mixrelay(*replay, MIXRELAY_REDIS_URL=redis_url)
    wait_until(lambda: len(arrived(box)) == COUNT, PATIENCE, "all arrive")
    everything_arrives(queue, box)
