"""Numbers every message, watches the books while it is attacked, and audits the end."""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import orjson
from redis.exceptions import RedisError

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Books, Letter, LetterFilter, Queue
from tests.support.traffic import mixed, push

OPERATIONS = ("$set", "$set_once", "$append", "$union", "$add")
LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Findings:
    """What an attack did, as the table of `make chaos` prints it."""

    messages: int
    lost: int
    """Neither delivered nor waiting nor a dead letter."""
    doubled: int
    """Events that Mixpanel would count twice: sent again under another key."""
    resent: int
    """Updates that arrived more than once, which `on_ambiguous` is about."""
    books: int
    """The largest difference that was read, at any time."""
    stall: float
    """Seconds: the longest time in which something waited and nothing was delivered or buried."""
    dead: int
    redelivered: int


def number_of(record: dict[str, Any]) -> int | None:
    """The number that `mixed` gave a record, an event's or an update's."""
    places = [record.get("properties"), *(record.get(name) for name in OPERATIONS)]
    for place in places:
        if isinstance(place, dict) and isinstance(place.get("n"), int):
            return int(place["n"])
    return None


def number_of_letter(letter: Letter) -> int | None:
    message = orjson.loads(orjson.loads(letter.payload)[1])
    return number_of(message.get("data", message))


class Ledger:
    """The numbered messages of one queue and what becomes of them."""

    def __init__(self, queue: Queue, mixpanel: Sandbox, url: str = "") -> None:
        """Takes the address where the queue's client does not tell it: of a cluster."""
        self.queue = queue
        self.mixpanel = mixpanel
        self.count = 0
        self._watch = Watch(queue, url or url_of(queue.redis.connection_pool.connection_kwargs))

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.stop()

    def push(self, count: int) -> None:
        """More messages of every type, numbered on from the last."""
        push(self.queue, mixed(count, start=self.count))
        self.count += count

    def note(self, count: int) -> None:
        """More messages that the test pushed itself, numbered on from the last."""
        self.count += count

    def findings(self) -> Findings:
        """Audits what is there now; asserts nothing, `check` does."""
        books = self.queue.books()
        events = Counter(map(number_of, self.mixpanel.events))
        updates = Counter(map(number_of, self.mixpanel.updates))
        del events[None], updates[None]  # what has no number is not in this ledger
        letters = set(map(number_of_letter, self.queue.letters.find(LetterFilter())))
        waiting = books.waiting
        missing = set(range(self.count)) - events.keys() - updates.keys() - letters
        return Findings(
            messages=self.count,
            lost=max(len(missing) - waiting, 0),
            doubled=sum(events.values()) - len(events),
            resent=sum(updates.values()) - len(updates),
            books=max(self._watch.difference, abs(books.difference)),
            stall=self._watch.stall,
            dead=books.dead,
            redelivered=books.totals["redelivered"],
        )

    def check(self, *, dead: int = 0) -> Findings:
        """Asserts that nothing is lost or doubled and that the books balanced all the time."""
        found = self.findings()
        assert found.lost == 0, found
        assert found.doubled == 0, found
        assert found.books == 0, found
        assert found.dead == dead, found
        return found


class Watch:
    """Reads the books all the time, on a connection of its own."""

    def __init__(self, queue: Queue, url: str) -> None:
        self._queue = Queue(connect(url), queue.name)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch of the books")
        self.difference = 0
        self.stall = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(30)
        self._queue.redis.close()

    def _run(self) -> None:
        through, since = -1, time.monotonic()
        while not self._over.wait(LOOK_EVERY):
            with suppress(RedisError):  # the attack may have taken Redis away
                self._queue.refresh()
                books = self._queue.books()
                self.difference = max(self.difference, abs(books.difference))
                now = time.monotonic()
                if through != _through(books) or not books.waiting:
                    through, since = _through(books), now
                self.stall = max(self.stall, now - since)


def _through(books: Books) -> int:
    return books.totals["delivered"] + books.totals["dead"]


def url_of(options: dict[str, Any]) -> str:
    if "path" in options:
        return f"unix://{options['path']}"
    return f"redis://{options['host']}:{options['port']}/{options.get('db') or 0}"
