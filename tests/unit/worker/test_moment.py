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


def test_a_receipt_that_import_would_refuse_is_not_used() -> None:
    """Redis's clock is ahead of the host's: the receipt may lie more than an hour ahead."""
    now = Moment(NOW)
    assert time_of(event(without=["time"], received=NOW + BEHIND, now=now)) == NOW
    assert (
        time_of(event(without=["time"], received=NOW + BEHIND // 2, now=now)) == NOW + BEHIND // 2
    )


def test_a_moment_is_a_number() -> None:
    assert Moment(NOW, BEHIND) - DAY == NOW - DAY
    assert Moment(NOW).behind_ms == 0
