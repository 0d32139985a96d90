"""The judgement of health as metrics: the same problems that `status` and the page show."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from mixrelay.console.health.judging import Health
from mixrelay.console.health.kinds import SERIES


def judgement_metrics(health: Health) -> Iterator[Metric]:
    """Whether the queue is degraded, and by what."""
    yield GaugeMetricFamily(
        "mixrelay_degraded", "1 where mixrelay status exits with 1.", value=bool(health.urgent)
    )
    problems = GaugeMetricFamily(
        "mixrelay_problem",
        "1 where there is a problem of this kind and cause, as mixrelay status and the page say.",
        labels=["kind", "cause", "severity"],
    )
    for series, value in _series(health).items():
        problems.add_metric(list(series), value)
    yield problems


def _series(health: Health) -> dict[tuple[str, str, str], int]:
    found = dict.fromkeys(SERIES, 0)
    for one in health.notifying:
        # A token's fingerprint, or a failure group, is no label: there may be many.
        named = (one.kind, one.about, one.severity)
        found[named if named in found else (one.kind, "", one.severity)] = 1
    return found
