"""The answer reader, and what an answer means for a batch."""

from __future__ import annotations

import json
from typing import Any

from mixrelay.shared.mixpanel.answers import MAX_RETRY_AFTER_SECONDS, retry_after
from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.worker.deliver.verdicts import Delivered, Partial, Retry, Unauthorized, judge
from tests.fuzz.checks import is_line
from tests.fuzz.source import Source

NOW = 1_795_520_500.0
STATUSES = (200, 200, 200, 400, 204, 301, 307, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504)
WORDS = ("", "7", "Wed, 21 Oct 2026 07:28:00 GMT", "-1", "https://elsewhere.example/\n")
_ENTRIES = ("index", "insert_id", "field", "message")


def answer(source: Source) -> Answer | Failure:
    """Return what an exchange may bring, sensible or not."""
    if source.below(16) == 1:
        sent = source.flag()
        return Failure(source.pick(list(FailureKind)), sent, "said so")
    status = source.pick(STATUSES) if source.flag() else 100 + source.below(900)
    headers = {"retry-after": source.pick(WORDS), "location": source.pick(WORDS)}
    return Answer(status, headers if source.flag() else {}, body(source))


def body(source: Source) -> bytes:
    """Return an answer's body: Mixpanel's, nearly so, or anything."""
    kind = source.below(6)
    if kind == 0:
        return b'{"status":1,"error":null}'
    if kind == 1:
        return source.pick([b"1", b"0", b"", b"<html>", b"null", b"true", b"1.0", b'"1"'])
    if kind == 2:
        return source.chunk(256)
    shown: dict[str, Any] = {}
    if source.flag():
        shown["status"] = source.pick([0, 1, "OK", None, True, 1.0])
    if source.flag():
        shown["code"] = source.pick([200, 400, 401, "200", None])
    if source.flag():
        shown["error"] = source.json(2)
    shown["failed_records"] = failed(source) if kind < 5 else source.json()
    return json.dumps(shown).encode()


def failed(source: Source) -> list[Any]:
    """Return refused records, of any form."""
    return [_entry(source) for _ in range(source.below(6))]


def _entry(source: Source) -> Any:
    if source.below(8) == 1:
        return source.json(2)
    entry: dict[str, Any] = {name: source.json(1) for name in _ENTRIES if source.flag()}
    if source.flag():
        entry["index"] = source.below(8) if source.flag() else source.number()
    return entry


def named(exchange: Answer | Failure, count: int) -> set[int] | None:
    """Return the indexes that an answer names; None where it names none, or what cannot be.

    The same question as the reader's, asked of another parser in other words.
    """
    if isinstance(exchange, Failure):
        return None
    try:
        shown = json.loads(exchange.body.decode(), parse_constant=_no_constant)
    except ValueError:
        return None
    listed = shown.get("failed_records") if isinstance(shown, dict) else None
    if not isinstance(listed, list) or not listed:
        return None
    indexes: set[int] = set()
    for entry in listed:
        index = entry.get("index") if isinstance(entry, dict) else None
        if isinstance(index, bool) or index not in range(count):
            return None
        indexes.add(int(index))
    return indexes


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def answers(data: bytes) -> None:
    """Delivered is what Mixpanel says it took, whole and at 200; what it names is never so."""
    source = Source(data)
    count, own = 1 + source.below(8), source.flag()
    exchange = answer(source)
    verdict = judge(exchange, count=count, own=own, now=NOW)
    _is_fit_to_be_said(verdict)
    if isinstance(exchange, Failure):
        assert not isinstance(verdict, Delivered | Partial)
        return
    indexes = named(exchange, count)
    if indexes is not None and b"\\ud" not in exchange.body:
        assert isinstance(verdict, Partial)
        assert set(verdict.failed) == indexes
    if isinstance(verdict, Partial):
        assert verdict.failed.keys() <= set(range(count))
    if isinstance(verdict, Delivered):
        _says_that_all_was_taken(exchange)
    assert not (isinstance(verdict, Unauthorized) and own)


def _is_fit_to_be_said(verdict: Any) -> None:
    if isinstance(verdict, Partial):
        for record in verdict.failed.values():
            is_line(record.field)
            is_line(record.message)
    elif not isinstance(verdict, Delivered):
        is_line(verdict.said)
    if isinstance(verdict, Retry) and verdict.retry_after is not None:
        assert 0 <= verdict.retry_after <= MAX_RETRY_AFTER_SECONDS


def _says_that_all_was_taken(exchange: Answer) -> None:
    assert exchange.status == 200
    shown = json.loads(exchange.body)
    if isinstance(shown, dict):
        assert not shown.get("failed_records")
        assert shown.get("status") == 1 or shown.get("code") == 200
    else:
        assert shown == 1


def waits(data: bytes) -> None:
    """A ``Retry-After`` is seconds within bounds, or no wish at all."""
    value = data.decode("latin-1")
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_SECONDS
    assert retry_after(f" {value} ", NOW) == seconds
    if value.isdigit() and value.isascii() and len(value) <= 30:
        assert seconds == min(float(value), MAX_RETRY_AFTER_SECONDS)
