"""What Mixpanel says and does, as metrics: tokens, notices, hot shards.

A token is shown by its fingerprint and masked; a distinct_id or a group's key never is.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from mixrelay.console.status.tokens import REFUSED, STATES, region_of, sorted_tokens
from mixrelay.console.status.unasked import IGNORED, TITLES, UNCONFIRMED, noticed
from mixrelay.shared.queue import Books

TOKENS_SHOWN = 50
"""Tokens that get a series of their own, those that need attention first."""
SHARD_KINDS = ("distinct_id", "group")


def token_metrics(books: Books) -> Iterator[Metric]:
    """How many tokens are in each state, and which are refused."""
    states = GaugeMetricFamily(
        "mixrelay_tokens", "Project tokens, by what /import says of them.", labels=["state"]
    )
    for state in STATES:
        states.add_metric([state], sum(token.state == state for token in books.tokens))
    yield states
    refused = GaugeMetricFamily(
        "mixrelay_token_refused",
        f"1 where Mixpanel refuses a project token in this region; {TOKENS_SHOWN} tokens at most.",
        labels=["token", "fingerprint", "region"],
    )
    for token in sorted_tokens(books)[:TOKENS_SHOWN]:
        labels = [token.masked, token.fingerprint, region_of(token.base) or "other"]
        refused.add_metric(labels, token.state == REFUSED)
    yield refused


def unasked_metrics(books: Books) -> Iterator[Metric]:
    """What Mixpanel changes or drops without an error, and how near an id is to its limit."""
    yield CounterMetricFamily(
        "mixrelay_ignored",
        "Events with $ignore, which Mixpanel drops: not sent.",
        value=books.totals.get(IGNORED, 0),
    )
    yield CounterMetricFamily(
        "mixrelay_unconfirmed",
        "Records sent that Mixpanel accepted and did not count as imported.",
        value=books.totals.get(UNCONFIRMED, 0),
    )
    notices = CounterMetricFamily(
        "mixrelay_noticed",
        "Values that Mixpanel cuts or hides without an error.",
        labels=["kind"],
    )
    counted = {one.kind: one.count for one in noticed(books)}
    # The two that are no changed values have counters of their own.
    for kind in sorted({*TITLES, *counted} - {IGNORED, UNCONFIRMED}):
        notices.add_metric([kind], counted.get(kind, 0))
    yield notices
    yield from _hot_shards(books)


def _hot_shards(books: Books) -> Iterator[Metric]:
    many = GaugeMetricFamily(
        "mixrelay_hot_shards",
        "Ids that have reached half of Mixpanel's limit of events a day.",
        labels=["kind"],
    )
    share = GaugeMetricFamily(
        "mixrelay_hot_shard_highest_ratio",
        "Events of the busiest id as a share of Mixpanel's limit a day; 0 below half.",
        labels=["kind"],
    )
    for kind in SHARD_KINDS:
        shards = [shard for shard in books.hot if shard.kind == kind]
        many.add_metric([kind], len(shards))
        share.add_metric([kind], max((one.count / one.limit for one in shards), default=0.0))
    yield many
    yield share
