"""The same over HTTP, as an operator's browser asks the dashboard. Part of benchmarks.letters."""

import re
import time
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlencode

import requests

from benchmarks.machine import free_port, pss_megabytes
from benchmarks.stand import Stand
from mixrelay.console.demo.children import wait_for_port

_TIMEOUT = 60
_NEXT = re.compile(r'rel="next" href="([^"]+)"')
_COUNT_ON = re.compile(r'hx-get="([^"]*/counted\?[^"]*)"')
_START_SECONDS = 30.0


def ask_pages(at: Stand, since: str) -> Iterator[tuple[str, str]]:
    """How long each page takes (the slowest of five), and what the process weighs."""
    port = free_port()
    dashboard = at.children.start(
        "dashboard",
        "mixrelay.console",
        *("dashboard", "--port", str(port), "--redis-url", at.url),
        env={},
    )
    wait_for_port(dashboard, port, _START_SECONDS)
    with requests.Session() as session:
        browser = _Browser(f"http://127.0.0.1:{port}", session)
        browser.get("/letters?reason=rejected&event=warm-up")
        before = pss_megabytes(dashboard.pid)
        found = _NEXT.search(browser.get("/letters"))
        assert found, "a second page"
        combined = urlencode({"reason": "rejected", "type": "event", "status": 400, "since": since})
        pages = {
            "overview": "/",
            "first page": "/letters",
            "second page": unescape(found[1]),
            "a reason": "/letters?reason=rejected",
            "reason, status, type and time": f"/letters?{combined}",
            "an event's name, 5,000 looked at": "/letters?event=Event+7",
            "a distinct_id that none has, 5,000 looked at": "/letters?distinct_id=none",
            "plan: all": "/jobs/plan/replay",
            "plan: a reason": "/jobs/plan/replay?reason=rejected",
            "plan: type and status": "/jobs/plan/discard?type=event&status=400",
            "plan: reason, status, type and time": f"/jobs/plan/replay?{combined}",
            "plan: an event's name, 5,000 looked at": "/jobs/plan/replay?event=Event+7",
            "metrics": "/metrics",
        }
        for what, path in pages.items():
            yield what, f"{max(browser.seconds(path) for _ in range(5)) * 1000:.1f} ms"
        yield (
            "plan: an event's name, to its end",
            browser.count_on("/jobs/plan/replay?event=Event+7"),
        )
        after = pss_megabytes(dashboard.pid)
        yield "memory (PSS)", f"{before:.1f} MB before, {after:.1f} MB after"


class _Browser:
    def __init__(self, url: str, session: requests.Session) -> None:
        self._url = url
        self._session = session

    def get(self, path: str) -> str:
        answer = self._session.get(self._url + path, timeout=_TIMEOUT)
        answer.raise_for_status()
        return answer.text

    def seconds(self, path: str) -> float:
        began = time.monotonic()
        self.get(path)
        return time.monotonic() - began

    def count_on(self, path: str) -> str:
        """Counts to the end, as the page does by itself."""
        began, slowest, portions = time.monotonic(), 0.0, 0
        shown = self.get(path)
        while found := _COUNT_ON.search(shown):
            asked = time.monotonic()
            shown = self.get(unescape(found[1]))
            slowest, portions = max(slowest, time.monotonic() - asked), portions + 1
        return (
            f"{portions} portions in {time.monotonic() - began:.0f} s, "
            f"the slowest {slowest * 1000:.0f} ms"
        )
