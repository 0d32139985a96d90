"""The guide's table of metrics, made from what a scrape answers.

`python -m tests.support.metrics_table --write` puts it into docs/dashboard.md.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import Metric
from redis import Redis

from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.metrics.safety import unsafe
from mixrelay.console.status.look import look
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue

GUIDE = Path(__file__).parents[2] / "docs" / "dashboard.md"
MARKED = re.compile(r"(<!-- metrics[^>]*-->\n).*?(<!-- /metrics -->)", re.DOTALL)


def table(redis: Redis, url: str) -> str:
    """What a queue without anything in it tells: every metric is there from the start."""
    collector = QueueCollector(lambda: look(Queue(redis), url), lambda: unsafe(redis))
    rows = "".join(f"| {' | '.join(_cells(metric))} |\n" for metric in collector.collect())
    return "| metric | labels | means |\n| --- | --- | --- |\n" + rows


def _cells(metric: Metric) -> Iterator[str]:
    yield f"`{metric.name}{'_total' if metric.type == 'counter' else ''}`"
    # Its own word for it: a metric may have labels and, as yet, no sample.
    yield ", ".join(f"`{name}`" for name in getattr(metric, "_labelnames", ()))
    told = " (a histogram)" if metric.type == "histogram" else ""
    yield metric.documentation.rstrip(".") + told


def written_table(guide: str) -> str:
    found = MARKED.search(guide)
    assert found, "the guide has no <!-- metrics … --> and <!-- /metrics --> marks"
    return found.group().removeprefix(found.group(1)).removesuffix(found.group(2))


def main() -> None:
    from tests.conftest import run_valkey  # noqa: PLC0415 - only the script starts a server

    with run_valkey() as url, connect(url) as redis:
        made = table(redis, url)
    if "--write" in sys.argv:
        guide = GUIDE.read_text()
        GUIDE.write_text(MARKED.sub(lambda marks: marks[1] + made + marks[2], guide))
    else:
        sys.stdout.write(made)


if __name__ == "__main__":
    main()
