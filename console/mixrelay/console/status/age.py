"""How old the oldest message is that is neither delivered nor dead."""

from mixrelay.shared.queue import Books
from mixrelay.shared.tuples import Kind, MalformedTupleError, read

_MILLISECONDS_FROM = 1e11
"""A number this large is a time in milliseconds: in seconds it would be the year 5138."""


def oldest_seconds(books: Books) -> float | None:
    """Seconds since the oldest message came; None where none waits, or nothing tells.

    A message that was routed carries its time of receipt. One that still lies in the list does
    not: it is not older than the moment the list was last seen empty, and hardly older than the
    time it carries itself.
    """
    ages = [_age(books, books.oldest_ms), _unrouted(books)]
    known = [age for age in ages if age is not None]
    return round(max(known), 3) if known else None


def ready_seconds(books: Books) -> float | None:
    """The same of messages that could be sent now: what an outage or a pause holds is none."""
    ages = [_age(books, books.ready_ms), _unrouted(books)]
    known = [age for age in ages if age is not None]
    return round(max(known), 3) if known else None


def _unrouted(books: Books) -> float | None:
    if not books.queued:
        return None
    ages = [_age(books, books.empty_at_ms), _age(books, _own_time_ms(books.head or b""))]
    return min((age for age in ages if age is not None), default=None)


def _age(books: Books, at_ms: float | None) -> float | None:
    return None if at_ms is None else max(0.0, (books.now_ms - at_ms) / 1000)


def _own_time_ms(payload: bytes) -> float | None:
    """The time that a message carries; None for an import, whose time is that of long ago."""
    try:
        message = read(payload)
        if message.kind is Kind.IMPORT:
            return None
        record = message.records()[0][0]
    except MalformedTupleError:
        return None
    if not isinstance(record, dict):
        return None
    properties = record.get("properties")
    times = (record.get("$time"), properties.get("time") if isinstance(properties, dict) else None)
    written = next((time for time in times if isinstance(time, int | float)), None)
    if written is None:
        return None
    return written if abs(written) >= _MILLISECONDS_FROM else written * 1000
