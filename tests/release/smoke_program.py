"""What a user does first, with the installed package alone: run by `smoke.py` in an empty folder.

Standard library and mixrelay, nothing of the checkout. Prints a line for each part.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 120.0
EVENTS = 50
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def mixrelay(*words: str) -> str:
    done = subprocess.run(
        [BIN / "mixrelay", *words], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"mixrelay {' '.join(words)}: {done}"
    return done.stdout


@contextmanager
def serving(port: int, *words: str) -> Iterator[None]:
    with subprocess.Popen([BIN / "mixrelay", *words, "--port", str(port)]) as server:
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                assert server.poll() is None, f"mixrelay {words[0]} ended with {server.returncode}"
                with socket.socket() as client:
                    if not client.connect_ex(("127.0.0.1", port)):
                        break
                time.sleep(0.05)
            yield
        finally:
            server.terminate()
            try:
                server.wait(SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()


def read(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS) as answer:
        return str(answer.read().decode())


def produce() -> None:
    from mixrelay import Tracker  # noqa: PLC0415 - the environment is set first

    tracker = Tracker("smoke-token")
    for number in range(EVENTS):
        assert tracker.track(f"user-{number}", "Smoke", {"number": number})
    assert tracker.people.set("user-1", {"plan": "pro"})
    tracker.close()
    print(f"producer: {EVENTS} events and a profile update pushed")


def work() -> None:
    mixrelay("worker", "--burst")
    status = json.loads(mixrelay("status", "--json"))
    totals = status["totals"]
    assert totals["received"] == totals["delivered"] == EVENTS + 1, status
    assert (status["queued"], status["in_flight"], status["dead"]) == (0, 0, 0), status
    print(f"worker: {totals['delivered']} of {totals['received']} delivered")


def look(port: int) -> None:
    page = read(port, "/")
    assert "mixpanel_queue" in page, page
    assert "<script" in page, page
    assert read(port, "/healthz"), "an empty answer"
    assert "mixrelay_delivered_total" in read(port, "/metrics")
    print(f"page: {len(page):,} bytes, /healthz and /metrics answer")


def main() -> None:
    redis, mixpanel, page = free_port(), free_port(), free_port()
    os.environ |= {
        "MIXRELAY_REDIS_URL": f"redis://127.0.0.1:{redis}/0",
        "MIXPANEL_API_HOST": f"http://127.0.0.1:{mixpanel}",
        "MIXPANEL_TOKEN": "smoke-token",
        "MIXRELAY_SPOOL_DIR": str(Path.cwd() / "spool"),
    }
    assert not any((Path(folder) / "pyproject.toml").exists() for folder in sys.path), sys.path
    with serving(redis, "valkey", "--dir", "valkey"), serving(mixpanel, "sandbox"):
        produce()
        work()
        with serving(page, "dashboard"):
            look(page)


if __name__ == "__main__":
    main()
