"""Numbered messages of every type, and the audit of what became of them."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Queue
from mixrelay.shared.tuples import write

TOKEN = "00112233445566778899aabbccddeeff"
AT_ONCE = 1_000


def mixed(count: int) -> Iterator[bytes]:
    """Of ten messages seven are events, one an import, one a profile and one a group update."""
    made: list[bytes] = []
    tracker = Tracker(TOKEN, sink=lambda kind, message: made.append(write(kind, message)))
    for number in range(count):
        user = f"user-{number % 997}"
        match number % 10:
            case 0:
                tracker.import_event(user, "Imported", {"n": number, "time": 1_600_000_000})
            case 1:
                tracker.people.set(user, {"n": number})
            case 2:
                tracker.groups.set("Company", f"company-{number % 97}", {"n": number})
            case _:
                tracker.track(user, "Tracked", {"n": number})
        yield from made
        made.clear()


def push(queue: Queue, tuples: Iterator[bytes]) -> int:
    pushed, chunk = 0, []
    for payload in tuples:
        chunk.append(payload)
        if len(chunk) == AT_ONCE:
            queue.push(chunk)
            pushed += len(chunk)
            chunk.clear()
    if chunk:
        queue.push(chunk)
    return pushed + len(chunk)


def numbers_arrived(mixpanel: Sandbox) -> tuple[Counter[int], Counter[int]]:
    """How often each number arrived: as an event once folded by its key, and as an update."""
    events = Counter(event["properties"]["n"] for event in mixpanel.events)
    updates = Counter(update["$set"]["n"] for update in mixpanel.updates)
    return events, updates


def audit(queue: Queue, mixpanel: Sandbox, count: int) -> dict[str, Any]:
    """Asserts that nothing is lost and the books balance; tells the rest."""
    books = queue.books()
    events, updates = numbers_arrived(mixpanel)
    arrived = events.keys() | updates.keys()
    lost = set(range(count)) - arrived
    assert not lost, f"{len(lost)} lost, such as {sorted(lost)[:10]}; {books}"
    assert max(events.values()) == 1, "an event counted twice: its key did not fold it"
    assert books.difference == 0, books
    assert books.dead == 0, books
    assert books.totals["delivered"] == count, books
    return {
        "messages": count,
        "events folded by their key": len(mixpanel.duplicates),
        "updates sent again": sum(updates.values()) - len(updates),
        "redelivered": books.totals["redelivered"],
    }
