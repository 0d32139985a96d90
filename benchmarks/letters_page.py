"""The same over HTTP, as an operator's browser asks the dashboard. Part of benchmarks.letters."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from urllib.parse import urlencode

import requests

from benchmarks.machine import free_port, pss_megabytes

_TIMEOUT = 60
_NEXT = re.compile(r'rel="next" href="([^"]+)"')
_COUNT_ON = re.compile(r'hx-get="([^"]*/counted\?[^"]*)"')
_START_SECONDS = 30.0


def ask_pages(redis_url: str, since: str) -> None:
    """Prints how long each page takes (the slowest of five), and what the process weighs."""
    with _dashboard(redis_url) as (url, process), requests.Session() as session:
        browser = _Browser(url, session)
        browser.get("/letters?reason=rejected&event=warm-up")
        before = pss_megabytes(process.pid)
        found = _NEXT.search(browser.get("/letters"))
        assert found, "a second page"
        combined = urlencode({"reason": "rejected", "type": "event", "status": 400, "since": since})
        pages = {
            "overview": "/",
            "letters: first page, reason counts": "/letters",
            "letters: second page": unescape(found[1]),
            "letters: a reason": "/letters?reason=rejected",
            "letters: reason, status, type, time": f"/letters?{combined}",
            "letters: an event name": "/letters?event=Event+7",
            "letters: a distinct_id that none has": "/letters?distinct_id=none",
            "plan: all": "/jobs/plan/replay",
            "plan: a reason": "/jobs/plan/replay?reason=rejected",
            "plan: type and status": "/jobs/plan/discard?type=event&status=400",
            "plan: reason, status, type, time": f"/jobs/plan/replay?{combined}",
            "plan: an event name, first portion": "/jobs/plan/replay?event=Event+7",
            "metrics": "/metrics",
        }
        print("\nover HTTP, through mixrelay dashboard")
        for what, path in pages.items():
            print(f"{what:<45} {max(browser.seconds(path) for _ in range(5)) * 1000:8.1f} ms")
        browser.count_on("/jobs/plan/replay?event=Event+7")
        after = pss_megabytes(process.pid)
        print(f"memory of the dashboard (PSS): {before:.1f} MB before, {after:.1f} MB after")


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

    def count_on(self, path: str) -> None:
        """Counts to the end, as the page does by itself."""
        began, slowest, portions = time.monotonic(), 0.0, 0
        shown = self.get(path)
        while found := _COUNT_ON.search(shown):
            asked = time.monotonic()
            shown = self.get(unescape(found[1]))
            slowest, portions = max(slowest, time.monotonic() - asked), portions + 1
        print(
            f"plan: an event name, to its end: {portions} portions in "
            f"{time.monotonic() - began:.1f} s, the slowest {slowest * 1000:.0f} ms"
        )


@contextmanager
def _dashboard(redis_url: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    command = [sys.executable, "-m", "mixrelay.console", "dashboard", "--port", str(port)]
    with subprocess.Popen([*command, "--redis-url", redis_url]) as process:
        url = f"http://127.0.0.1:{port}"
        _wait(url)
        yield url, process
        process.terminate()


def _wait(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            requests.get(f"{url}/healthz", timeout=1).raise_for_status()
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
