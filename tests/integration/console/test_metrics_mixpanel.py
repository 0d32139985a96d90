"""What a scrape tells of tokens, notices and hot shards, and what it must never tell."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.metrics.mixpanel import TOKENS_SHOWN
from mixrelay.console.status.look import look
from mixrelay.shared.queue import Example, Noticed, Queue, Settlement, Shard
from tests.support.bench import Bench, event
from tests.support.tokens import OURS, THEIRS, leave_unproven, prove, refuse

DAY = (datetime.now(UTC).date() - datetime.fromtimestamp(0, UTC).date()).days
Value = Callable[..., float | None]


@pytest.fixture
def registry(queue: Queue, redis_url: str) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(QueueCollector(lambda: look(queue, redis_url), dict))
    return registry


@pytest.fixture
def value(registry: CollectorRegistry) -> Value:
    return lambda name, **labels: registry.get_sample_value(name, labels)


def test_a_refused_token_is_1_and_goes_back_to_0(queue: Queue, value: Value) -> None:
    ours = {"token": OURS.masked, "fingerprint": OURS.fingerprint, "region": "us"}
    assert value("mixrelay_tokens", state="refused") == 0
    assert value("mixrelay_token_refused", **ours) is None
    refuse(queue, OURS)
    leave_unproven(queue, replace(THEIRS, base="http://127.0.0.1:1"))
    assert value("mixrelay_token_refused", **ours) == 1
    theirs = {"token": THEIRS.masked, "fingerprint": THEIRS.fingerprint, "region": "other"}
    assert value("mixrelay_token_refused", **theirs) == 0
    states = ("refused", "unproven", "proven")
    assert [value("mixrelay_tokens", state=state) for state in states] == [1, 1, 0]
    prove(queue, OURS)
    assert value("mixrelay_token_refused", **ours) == 0


def test_a_thousand_tenants_make_no_more_than_so_many_series(
    queue: Queue, registry: CollectorRegistry, value: Value
) -> None:
    for number in range(300):
        prove(queue, replace(THEIRS, fingerprint=f"{number:012}", masked=f"{number:04}…00"))
    refuse(queue, replace(THEIRS, fingerprint="f" * 12, masked="ffff…ff"))
    series = [
        line
        for line in generate_latest(registry).decode().splitlines()
        if line.startswith("mixrelay_token_refused{")
    ]
    assert len(series) == TOKENS_SHOWN
    assert value("mixrelay_tokens", state="proven") == 300
    refused = {"token": "ffff…ff", "fingerprint": "f" * 12, "region": "us"}
    assert value("mixrelay_token_refused", **refused) == 1, "those that need attention come first"


def test_what_mixpanel_does_unasked_is_counted_from_0_on(bench: Bench, value: Value) -> None:
    def counters() -> list[float | None]:
        return [
            value("mixrelay_noticed_total", kind="cut_text"),
            value("mixrelay_noticed_total", kind="cut_list"),
            value("mixrelay_unconfirmed_total"),
            value("mixrelay_ignored_total"),
            value("mixrelay_discarded_total", reason="ignored"),
        ]

    assert counters() == [0, 0, 0, 0, 0]
    bench.route(event("a"), event("b"))
    [first, _] = (batch := bench.take()).members
    example = Example("a", "properties.x", "300 characters, 255 kept", first.number)
    noticed = {"cut_text": Noticed(4, example)}
    bench.queue.settle(
        batch,
        Settlement(
            delivered="all", ignored=[first.number], noticed=noticed, unconfirmed=1, sent=True
        ),
    )
    assert counters() == [4, 0, 1, 1, 1]


def test_hot_shards_are_counted_and_no_id_is_told(
    queue: Queue, registry: CollectorRegistry, value: Value
) -> None:
    assert value("mixrelay_hot_shard_highest_ratio", kind="distinct_id") == 0
    counts = {"ann@example.com": 150_000, "bob@example.com": 100_000, "eve@example.com": 9}
    queue.hot.add(
        {Shard(DAY, "distinct_id", OURS.fingerprint, "", who): n for who, n in counts.items()}
    )
    assert value("mixrelay_hot_shards", kind="distinct_id") == 2
    assert value("mixrelay_hot_shards", kind="group") == 0
    assert value("mixrelay_hot_shard_highest_ratio", kind="distinct_id") == 0.75
    assert "example.com" not in generate_latest(registry).decode()
