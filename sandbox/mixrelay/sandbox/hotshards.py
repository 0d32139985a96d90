"""Hot shards: too many events of one identifier on one date (Mixpanel: Hot Shard Limits).

"Once a given entry crosses the threshold, all subsequent matching events" are renamed and lose
their user; those before stay as they are, and duplicates count too. The counts are of event dates
in UTC, as those of a project in that time zone are.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

NAME = "$hotshard_events"


class DailyCounts:
    """Events of each identifier on each date; the least used are forgotten if there are many.

    Args:
        keep: identifiers counted at least; None counts all.
    """

    def __init__(self, keep: int | None) -> None:
        self._keep = keep
        self._counts: dict[Hashable, int] = {}
        self._older: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._counts) + len(self._older)

    def add(self, key: Hashable) -> int:
        """Count an event of an identifier on a date, and return how many there are."""
        count = self._counts.get(key)
        if count is None:
            if self._keep is not None and len(self._counts) >= self._keep:
                self._older, self._counts = self._counts, {}
            count = self._older.pop(key, 0)
        self._counts[key] = count + 1
        return count + 1


def renamed(event: dict[str, Any], identifier: Any, field: str) -> dict[str, Any]:
    """Return a copy of an event as it is stored above the limit."""
    properties = {
        **event["properties"],
        field: "",
        "mp_original_event_name": event["event"],
        "mp_original_distinct_id": identifier,
    }
    return {**event, "event": NAME, "properties": properties}
