"""Looks again and again, and has each alert told once: when it begins, and when it is over."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from redis.exceptions import RedisError

from mixrelay.console import terminal
from mixrelay.console.alerting.findings import REDIS, Finding, findings, redis_is_away
from mixrelay.console.alerting.telling import Notice, Tell, TellingFailed
from mixrelay.console.failures import explain_redis
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.writes import WRITES_REFUSED
from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import Queue, new_id

_TWICE = 2
_ALONE = frozenset({REDIS, WRITES_REFUSED})
"""Alerts of which Redis may not be able to note that they were notified of."""


@dataclass(slots=True)
class Watcher:
    """One process that watches a queue. What was told is kept in Redis, for all of them."""

    queue: Queue
    look: Callable[[], Figures]
    tell: Tell
    oldest: float
    """Seconds; see `findings`."""
    url: str
    """Redis's address, for messages."""
    is_patient: bool = True
    """Whether what is found must be found again before it is told: a deploy is no alarm."""
    id: str = field(default_factory=new_id)
    _seen: frozenset[str] = frozenset()
    _here: "dict[str, _Here]" = field(default_factory=dict)
    """What this watcher notifies of by itself, by name."""

    def turn(self) -> list[Finding]:
        """Looks once, and notifies of what is new or over; returns what was found.

        A Redis that is away or refuses is one of the findings: nothing ends the watching.
        """
        found: list[Finding] = []
        try:
            found = list(findings(self.look(), self.oldest))
            self._reconcile([one for one in found if one.alert not in _ALONE])
        except WrongKeyType as error:
            found.append(redis_is_away(str(error)))
        except RedisError as error:
            # What the figures say of the refusal already is not said twice.
            if not any(one.alert in _ALONE for one in found):
                found.append(redis_is_away(explain_redis(error, self.url).failure.what))
        self._watch_alone([one for one in found if one.alert in _ALONE])
        return found

    def _reconcile(self, found: list[Finding]) -> None:
        names = frozenset(one.name for one in found)
        steady = names & self._seen if self.is_patient else names
        self._seen = names
        try:
            for one in found:
                if one.name in steady:
                    self._begin(one)
            for name in self.queue.alerts.names():
                if name not in names:
                    self._end(name)
        except TellingFailed as failed:
            # The others would fail too, and each take its time: at the next turn, then.
            terminal.warn(f"{failed} It is tried again.")

    def _begin(self, finding: Finding) -> None:
        firing = self.queue.alerts.begin(finding.name, self.id, json.dumps(asdict(finding)))
        if firing:
            self._tell(finding, firing.since, is_over=False)
            self.queue.alerts.told(finding.name, self.id)

    def _end(self, name: str) -> None:
        firing = self.queue.alerts.end(name, self.id)
        if firing:
            self._tell(Finding(**json.loads(firing.text)), firing.since, is_over=True)
            self.queue.alerts.told(name, self.id)

    def _tell(self, finding: Finding, since: datetime, *, is_over: bool) -> None:
        notice: Notice = finding.notice(queue=self.queue.name, since=since, is_over=is_over)
        self.tell(notice)
        terminal.say(f"{notice['event']}: {finding.name}: {finding.summary}")

    def _watch_alone(self, found: list[Finding]) -> None:
        """Each watcher notifies of these by itself: the place where they would agree is away."""
        names = {one.name for one in found}
        for one in found:
            here = self._here.setdefault(one.name, _Here(one))
            here.turns += 1
            if not here.is_told and (here.turns >= _TWICE or not self.is_patient):
                here.is_told = self._tell_alone(here, is_over=False)
        for name, here in list(self._here.items()):
            if name in names:
                continue
            if not here.is_told or self._tell_alone(here, is_over=True):
                del self._here[name]

    def _tell_alone(self, here: "_Here", *, is_over: bool) -> bool:
        try:
            self._tell(here.finding, here.since, is_over=is_over)
        except TellingFailed as failed:
            terminal.warn(f"{failed} It is tried again.")
            return False
        return True


@dataclass(slots=True)
class _Here:
    """What one watcher found by itself, and whether it notified of it."""

    finding: Finding
    turns: int = 0
    is_told: bool = False
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
