"""What an alert fires for about Mixpanel: tokens, records that are not confirmed, hot shards."""

from datetime import UTC, datetime

import pytest

from mixrelay.console.alerting.findings import ALERTS, findings
from mixrelay.console.status.look import look
from mixrelay.shared.queue import Queue, Settlement, Shard
from tests.support.bench import Bench, event
from tests.support.tokens import CIRCUITS, OURS, THEIRS, leave_unproven, prove, refuse

DAY = (datetime.now(UTC).date() - datetime.fromtimestamp(0, UTC).date()).days


@pytest.fixture
def figures(queue: Queue, redis_url: str):
    return lambda: look(queue, redis_url)


@pytest.fixture
def fired(figures):
    """What fires now, by name, but for the workers that no test here has."""

    def now(oldest: float = 300.0) -> dict[str, str]:
        found = [one for one in findings(figures(), oldest) if one.alert != "no_worker"]
        assert {one.alert for one in found} <= set(ALERTS)
        return {one.name: f"{one.summary} {one.what_to_do}" for one in found}

    return now


def test_a_refused_token_is_an_alert_in_status_s_words_until_it_is_proven(
    queue: Queue, figures, fired
) -> None:
    assert fired() == {}
    refuse(queue, OURS, elsewhere="eu", likelier="region")
    refuse(queue, THEIRS, likelier="token")
    told = fired()
    assert set(told) == {f"token_refused:{OURS.fingerprint}", f"token_refused:{THEIRS.fingerprint}"}
    assert set(told.values()) <= set(figures().warnings())
    assert "Set MIXPANEL_REGION=eu" in told[f"token_refused:{OURS.fingerprint}"]
    prove(queue, OURS)
    prove(queue, THEIRS)
    assert fired() == {}


def test_the_circuits_that_a_refused_token_opened_are_the_same_alert(
    bench: Bench, figures, fired
) -> None:
    refuse(bench.queue, OURS, opens=CIRCUITS)
    assert {pause.destination for pause in figures().books.paused} == dict(CIRCUITS).keys()
    assert set(fired()) == {f"token_refused:{OURS.fingerprint}"}
    assert len(figures().warnings()) == 1
    # A circuit that opened for another reason is an alert of its own.
    bench.redis.hdel(bench.key("pause:engage:0badc0de"), "token")
    assert set(fired()) == {f"token_refused:{OURS.fingerprint}", "paused:configuration"}
    assert len(figures().warnings()) == 2


def test_a_token_that_is_unproven_for_long(queue: Queue, figures, fired) -> None:
    leave_unproven(queue, OURS)  # for three minutes
    assert fired(oldest=300) == {}
    told = fired(oldest=120)
    assert set(told) == {f"token_unproven:{OURS.fingerprint}"}
    assert set(told.values()) <= set(figures().remarks())


def test_records_that_are_not_confirmed(bench: Bench, figures, fired) -> None:
    bench.route(event("a"))
    bench.queue.settle(bench.take(), Settlement(delivered="all", sent=True, unconfirmed=1))
    told = fired()
    assert "did not confirm 1 record within two minutes" in told["unconfirmed"]
    assert told["unconfirmed"] in figures().remarks()
    for minute in bench.redis.keys(bench.key("minute:*")):
        bench.redis.delete(minute)  # as minutes go by
    assert fired() == {}


def test_a_hot_shard_ahead_names_no_id(queue: Queue, figures, fired) -> None:
    queue.hot.add({Shard(DAY, "distinct_id", OURS.fingerprint, "", "ann@example.com"): 199_999})
    told = fired()
    assert set(told) == {"hot_shard:distinct_id"}
    assert "99% of Mixpanel's limit of 200,000" in told["hot_shard:distinct_id"]
    assert "ann@example.com" not in told["hot_shard:distinct_id"]
    assert told["hot_shard:distinct_id"] in figures().warnings()
