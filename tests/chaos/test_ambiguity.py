"""A request without an answer: what is safe is sent again, and on_ambiguous decides the rest."""

from collections import Counter
from collections.abc import Callable, Iterator

import orjson
import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Queue
from mixrelay.shared.tuples import write
from tests.support.command import mixrelay
from tests.support.fleet import Fleet, wait_until
from tests.support.traffic import TOKEN

DOUBTFUL = 3
"""Of the updates below: an increment, an append, a charge."""
ENDPOINTS = ("/engage", "/groups", "/import")
QUICK = {
    "MIXRELAY_BACKOFF_BASE": "0.05",
    "MIXRELAY_BACKOFF_CAP": "0.2",
    "MIXRELAY_LINGER": "0.3",
    "MIXRELAY_DEADLINE": "3",
    "MIXRELAY_LEASE": "4",
    "MIXRELAY_EXTEND_EVERY": "1",
}


def messages() -> Iterator[bytes]:
    made: list[bytes] = []
    tracker = Tracker(TOKEN, sink=lambda kind, message: made.append(write(kind, message)))
    tracker.people.increment("ann", {"logins": 1})
    tracker.people.append("ann", {"seen": "film"})
    tracker.people.track_charge("ann", 25)
    tracker.people.set("ann", {"plan": "gold"})
    tracker.people.union("ann", {"tags": ["a"]})
    tracker.groups.set("Company", "acme", {"size": 9})
    tracker.track("ann", "Played")
    yield from made


@pytest.fixture(params=["the answer is lost", "the horse is killed", "the machine is lost"])
def interrupted(
    request: pytest.FixtureRequest, mixpanel: Sandbox, fleet_of: Callable[..., Fleet]
) -> Callable[[str], Fleet]:
    """Has a fleet send all that `messages` makes; what it sends first is taken and not answered."""

    def answers_lost(fleet: Fleet) -> None:
        for endpoint in ENDPOINTS:
            mixpanel.fault("reset_after", endpoint=endpoint, count=1)
        fleet.start(1)

    def all_is_being_sent(fleet: Fleet) -> None:
        for endpoint in ENDPOINTS:
            mixpanel.fault("hang", endpoint=endpoint, count=1, take=True)
        fleet.start(1)
        wait_until(lambda: len(mixpanel.requests) == len(ENDPOINTS), 60, "all is being sent")

    def horse_killed(fleet: Fleet) -> None:
        all_is_being_sent(fleet)
        fleet.workers[0].kill_horse()

    def machine_lost(fleet: Fleet) -> None:
        all_is_being_sent(fleet)
        fleet.workers[0].destroy()
        fleet.replace(fleet.workers[0])

    ends = {"answer": answers_lost, "horse": horse_killed, "machine": machine_lost}

    def run(policy: str) -> Fleet:
        # A proof of the token would meet the fault that is meant for the records.
        fleet = fleet_of(**QUICK, MIXRELAY_ON_AMBIGUOUS=policy, MIXRELAY_PROVE_TOKENS="off")
        fleet.queue.push(list(messages()))
        ends[request.param.split()[1]](fleet)
        fleet.wait_until_drained(60)
        return fleet

    return run


def log_of(fleet: Fleet) -> str:
    return fleet.workers[0].log.read_text()


@pytest.mark.timeout(120)
def test_by_default_what_may_have_been_counted_is_sent_again_counted_and_logged(
    interrupted: Callable[[str], Fleet], mixpanel: Sandbox
) -> None:
    fleet = interrupted("retry")
    books = fleet.queue.books()
    assert books.totals["ambiguous"] == DOUBTFUL
    assert (books.dead, books.difference) == (0, 0)
    assert f"ambiguous: {DOUBTFUL} records of profile_update" in log_of(fleet)
    ann = mixpanel.profiles["ann"]
    assert ann["logins"] == 2
    assert ann["seen"] == ["film", "film"]
    assert len(ann["$transactions"]) == 2
    assert (ann["plan"], ann["tags"]) == ("gold", ["a"])
    assert len(mixpanel.events) == 1
    assert [one.same for one in mixpanel.duplicates] == [True]


@pytest.mark.timeout(120)
def test_as_dead_letters_they_wait_for_an_operator_who_is_warned(
    interrupted: Callable[[str], Fleet], mixpanel: Sandbox, redis_url: str
) -> None:
    fleet = interrupted("dead-letter")
    books = fleet.queue.books()
    assert books.totals["ambiguous"] == 0
    assert (books.dead, books.difference) == (DOUBTFUL, 0)
    ann = mixpanel.profiles["ann"]
    assert (ann["logins"], ann["seen"], len(ann["$transactions"])) == (1, ["film"], 1)
    assert (ann["plan"], ann["tags"]) == ("gold", ["a"])
    sent = Counter(one.endpoint for one in mixpanel.requests)
    assert sent == dict.fromkeys(ENDPOINTS, 2), "$set, $union and events go out again"

    listed = mixrelay(
        "dlq", "list", "--reason", "ambiguous", "--json", MIXRELAY_REDIS_URL=redis_url
    )
    letters = [orjson.loads(line) for line in listed.stdout.splitlines()]
    assert [letter["type"] for letter in letters] == ["profile_update"] * DOUBTFUL
    assert all("no answer came" in letter["error"] for letter in letters)

    replayed = mixrelay("dlq", "replay", "--reason", "ambiguous", MIXRELAY_REDIS_URL=redis_url)
    assert f"{DOUBTFUL} ambiguous letters may have been counted already" in " ".join(
        replayed.stderr.decode().split()
    )
    assert replayed.stdout == f"Replayed {DOUBTFUL} letters.\n".encode()
    fleet.wait_until_drained(60)
    assert mixpanel.profiles["ann"]["logins"] == 2


def test_a_replay_of_other_letters_is_not_warned_about(queue: Queue, redis_url: str) -> None:
    ended = mixrelay("dlq", "replay", "--reason", "rejected", MIXRELAY_REDIS_URL=redis_url)
    assert b"counted already" not in ended.stderr
    assert queue.books().dead == 0
