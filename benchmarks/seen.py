"""Seconds until each surface names a fault: five of them, each with traffic and a fleet of its own.

    python -m benchmarks.seen [--fault NAME …] [--every SECONDS]

A worker, the page and `mixrelay alert` run; then the fault begins, and everything that an operator
may look at is asked again and again: `status` and `doctor` (a process each time), the page, its
metrics and readiness, and what the alert's command was given. A surface counts once it names the
fault itself, and not any other problem. A dash: it is none of its business.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.events import TOKEN
from benchmarks.machine import free_port
from benchmarks.stand import Stand, stand
from mixrelay.console.demo.children import Child, Children, wait_for_port
from mixrelay.sandbox import Sandbox

LIMIT_SECONDS = 180.0
EVERY_SECONDS = 15.0
_BAD = 50
_START_SECONDS = 60.0
_SURFACES = ("status", "page", "alert", "metrics", "doctor", "readyz")


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and how each surface would name it."""

    name: str
    kinds: tuple[str, ...]
    """Of the problem, as `status --json`, the metric and alerts have it."""
    words: str
    """A pattern that the page's and the doctor's sentences match."""
    begin: Callable[["Fleet"], None]
    silent: tuple[str, ...] = ("readyz",)
    """Surfaces whose business it is not."""


class Fleet:
    """What runs beside the queue."""

    def __init__(self, at: Stand, box: Sandbox, folder: Path, every: float) -> None:
        self.at, self.box, self.folder = at, box, folder
        self.children = Children(folder)
        self.notices = folder / "notices"
        self.notices.touch()
        self.page = f"http://127.0.0.1:{free_port()}"
        self.env = at.surroundings() | {"MIXPANEL_API_HOST": box.url, "MIXRELAY_LINGER": "0.1"}
        self.worker = self._start("worker")
        port = self.page.rpartition(":")[2]
        wait_for_port(self._start("dashboard", "--port", port), int(port), _START_SECONDS)
        alert = self._start("alert", "--every", f"{every:g}", "--command", f"tee -a {self.notices}")
        _until(lambda: "watching" in alert.log.read_text(), "the watcher looks")

    def _start(self, *command: str) -> Child:
        return self.children.start(command[0], "mixrelay.console", *command, env=self.env)

    def ask(self, *command: str) -> str:
        """What a command prints, however it ends."""
        done = subprocess.run(
            [sys.executable, "-m", "mixrelay.console", *command],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return " ".join((done.stdout + done.stderr).split()) if done.returncode else ""

    def fetch(self, path: str) -> tuple[int, str]:
        """A page's status and text; nothing where none comes in time."""
        with suppress(requests.RequestException):
            answer = requests.get(self.page + path, timeout=30)
            return answer.status_code, answer.text
        return 0, ""

    def tell_sandbox(self, what: str, told: Mapping[str, object]) -> None:
        requests.post(f"{self.box.url}/_sandbox/{what}", json=told, timeout=30).raise_for_status()

    def stop_redis(self) -> None:
        os.kill(int(self.at.redis.info("server")["process_id"]), signal.SIGKILL)


def _redis_away(fleet: Fleet) -> None:
    fleet.stop_redis()


def _wrong_token(fleet: Fleet) -> None:
    fleet.tell_sandbox("credentials", {"revoke": [TOKEN]})


def _mixpanel_fails(fleet: Fleet) -> None:
    fleet.tell_sandbox("faults", {"kind": "status", "status": 503})


def _bad_records(fleet: Fleet) -> None:
    fleet.at.queue.push([_event("Checked Out", n, time="yesterday") for n in range(_BAD)])


def _no_worker(fleet: Fleet) -> None:
    fleet.worker.terminate()


FAULTS = (
    Fault("Redis away", ("redis",), r"cannot be (reached|read)|does not answer", _redis_away, ()),
    Fault("wrong token (401)", ("token_refused", "paused"), r"refuse[sd]? ", _wrong_token),
    Fault("Mixpanel 5xx", ("paused",), r"503|circuit", _mixpanel_fails),
    Fault(
        "refused records",
        ("failing", "new_cause", "new_reason"),
        r"properties\.time|Checked Out",
        _bad_records,
        ("readyz", "doctor"),
    ),
    Fault("no worker", ("no_worker", "oldest"), r"[Nn]o worker", _no_worker),
)


def main() -> None:
    """Runs the faults one after the other, and prints a row for each."""
    options = argparse.ArgumentParser(description="Seconds until each surface names a fault.")
    options.add_argument("--fault", action="append", choices=[one.name for one in FAULTS])
    options.add_argument("--every", type=float, default=EVERY_SECONDS)
    given = options.parse_args()
    print(f"| fault | {' | '.join(_SURFACES)} |\n| --- |{' ---: |' * len(_SURFACES)}")
    for fault in FAULTS:
        if not given.fault or fault.name in given.fault:
            seen = _measure(fault, given.every)
            cells = (f"{seen[one]:.0f}" if one in seen else "-" for one in _SURFACES)
            print(f"| {fault.name} | {' | '.join(cells)} |", flush=True)


def _measure(fault: Fault, every: float) -> dict[str, float]:
    """Seconds by surface.

    Raises:
        SystemExit: one does not name the fault in time.
    """
    safe = {"appendonly": "yes", "maxmemory": "256mb", "maxmemory_policy": "noeviction"}
    with stand(**safe) as at, Sandbox() as box, tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(at, box, Path(folder), every)
        try:
            with _traffic(at):
                _until(lambda: at.queue.books().totals["delivered"] > 0, "something is delivered")
                _until(lambda: not fleet.ask("status"), "all is well")
                fault.begin(fleet)
                return _seen(fleet, fault)
        finally:
            fleet.children.close(20)


def _seen(fleet: Fleet, fault: Fault) -> dict[str, float]:
    began, found = time.monotonic(), dict[str, float]()
    surfaces = [one for one in _SURFACES if one not in fault.silent]

    def watch(surface: str) -> None:
        while time.monotonic() - began < LIMIT_SECONDS:
            if _SAYS[surface](fleet, fault):
                found[surface] = time.monotonic() - began
                return
            time.sleep(0.25)

    threads = [threading.Thread(target=watch, args=[one], daemon=True) for one in surfaces]
    for one in threads:
        one.start()
    for one in threads:
        one.join(2 * LIMIT_SECONDS)
    if missing := set(surfaces) - set(found):
        print(f"{fault.name}: not named within {LIMIT_SECONDS:.0f} s by {', '.join(missing)}")
    return found


def _status_says(fleet: Fleet, fault: Fault) -> bool:
    said = fleet.ask("status", "--json")
    with suppress(ValueError):
        told, _ = json.JSONDecoder().raw_decode(said)
        return any(one["kind"] in fault.kinds for one in told["health"]["problems"])
    return re.search(fault.words, said) is not None


def _doctor_says(fleet: Fleet, fault: Fault) -> bool:
    return re.search(fault.words, fleet.ask("doctor")) is not None


def _page_says(fleet: Fleet, fault: Fault) -> bool:
    _, text = fleet.fetch("/")
    # A note is no problem yet; where Redis is away, there is a page of its own.
    is_wrong = "redis" in fault.kinds or re.search('data-state="(bad|odd)"', text)
    return bool(is_wrong) and re.search(fault.words, text) is not None


def _metrics_say(fleet: Fleet, fault: Fault) -> bool:
    status, text = fleet.fetch("/metrics")
    if "redis" in fault.kinds:
        return status >= 500 or "mixrelay_up 0" in text
    kinds = "|".join(fault.kinds)
    return re.search(rf'mixrelay_problem{{[^}}]*kind="({kinds})"[^}}]*}} 1', text) is not None


def _alert_says(fleet: Fleet, fault: Fault) -> bool:
    told = fleet.notices.read_text()
    return any(re.search(rf'"alert": ?"{kind}"', told) for kind in fault.kinds)


def _readyz_says(fleet: Fleet, _fault: Fault) -> bool:
    status, _ = fleet.fetch("/readyz")
    return status == 503


_SAYS: dict[str, Callable[[Fleet, Fault], bool]] = {
    "status": _status_says,
    "page": _page_says,
    "alert": _alert_says,
    "metrics": _metrics_say,
    "doctor": _doctor_says,
    "readyz": _readyz_says,
}


@contextmanager
def _traffic(at: Stand) -> Iterator[None]:
    """Ten events a second, as long as Redis takes them."""
    over = threading.Event()

    def push() -> None:
        n = 0
        while not over.wait(0.5):
            with suppress(Exception):
                at.queue.push([_event("Fine", n + one) for one in range(5)])
            n += 5

    thread = threading.Thread(target=push, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)


def _event(name: str, n: int, **properties: object) -> bytes:
    record = {"event": name, "properties": {"distinct_id": f"u{n}", "n": n, **properties}}
    return json.dumps(["event", json.dumps({"data": record})]).encode()


def _until(holds: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + _START_SECONDS
    while not holds():
        if time.monotonic() > ends:
            sys.exit(f"after {_START_SECONDS:.0f} s not yet: {what}")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
