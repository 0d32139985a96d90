"""Looks again and again, and has each alert told once: when it begins, and when it is over."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from redis.exceptions import RedisError

from mixrelay.console import terminal
from mixrelay.console.alerting.findings import Finding, findings, redis_is_away
from mixrelay.console.alerting.telling import Notice, Tell, TellingFailed
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import explain_redis
from mixrelay.console.status.figures import Figures
from mixrelay.shared.queue import Queue, new_id

_TWICE = 2


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
    _away_turns: int = 0
    _away_since: datetime | None = None
    _told_away: Finding | None = None

    def turn(self) -> list[Finding]:
        """Looks once, and tells what is to be told; returns what was found.

        Raises:
            redis.RedisError: Redis refuses, which nothing but an operator changes.
        """
        try:
            found = list(findings(self.look(), self.oldest))
            self._reconcile(found)
        except RedisError as error:
            return [self._is_away(error)]
        self._is_back()
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

    def _is_away(self, error: RedisError) -> Finding:
        """Told by each watcher for itself: where they would agree on it is away."""
        failure = explain_redis(error, self.url).failure
        if failure.code is not ExitCode.UNREACHABLE:
            raise error
        self._away_turns += 1
        self._away_since = self._away_since or datetime.now(UTC)
        finding = redis_is_away(failure.what)
        if self._away_turns >= _TWICE and self._told_away is None:
            self._tell_away(finding, is_over=False)
        return finding

    def _is_back(self) -> None:
        if self._told_away:
            self._tell_away(self._told_away, is_over=True)
        if self._told_away is None:
            self._away_turns, self._away_since = 0, None

    def _tell_away(self, finding: Finding, *, is_over: bool) -> None:
        try:
            self._tell(finding, self._away_since or datetime.now(UTC), is_over=is_over)
        except TellingFailed as failed:
            terminal.warn(f"{failed} It is tried again.")
        else:
            self._told_away = None if is_over else finding
