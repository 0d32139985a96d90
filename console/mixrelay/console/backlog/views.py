"""Messages that wait, for eyes and as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from mixrelay.console.backlog.shares import Shares
from mixrelay.console.masking import readable
from mixrelay.console.tables import plain_table
from mixrelay.console.text import cut, iso_ms
from mixrelay.shared.queue.messages.backlog import Waiting, Where

_WHOLE = 262_144
"""Bytes up to which a message is shown parsed; of a longer one its size."""
_LEAST = 24
_LINE = 160


def message_of(one: Waiting) -> Any:
    """The tuple without its secrets; of a very long one only what it is."""
    if len(one.payload) > _WHOLE:
        return f"({len(one.payload):,} bytes, not shown)"
    return readable(one.payload)


def line(one: Waiting) -> str:
    """One line of a sample."""
    return f"{one.number or '-'} {cut(json.dumps(message_of(one), ensure_ascii=False), _LINE)}"


def as_json(one: Waiting) -> dict[str, Any]:
    store = one.store
    return {
        "in": str(store.where),
        "lane": str(store.lane) if store.lane else None,
        "partition": store.partition,
        "id": one.number or None,
        "received": iso_ms(one.received_ms) if one.received_ms is not None else None,
        "replays": one.replays,
        "batch": store.batch or None,
        "error": store.error or None,
        "bytes": len(one.payload),
        "message": message_of(one),
    }


def table(found: Sequence[Waiting], width: int) -> Table:
    shown = plain_table("id", "in", "lane", "received", "message")
    room = max(_LEAST, width - 62)
    for one in found:
        message = message_of(one)
        text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        shown.add_row(
            Text(one.number or "-"),
            _place(one),
            str(one.store.lane or "-"),
            iso_ms(one.received_ms) if one.received_ms is not None else "-",
            Text(cut(text, room)),
        )
    return shown


def _place(one: Waiting) -> str:
    return "retry" if one.store.where is Where.SCHEDULED else str(one.store.where)


def shares_table(found: Shares, by: str, limit: int, width: int) -> Table:
    shown = plain_table(by, ">messages", ">share")
    shares = found.of(by)
    about = "~" if found.is_sample else ""
    for one in shares[:limit]:
        margin = f" ±{one.margin:.1%}" if found.is_sample else ""
        share = f"{one.part:.1%}{margin}"
        name = Text(cut(one.name, max(_LEAST, width - 32)))
        shown.add_row(name, f"{about}{one.messages:,}", share)
    if len(shares) > limit:
        rest = sum(one.messages for one in shares[limit:])
        shown.add_row(f"({len(shares) - limit:,} others)", f"{about}{rest:,}", "")
    return shown
