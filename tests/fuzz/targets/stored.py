"""What the queue keeps in Redis about a message, read back: letters, members, books."""

from __future__ import annotations

import json

from mixrelay.shared.queue import Books, Lane, Letter, Member
from mixrelay.shared.queue.stats.snapshot import TOTALS
from tests.fuzz.source import Source

_MS = 1_795_520_500_000


def stored(data: bytes) -> None:
    """What was put around a tuple comes off again, whatever bytes the tuple is."""
    source = Source(data)
    source.pick([_letter, _member, _books])(source)


def _letter(source: Source) -> None:
    texts = {name: _utf8(source) for name in ("type", "lane", "reason", "error", "field")}
    counts = {name: source.below(1_000) for name in ("status", "attempts", "replays")}
    times = {name: _MS + source.below(60_000) for name in ("first_seen", "dead_since")}
    deaths = [
        {"reason": _utf8(source), "status": 0, "error": _utf8(source), "at": 0, "replayed_at": _MS}
        for _ in range(source.below(3))
    ]
    meta = {"id": "0-1", **texts, **counts, **times} | ({"deaths": deaths} if deaths else {})
    payload = source.rest()
    # As Redis's cjson does, which escapes "/" and leaves the rest of UTF-8 as it is.
    text = json.dumps(meta, ensure_ascii=source.flag()).replace("/", "\\/")
    letter = Letter.parse(text.encode() + b"\n" + payload)
    assert letter.payload == payload
    assert {name: getattr(letter, name) for name in texts | counts} == texts | counts
    assert round(letter.dead_since.timestamp() * 1_000) == times["dead_since"]
    assert [death.error for death in letter.deaths] == [death["error"] for death in deaths]


def _member(source: Source) -> None:
    received, replays = _MS + source.below(60_000), source.below(300)
    payload = source.rest()
    member = Member.parse(b"0-%d.%d %d %d %s" % (1, 2, received, replays, payload))
    assert member == ("0-1.2", received, replays, payload)


def _books(source: Source) -> None:
    counts = {lane: source.below(60_000) for lane in Lane}
    pause = {"until": str(_MS + source.below(60_000)), "lane": "event", "reason": _utf8(source)}
    groups = {f"invalid|{source.below(600)}|event": source.below(60_000)}
    shown = {
        "now": _MS,
        "queued": source.below(60_000),
        "batches": 1,
        "dead": 0,
        "minutes": {},
        "lanes": counts,
        "leased": {},
        "parked": counts,
        "dead_by": groups,
        "totals": {name: source.below(9) for name in TOTALS},
        "pauses": {"track:1": pause},
        "paces": {"track:1": source.below(9)},
        "held": {"event": json.dumps({"who": "ann", "why": _utf8(source), "since": _MS})},
    }
    head = source.rest()
    books = Books.parse([json.dumps(shown).encode(), head])
    assert books.waiting == books.queued + 2 * sum(counts.values())
    assert books.head == head
    assert all(one.seconds >= 0 for one in books.paused)
    placed = books.totals["delivered"] + books.totals["discarded"] + 2 * sum(counts.values())
    assert books.difference == books.totals["received"] - placed


def _utf8(source: Source) -> str:
    return source.text().encode("utf-8", "replace").decode()
