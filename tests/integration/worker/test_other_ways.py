"""A lane's records may go several ways; each waits for its own destination, and none spins."""

import pytest
from redis import Redis

from tests.support.works import TOKEN, Works, event, message, update

ACCOUNT = {
    "project_id": "1",
    "service_account_username": "robot",
    "service_account_secret": "a-secret",
}


def identify() -> bytes:
    properties = {"token": TOKEN, "$identified_id": "u", "$anon_id": "a"}
    return message("event", {"event": "$identify", "properties": properties})


def merge() -> bytes:
    properties = {"token": TOKEN, "$distinct_ids": ["u", "a"]}
    return message("import", {"event": "$merge", "properties": properties})


def imported(**beside: str) -> bytes:
    properties = {"token": "another", "distinct_id": "u", "time": 1_600_000_000}
    return message("import", {"event": "past", "properties": properties}, **beside)


WAYS = {
    "$identify beside an account": (identify(), ACCOUNT),
    "$merge": (merge(), ACCOUNT),
    "an import under our token as key": (imported(api_key=TOKEN), ACCOUNT),
    "an import of another project beside an account": (imported(), ACCOUNT),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_refusal_delays_and_neither_stops_nor_spins(
    works: Works, redis: Redis, way: str
) -> None:
    payload, settings = WAYS[way]
    works.box.fault("status", status=503, count=2)
    works.push(payload)
    redis.config_resetstat()
    works.drain(to=works.settings(**settings), backoff_base=0.3, backoff_cap=0.5)
    assert len(works.box.events) == 1
    assert [request.status for request in works.box.requests] == [503, 503, 200]
    scripts = redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert scripts < 600, "some seconds at 20 looks a second over 5 lanes"


def test_an_orderly_refusal_ends_a_pause(works: Works) -> None:
    works.box.fault("status", status=503, count=1)
    works.box.fault("reject_distinct_id", match="bad")
    works.push(event("bad"))
    works.drain()
    assert works.reasons() == ["rejected"]
    assert works.books.paused == ()


def test_halves_of_what_may_have_been_counted_are_judged_alike(works: Works) -> None:
    """Three answers that are none, though the increments were taken: the batch is halved."""
    works.box.fault("html", endpoint="/engage", count=3, take=True)
    works.push(*[update(f"u{n}", **{"$add": {"visits": 1}}) for n in range(4)])
    works.drain(on_ambiguous="dead-letter", attempts=1)
    assert works.reasons() == ["ambiguous"] * 4
    assert {profile["visits"] for profile in works.box.profiles.values()} == {1}


def test_every_record_sent_again_in_doubt_is_counted(works: Works) -> None:
    works.box.fault("html", endpoint="/engage", count=3, take=False)
    works.push(*[update(f"u{n}", **{"$add": {"visits": 1}}) for n in range(4)])
    works.drain()
    assert works.books.totals["ambiguous"] == 4 * 3
    assert {profile["visits"] for profile in works.box.profiles.values()} == {1}
