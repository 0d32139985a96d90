"""A real Prometheus scrapes two dashboards, and answers every panel and rule that deploy/ has."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests
import yaml

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.queue import Example, Noticed, Settlement
from mixrelay.shared.queue.messages.settlement import Request
from mixrelay.shared.settings import Settings
from tests.support.bench import Bench, event, outage
from tests.support.fleet import wait_until
from tests.support.pages import serving
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.tokens import OURS, refuse

DEPLOY = Path(__file__).parents[3] / "deploy"
PANELS = [
    (panel["title"], target["expr"])
    for panel in json.loads((DEPLOY / "grafana/mixrelay.json").read_text())["panels"]
    for target in panel.get("targets", ())
]


def traffic(bench: Bench) -> None:
    """Some of everything that a panel shows."""
    seen = Request("import", 200, 0.2, 20)
    example = Example("Checked Out", "properties.Cart", "812 characters, 255 kept", "0-1")
    bench.route(*(event("Page Viewed") for _ in range(20)))
    settled = Settlement(
        delivered="all",
        sent=True,
        request=seen,
        noticed={"cut_text": Noticed(3, example)},
        unconfirmed=1,
    )
    bench.queue.settle(bench.take(), settled)
    bench.route(*(event("Checked Out") for _ in range(15)))
    bench.bury(bench.take(), error="nests too deep", field="properties.Cart")


def waiting(bench: Bench) -> int:
    """A backlog: in the incoming list, a lane and a batch; and what a refused token does."""
    bench.route(event("a"), event("b"))
    bench.park(bench.take(), outage())
    bench.route(*(event("c") for _ in range(4)))
    bench.queue.push([event("d")] * 3)
    refuse(bench.queue, OURS)
    return 2 + 4 + 3


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **query: str) -> object:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=query, timeout=30).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, expr: str) -> list[float]:
        found = self.ask("query", query=expr)["result"]  # type: ignore[index]
        return [float(one["value"][1]) for one in found]


@pytest.fixture
def prometheus(redis_url, tmp_path):
    """One that scrapes two dashboards of the same queue every two seconds."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed; .ci/run installs it")
    open_page = DashboardSettings()
    pages = [create_app(Settings(redis_url=redis_url), open_page, mounted=False) for _ in "ab"]
    with serving(pages[0]) as one, serving(pages[1]) as other:
        targets = [url.removeprefix("http://") for url in (one, other)]
        config = {
            "global": {
                "scrape_interval": "500ms",
                "scrape_timeout": "500ms",
                "evaluation_interval": "1s",
            },
            "rule_files": [str(DEPLOY / "prometheus/mixrelay.rules.yml")],
            "scrape_configs": [{"job_name": "mixrelay", "static_configs": [{"targets": targets}]}],
        }
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = free_port()
        command = [
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with Process(command, stderr=subprocess.DEVNULL) as process:
            yield Prometheus(f"http://127.0.0.1:{port}")
            process.kill()


def test_every_panel_has_data_no_sum_is_doubled_and_the_rules_fire(
    prometheus, redis, queue, redis_url
):
    bench = Bench(queue)

    def scraped(expr: str, least: float) -> None:
        def is_there() -> bool:
            try:
                return max(prometheus.values(expr), default=-1.0) >= least
            except (requests.RequestException, ValueError):
                return False

        wait_until(is_there, 60, f"{expr} is {least:g}")

    scraped("count(up{job='mixrelay'} == 1)", 2)
    scraped("min(count_over_time(mixrelay_workers[5m]))", 2)
    traffic(bench)
    backlog = waiting(bench)
    scraped("min(mixrelay_dlq_letters{reason='invalid', type='event'})", 15)
    scraped("min(mixrelay_queue_messages)", 3)

    found: dict[str, list[float]] = {}
    for title, expr in PANELS:
        # A scrape that failed on a busy machine leaves a gap.
        wait_until(lambda expr=expr: prometheus.values(expr), 20, f"{title} has data: {expr}")
        found[expr] = prometheus.values(expr)

    of = {title: found[expr] for title, expr in reversed(PANELS)}
    assert of["Backlog"] == [backlog]
    assert of["Dead letters"] == [15]
    assert of["Degraded"] == [1]
    assert of["Failing, share of what ended"][0] == pytest.approx(15 / 35, abs=0.02)
    assert any(not math.isnan(value) for value in of["Request duration, p95"])
    scraped("count(ALERTS{alertname='MixrelayFailing', alertstate='firing', severity='page'})", 1)
    scraped("count(ALERTS{alertname='MixrelayTokenRefused', alertstate='firing'})", 1)
    rules = prometheus.ask("rules")["groups"][0]["rules"]
    assert [one["name"] for one in rules if one["health"] != "ok"] == []
    told = {
        one["metric"]["kind"]
        for one in prometheus.ask("query", query="mixrelay_problem == 1")["result"]
    }
    assert {"failing", "token_refused", "no_worker"} <= told
    text = requests.get(f"{prometheus.url}/api/v1/rules", timeout=30).text
    assert not re.search("error calling|can't evaluate", text), "annotations are filled in"
