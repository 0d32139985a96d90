"""How values stand on a page: the templates' filters."""

from datetime import UTC, datetime
from typing import Any

import orjson

from mixrelay.console.dlq import outcomes
from mixrelay.console.status.unasked import percent, shard_kind
from mixrelay.console.text import count, cut, duration, safe


def grouped(number: float) -> str:
    """`1,234,567`."""
    return f"{number:,.0f}"


def rate(number: float) -> str:
    """A rate with a digit behind the point where it is small."""
    return f"{number:,.1f}" if 0 < number < 10 else f"{number:,.0f}"  # noqa: PLR2004 - one digit


def moment(ms: float) -> str:
    """Milliseconds since the epoch as `2026-11-24 17:03:05` in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso_moment(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def pretty(value: Any) -> str:
    """JSON with two spaces a level."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


FILTERS = {
    "grouped": grouped,
    "rate": rate,
    "moment": moment,
    "iso_moment": iso_moment,
    "percent": percent,
    "shard_kind": shard_kind,
    "pretty": pretty,
    "duration": duration,
    "counted": count,
    "cut": cut,
    "safe_text": safe,
    "outcome": outcomes.words,
}
