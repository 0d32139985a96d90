"""Threads that track numbered messages, as the requests of a web application do."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

from mixrelay.producer import Tracker
from tests.support.fleet import wait_until
from tests.support.patience import joined

PROFILES = 40
"""Of each thread: none is another's, so that the order of its updates is known."""


class Producers:
    """Threads that share a tracker; every third message is an update of a profile."""

    def __init__(
        self,
        tracker: Tracker[Any],
        *,
        threads: int,
        each: int,
        start: int = 0,
        pause: float = 0.0,
    ) -> None:
        """Tracks within the block, whose end waits for the last message.

        Args:
            tracker: with its defaults it answers True for what is in the queue or the spool.
            threads: how many.
            each: messages of each.
            start: the first number.
            pause: seconds between two messages of a thread.
        """
        self.count = threads * each
        self.kept: set[int] = set()
        """The numbers of the messages of which the tracker said that they are safe."""
        self._tracker = tracker
        self._pause = pause
        self._errors: list[BaseException] = []
        firsts = range(start, start + threads * each, each)
        self._threads = [
            threading.Thread(target=self._run, args=(f"thread-{n}", range(first, first + each)))
            for n, first in enumerate(firsts)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            joined(thread)
        if self._errors:
            raise self._errors[0]

    @property
    def is_busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _run(self, name: str, numbers: range) -> None:
        try:
            for number in numbers:
                profile = f"{name}-{number % PROFILES}"
                if number % 3:
                    kept = self._tracker.track(profile, "Tracked", {"n": number})
                else:
                    kept = self._tracker.people.set(profile, {"n": number})
                if kept:
                    self.kept.add(number)
                time.sleep(self._pause)
        except BaseException as error:  # noqa: BLE001 - raised again by the test's own thread
            self._errors.append(error)


def empty_spool(tracker: Tracker[Any], seconds: float) -> None:
    """Waits for what the spool holds; further calls move it, as they do in an application."""

    def is_empty() -> bool:
        tracker.track("nobody", "Again")
        counters = tracker.counters
        return counters.spooled == counters.drained

    wait_until(is_empty, seconds, "a spool that is empty again")


def inversions(updates: Sequence[dict[str, Any]]) -> Counter[str]:
    """By profile, updates that came for the first time after a newer one had come."""
    newest: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    found: Counter[str] = Counter()
    for update in updates:
        profile, number = update["$distinct_id"], update["$set"]["n"]
        if (profile, number) not in seen and number < newest.get(profile, -1):
            found[profile] += 1
        seen.add((profile, number))
        newest[profile] = max(number, newest.get(profile, -1))
    return found
