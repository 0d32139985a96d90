"""One cell of the matrix: a host, a state of Redis, and what became of its messages."""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from mixrelay.sandbox import Sandbox
from tests.chaos.hosts.drivers import Host
from tests.chaos.hosts.states import Place, State
from tests.chaos.ledger import number_of
from tests.support.fleet import Fleet, wait_until
from tests.support.patience import joined, slowness

LONGEST = 1.1
"""Seconds that a call may take."""
LONGEST_EXIT = 3.0
"""Seconds in which a process ends that has done its work: Python's own end, and no wait of ours."""
BUSY = 0.5
"""Seconds more where the machine has too much to do: a call waits for servers, which wait too."""
DONE_SECONDS = 90.0
EMPTY_SECONDS = 20.0
"""In which the spool is emptied after a state: a breaker lets a call try every 4 s at least."""
MESSAGES = 2
"""Of one piece of work."""


@dataclass(frozen=True, slots=True)
class Found:
    """A cell's numbers, as the table shows them."""

    host: str
    state: str
    tracked: int = 0
    kept: int = 0
    """Of which the application was told so: True, and no error handler that was called."""
    delivered: int = 0
    """To Mixpanel, each message counted once."""
    spooled: int = 0
    """Still in the spool, long after the state was over."""
    lost: int = 0
    """Kept, not delivered, and not in the spool either."""
    doubled: int = 0
    """Events that Mixpanel counts twice."""
    again: int = 0
    """Increments that arrived more than once: pushed, not answered, pushed again as told."""
    longest: float = 0.0
    """Seconds of the longest call, what its process did not run taken off."""
    behind: float = 0.0
    """Seconds that its process did not run during that call."""
    ended: float = 0.0
    """Seconds that a process took at most to end, where that is measured."""
    skipped: str = ""

    def note(self, request: pytest.FixtureRequest) -> None:
        """For the table that ends the run."""
        request.node.user_properties.append(("cell", asdict(self)))


class Cell:
    """Asks a host before, during and after a state of Redis; then audits."""

    def __init__(self, host: Host, place: Place, notes: Path, spool: Path) -> None:
        self._host, self._place, self._notes, self._spool = host, place, notes, spool
        self._numbers = count()
        self._asked: list[int] = []

    def run(self, state: State, pieces: int, seconds: float) -> None:
        self._host.start()
        self._ask_many(pieces)
        self._wait_until_done()
        end = state(self._place)
        try:
            self._ask_for(seconds)
        finally:
            end()
        self._ask_many(pieces)
        self._wait_until_done()
        self._empty_spool()
        self._host.end()

    def audit(self, name: str, state: str, mixpanel: Sandbox) -> Found:
        notes = self._read()
        kept = {(kind, note["n"]) for note in notes for kind in ("event", "$add") if note["kept"]}
        events = Counter(number_of(event) for event in mixpanel.events)
        updates = Counter(number_of(update) for update in mixpanel.updates)
        arrived = {("event", n) for n in events} | {("$add", n) for n in updates}
        spooled = self._spooled()
        calls = [call for note in notes for call in note["calls"]]
        took, behind = max(calls, key=lambda call: call[0] - call[1])
        return Found(
            host=name,
            state=state,
            tracked=MESSAGES * len(notes),
            kept=len(kept),
            delivered=len(arrived),
            spooled=len(spooled - arrived),
            lost=len(kept - arrived - spooled),
            doubled=events.total() - len(events),
            again=updates.total() - len(updates),
            longest=took - behind,
            behind=behind,
            ended=max(self._host.exits, default=0.0),
        )

    def _ask_many(self, pieces: int) -> None:
        last = len(self._asked) + pieces
        self._ask_while(lambda: len(self._asked) < last)

    def _ask_for(self, seconds: float) -> None:
        over = time.monotonic() + seconds
        self._ask_while(lambda: time.monotonic() < over)

    def _ask_while(self, goes_on: Any) -> None:
        errors: list[BaseException] = []

        def ask() -> None:
            try:
                while goes_on() and not errors:
                    n = next(self._numbers)
                    self._asked.append(n)
                    self._host.ask(n)
                    time.sleep(self._host.pause)
            except BaseException as error:  # noqa: BLE001 - raised in the test's thread
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(self._host.clients)]
        for thread in threads:
            thread.start()
        joined(*threads, seconds=DONE_SECONDS)
        if errors:
            raise errors[0]

    def _wait_until_done(self) -> None:
        self._host.flush()
        wait_until(self._is_done, DONE_SECONDS, f"all pieces\n{self._host.tail()}")

    def _is_done(self) -> bool:
        self._host.check()
        return len(self._read()) >= len(self._asked)

    def _read(self) -> list[dict[str, Any]]:
        if not self._notes.exists():
            return []
        return [orjson.loads(line) for line in self._notes.read_bytes().splitlines()]

    def _empty_spool(self) -> None:
        """Gives some work until all is pushed, since it is calls that push; or for long enough."""
        over = time.monotonic() + EMPTY_SECONDS
        while self._spooled() and time.monotonic() < over:
            self._ask_many(3)
            self._wait_until_done()

    def _spooled(self) -> set[tuple[str, int]]:
        """What the files hold that producers are to push."""
        found = set()
        for file in self._spool.rglob("*.jsonl"):
            with suppress(FileNotFoundError):  # all of it is in
                for line in file.read_bytes().splitlines():
                    record = orjson.loads(orjson.loads(line)[1])["data"]
                    found.add(("event" if "event" in record else "$add", number_of(record)))
        return found


def deliver(place: Place, mixpanel: Sandbox, folder: Path) -> None:
    """A worker, until nothing waits."""
    fleet = Fleet(place.primary.url, mixpanel.url, folder)
    try:
        [worker] = fleet.start(1, "--burst")
        assert worker.exit_code(DONE_SECONDS) == 0, worker.tail()
    finally:
        fleet.close()
        fleet.queue.redis.close()


def check(found: Found) -> None:
    busy = BUSY if slowness() > 2 else 0.0
    assert found.lost == 0, found
    assert found.spooled == 0, found
    assert found.kept == found.tracked, found
    assert found.doubled == 0, found
    assert found.longest < LONGEST + busy, found
    assert found.ended < LONGEST_EXIT * slowness(), found
