"""The commands of docs/runbooks.md, run as they stand there, and traffic that goes on meanwhile."""

import json
import re
import shlex
import subprocess
import threading
from pathlib import Path
from typing import Self

from redis import Redis

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.command import COMMAND, environment
from tests.support.fleet import wait_until
from tests.support.letters import event
from tests.support.processes import finished

FILE = Path(__file__).parents[2] / "docs/runbooks.md"
TOKEN = "00112233445566778899aabbccddeeff"
"""As `Fleet` gives it to workers."""
PATIENCE = 180.0
"""For a busy machine; an idle one takes seconds."""
_FENCED = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, list[str]]:
    """By heading, its commands of mixrelay without their comments."""
    found = {}
    for part in FILE.read_text().split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        lines = "".join(_FENCED.findall(body)).splitlines()
        found[heading] = [line.partition("  #")[0].strip() for line in lines if line.strip()]
    return found


class Runbook:
    """One part of the page; each of its commands is to be run at least once."""

    def __init__(self, heading: str, redis_url: str, **values: str) -> None:
        """Runs nothing.

        Args:
            heading: names the part.
            redis_url: MIXRELAY_REDIS_URL.
            values: for the words in capitals.
        """
        self.commands = sections()[heading]
        self.values = values
        self._left = set(self.commands)
        self._environment = environment(MIXRELAY_REDIS_URL=redis_url)

    def run(self, begins: str, *, expect: int | None = 0, **more: str) -> str:
        """Run the command that begins so; returns what it wrote.

        Args:
            begins: up to where no other command begins alike.
            expect: its exit code, None for any.
            more: variables.
        """
        [line] = [one for one in self.commands if one.startswith(begins)]
        self._left.discard(line)
        return self.ended(line, expect, more)

    def ended(self, line: str, expect: int | None, more: dict[str, str]) -> str:
        before, _, file = line.partition(" > ")
        words = [self._filled(word) for word in shlex.split(before)]
        done = finished(
            [COMMAND, *words[1:]],
            env=self._environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
            text=True,
        )
        assert expect in (None, done.returncode), f"{line}\n{done.stdout}\n{done.stderr}"
        if file:
            Path(self._filled(file)).write_text(done.stdout)
        return done.stdout

    def _filled(self, word: str) -> str:
        for name, value in self.values.items():
            word = re.sub(rf"\b{name}\b", value, word)
        return word

    def passes_over(self, *begins: str) -> None:
        """Commands that a supervisor runs, or that the test runs in another way."""
        self._left -= {line for line in self._left if line.startswith(begins)}

    def demand_all_run(self) -> None:
        assert not self._left, f"no test runs {self._left}"


class Traffic:
    """Good events and profile updates that are pushed all the time, each once."""

    def __init__(self, redis_url: str, *, token: str = TOKEN) -> None:
        """Begins with the `with` block.

        Args:
            redis_url: where to.
            token: that updates carry; without one there are none.
        """
        self.events = self.updates = 0
        self.event_name = "Fine"
        self._token = token
        self._redis: Redis = connect(redis_url)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def point_to(self, redis_url: str) -> None:
        """Pushes to another server from now on: what was pushed, was pushed."""
        with self._lock:
            self._redis = connect(redis_url)

    def stop(self) -> None:
        self._over.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            with self._lock:
                self._push()

    def _push(self) -> None:
        n = self.events
        some = [event(self.event_name, f"u{n}-{one}", n=n + one) for one in range(5)]
        if self._token:
            record = {"$token": self._token, "$distinct_id": "ann", "$set": {"n": self.updates}}
            some.append(json.dumps(["profile_update", json.dumps({"data": record})]).encode())
        try:
            self._redis.rpush("mixpanel_queue", *some)
        except Exception:  # noqa: BLE001 - a producer tries again: nothing of it was pushed
            return
        self.events += 5
        self.updates += bool(self._token)


def demand_balance(queue: Queue, mixpanel: Sandbox, traffic: Traffic) -> None:
    """Everything that was pushed has arrived once, in order, and the sums agree."""
    traffic.stop()
    assert traffic.events > 0
    wait_until(lambda: queue.books().waiting == 0, PATIENCE, "the backlog is drained")
    mine = [one for one in mixpanel.events if one["event"] == traffic.event_name]
    numbers = [one["properties"]["n"] for one in mine]
    assert sorted(numbers) == list(range(traffic.events))
    if traffic.updates:
        stands = mixpanel.profiles["ann"]["n"]
        assert stands == traffic.updates - 1, "the last update stands"
    assert queue.books().difference == 0
