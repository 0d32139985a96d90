"""Numbered messages of every type."""

from collections.abc import Iterator

from mixrelay.producer import Tracker
from mixrelay.shared.queue import Queue
from mixrelay.shared.tuples import write

TOKEN = "00112233445566778899aabbccddeeff"
AT_ONCE = 1_000


def mixed(count: int, *, start: int = 0) -> Iterator[bytes]:
    """Of ten messages seven are events, one an import, one a profile and one a group update.

    They are numbered on from `start`, in the field `n`.
    """
    made: list[bytes] = []
    tracker = Tracker(TOKEN, sink=lambda kind, message: made.append(write(kind, message)))
    for number in range(start, start + count):
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
