"""The figures of a queue at one instant, and what about them needs attention."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mixrelay.console.health.judging import Health, judge
from mixrelay.console.health.limits import Limits
from mixrelay.console.health.written import health_as_json
from mixrelay.console.status.clock import clock_as_json
from mixrelay.console.status.seen import QueueSeen
from mixrelay.console.status.tokens import tokens_as_json
from mixrelay.console.status.unasked import IGNORED, UNCONFIRMED, hot_as_json, notices_as_json
from mixrelay.shared.queue import TOTALS


@dataclass(frozen=True, slots=True)
class Figures(QueueSeen):
    """What `status` shows."""

    def health(self, limits: Limits | None = None) -> Health:
        """What is wrong now: the same for `status`, the page, alerts and metrics."""
        return judge(self, limits)

    def remarks(self) -> list[str]:
        """What an operator should know although nothing is held back or lost."""
        return list(map(str, self.health().notes))

    def warnings(self) -> list[str]:
        """The problems: messages fail, are held back, or may be lost."""
        return list(map(str, self.health().urgent))

    @property
    def is_bad(self) -> bool:
        """Whether somebody should be woken, rather than look in the morning."""
        return self.health().is_bad

    def as_json(self) -> dict[str, Any]:
        """The object of `mixrelay status --json` (a contract)."""
        books = self.books
        return {
            "queued": books.queued,
            "lanes": dict(books.lanes),
            "in_flight": books.in_flight,
            "dead": books.dead,
            "paused": [
                {
                    "destination": pause.destination,
                    "lane": pause.lane,
                    "reason": pause.reason,
                    "seconds": pause.seconds,
                }
                for pause in books.paused
            ],
            "oldest_seconds": self.oldest_seconds,
            "workers": None if self.workers is None else len(self.workers),
            "suspended": self.rq.suspended,
            "totals": totals(books.totals),
            "tokens": tokens_as_json(books),
            "notices": notices_as_json(books),
            "hot": hot_as_json(books),
            "clock": clock_as_json(books, self.redis_ahead),
            "persistent": self.persistent,
            "health": health_as_json(self.health()),
            "writes_refused": sorted({one.cause for one in self.refused_writes.values()}),
        }


def totals(counters: Mapping[str, int]) -> dict[str, int]:
    """The counters that the contract names, and no finer ones."""
    return {name: counters.get(name, 0) for name in (*TOTALS, IGNORED, UNCONFIRMED)}
