"""A record's time where Redis's clock and the host's disagree, and one of them is wrong."""

import json

import pytest

from mixrelay.worker.base.moment import Moment
from tests.support.records import DAY, NOW, event, sent

BEHIND = 65 * 60_000


def time_of(ready: object) -> int:
    return int(sent(ready)["properties"]["time"])


@pytest.mark.parametrize("time", [NOW, NOW // 1000, str(NOW)])
def test_a_time_that_is_ahead_of_redis_alone_is_kept(time: object) -> None:
    received, now = NOW - BEHIND, Moment(NOW - BEHIND, BEHIND)
    kept = sent(event(properties={"time": time}, received=received, now=now))["properties"]["time"]
    assert json.dumps(kept) == str(time)


def test_a_time_that_is_ahead_of_both_gets_the_receipt() -> None:
    received, now = NOW - BEHIND, Moment(NOW - BEHIND, BEHIND)
    assert time_of(event(properties={"time": NOW + 1}, received=received, now=now)) == received


def test_a_time_ahead_gets_the_receipt_where_the_clocks_agree() -> None:
    for now in (NOW, Moment(NOW)):
        assert time_of(event(properties={"time": NOW + 1}, received=NOW, now=now)) == NOW


@pytest.mark.parametrize("ahead", [BEHIND, BEHIND // 2, 1])
def test_a_receipt_that_is_ahead_is_not_used(ahead: int) -> None:
    """Mixpanel refuses one that is far ahead, and puts the present in place of another."""
    now = Moment(NOW)
    assert time_of(event(without=["time"], received=NOW + ahead, now=now)) == NOW


@pytest.mark.parametrize("later", [-BEHIND, -1, 1, BEHIND, DAY])
@pytest.mark.parametrize("behind", [0, BEHIND])
@pytest.mark.parametrize("received", [NOW - BEHIND, NOW, NOW + BEHIND // 2, NOW + BEHIND])
@pytest.mark.parametrize("time", [NOW, NOW + 1, NOW + BEHIND // 4, NOW + DAY, None])
def test_a_time_depends_on_the_clocks_as_they_were_when_it_was_first_taken(
    later: int, behind: int, received: int, time: int | None
) -> None:
    given = {"properties": {"time": time}} if time else {"without": ["time"]}
    first, again = Moment(NOW, behind, NOW), Moment(NOW + later, behind, NOW)
    assert time_of(event(received=received, now=again, **given)) == time_of(
        event(received=received, now=first, **given)
    )


def test_a_moment_is_a_number() -> None:
    assert Moment(NOW, BEHIND) - DAY == NOW - DAY
    assert Moment(NOW).behind_ms == 0
    assert Moment(NOW).taken_ms == NOW
