"""Numbered messages of every type at a steady rate, as a web server makes them."""

import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mixrelay.producer import Tracker

A_REQUEST = 10
"""Messages of one request, which are pushed together at its end."""


@dataclass(slots=True)
class Traffic:
    """One tracker in a thread, at a steady rate; its updates are numbered in order."""

    tracker: Tracker
    rate: float = 300.0
    """Messages a second."""
    count: int = 0
    sent_at: "array[float]" = field(default_factory=lambda: array("d"))
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, name="traffic")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(60)

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.is_set():
            ahead = self.count / self.rate - (time.monotonic() - began)
            if ahead > 0:
                self._over.wait(ahead)
            else:
                self.request()

    def request(self) -> None:
        with self.tracker.batch():
            for _ in range(A_REQUEST):
                self._track()

    def _track(self) -> None:
        number, user = self.count, f"user-{self.count % 997}"
        self.sent_at.append(time.time())
        self.count += 1
        match number % 10:
            case 0:
                self.tracker.import_event(user, "Imported", {"n": number, "time": 1_600_000_000})
            case 1 | 2:
                self.tracker.people.set(user, {"n": number})
            case 3:
                company = f"company-{number % 97}"
                self.tracker.groups.set("Company", company, {"n": number})
            case _:
                self.tracker.track(user, "Tracked", {"n": number})
