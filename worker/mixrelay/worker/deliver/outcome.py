"""What a verdict does to a batch: one settlement, or a division and another round."""

import logging
import random
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from typing import Any

from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import (
    Dead,
    Division,
    KeepCopy,
    Park,
    Part,
    Pause,
    PauseKind,
    Request,
    Settlement,
)
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.counting.hot_shards import ShardCounts
from mixrelay.worker.counting.notices import (
    by_project_secret,
    counted,
    log_ignored,
    log_unconfirmed,
    unconfirmed,
)
from mixrelay.worker.deliver.contents import Sorted
from mixrelay.worker.deliver.verdicts import (
    Delivered,
    Misconfigured,
    Partial,
    Retry,
    Short,
    Split,
    TokenRefused,
    TooLarge,
    Unauthorized,
    Verdict,
)
from mixrelay.worker.deliver.writer import Ledger
from mixrelay.worker.opted_out import log_opted_out
from mixrelay.worker.tokens.proofs import REFUSED_MS

log = logging.getLogger(__name__)

_JITTER = (0.5, 2.5)
"""Of the backoff's base: 1 to 5 s where that is 2 s (Mixpanel: 429 Rate Limit Exceeded)."""


_SHORT_MS = 1_000
"""Until a batch is tried again that this process could not send; others may at once after it."""


_MERGE_NEEDS = (
    "Mixpanel refuses the project token for $merge, which needs a service account: set "
    "MIXPANEL_PROJECT_ID, MIXPANEL_SERVICE_ACCOUNT_USERNAME and MIXPANEL_SERVICE_ACCOUNT_SECRET, "
    "then replay this letter. Mixpanel's answer"
)
"""Mixpanel: Merge Identities, whose security is a service account or a project secret."""


@dataclass(slots=True)
class Outcome:
    """One request's end. `carry_out` says whether the batch is done with."""

    held: Held
    found: Sorted
    ledger: Ledger
    settings: WorkerSettings
    home: str | None
    """Where this worker's own records of the lane go: they follow when that changes."""
    keep: KeepCopy | None = None
    """A copy of what is accepted, where the endpoint accepts any token."""
    shards: ShardCounts | None = None
    """Counts whose events were delivered."""
    seconds: float = 0.0
    _uncounted: Request | None = None
    """The request, until a move that counts it."""

    def carry_out(self, verdict: Verdict, request: Request) -> bool:
        self.seconds = request.seconds
        self._uncounted = request
        return self._apply(verdict)

    def settle(self, settlement: Settlement) -> None:
        """Settles, together with what was found before anything was sent."""
        for lane, numbers in self.found.moves.items():
            settlement = replace(settlement, move_to=lane, move=numbers)
            count = {"records": len(numbers)}
            log.info("rerouted: %d records move to the %s lane", len(numbers), lane, extra=count)
        dead = [*self.found.dead, *settlement.dead]
        if dead:
            self._tell_dead(dead)
        ignored = self.found.ignored
        log_ignored(len(ignored), self.held.batch.lane)
        opted_out = self.found.opted_out
        log_opted_out(len(opted_out), self.held.batch.lane)
        request, self._uncounted = self._uncounted, None
        settlement = replace(
            settlement, dead=dead, ignored=ignored, opted_out=opted_out, request=request
        )
        self.ledger.settle(self.held, settlement)

    def _tell_dead(self, dead: list[Dead]) -> None:
        lane, reasons = self.held.batch.lane, ", ".join(dict.fromkeys(one.reason for one in dead))
        fields = {"records": len(dead), "reason": reasons}
        log.warning(
            "dead: %d records of %s became dead letters: %s",
            len(dead),
            lane,
            _why(dead),
            extra=fields,
        )

    @singledispatchmethod
    def _apply(self, verdict: Verdict) -> bool:
        raise TypeError(verdict)

    @_apply.register
    def _(self, verdict: Delivered) -> bool:
        self._accepted([], verdict.unconfirmed)
        return True

    @_apply.register
    def _(self, verdict: Partial) -> bool:
        records = self.found.records
        self._accepted(
            [
                Dead(
                    records[index].number,
                    Reason.INVALID,
                    failed.message,
                    failed.field,
                    verdict.status,
                )
                for index, failed in verdict.failed.items()
            ],
            verdict.unconfirmed,
        )
        return True

    @_apply.register
    def _(self, verdict: Split) -> bool:
        return self._refused(Reason.REJECTED, verdict.status, verdict.said)

    @_apply.register
    def _(self, verdict: TooLarge) -> bool:
        return self._refused(Reason.TOO_LARGE, verdict.status, verdict.said)

    @_apply.register
    def _(self, verdict: Unauthorized) -> bool:
        said = verdict.said
        if self.found.destination.is_merges:
            said = f"{_MERGE_NEEDS}: {said}"
        self._all_dead(Reason.UNAUTHORIZED, verdict.status, said)
        return True

    @_apply.register
    def _(self, verdict: Misconfigured) -> bool:
        log.error(
            "misconfigured: %s: its circuit is open, and its messages are kept: %s",
            self.found.destination.name,
            verdict.said,
            extra=self._fields(verdict.status, verdict.said),
        )
        pause = self._pause(PauseKind.CONFIGURATION)
        self._park(Park(verdict.said, verdict.status or 0, pause=pause), sent=verdict.sent)
        return True

    @_apply.register
    def _(self, verdict: TokenRefused) -> bool:
        self._park(Park(verdict.said, verdict.status, delay_ms=REFUSED_MS), sent=True)
        return True

    @_apply.register
    def _(self, verdict: Retry) -> bool:
        log.warning(
            "retry: %d records for %s failed after %.2f s, scheduled for retry: %s",
            self.found.count,
            self.found.destination.name,
            self.seconds,
            verdict.said,
            extra=self._fields(verdict.status, verdict.said),
        )
        park = Park(
            verdict.said,
            verdict.status or 0,
            pause=self._pause(PauseKind.OUTAGE, at_least=verdict.retry_after or 0.0),
            counts=verdict.counts,
            ambiguous=verdict.ambiguous,
        )
        self._park(self._within_limit(park) if verdict.counts else park, sent=verdict.sent)
        return True

    @_apply.register
    def _(self, verdict: Short) -> bool:
        log.error(
            "worker_short: %d records for %s are scheduled for retry, no attempt is counted: %s",
            self.found.count,
            self.found.destination.name,
            verdict.said,
            extra=self._fields(reason=verdict.said),
        )
        park = Park(verdict.said, delay_ms=_SHORT_MS, ambiguous=verdict.sent)
        self._park(park, sent=verdict.sent)
        return True

    def _accepted(self, dead: list[Dead], not_confirmed: int) -> None:
        batch, destination = self.held.batch, self.found.destination
        refused = frozenset(one.number for one in dead)
        sent = self.found.count - len(dead)
        noticed = counted(self.found.found(), leave_out=refused)
        if destination.by_project_secret and sent:
            noticed |= by_project_secret(sent, batch.members[0].number)
        if not_confirmed:
            log_unconfirmed(not_confirmed, sent, destination.name)
            number = self.found.records[0].number
            noticed |= unconfirmed(not_confirmed, sent, destination.endpoint, number)
        accepted = Settlement(
            delivered="all",
            dead=dead,
            accepted=True,
            exhausts=batch.rival,
            keep=self.keep,
            noticed=noticed,
            unconfirmed=not_confirmed,
        )
        self.settle(self._sent(accepted))
        if self.shards:
            self.shards.count(self.found.shards(refused))
        log.info(
            "delivered: %d records to %s in %.2f s",
            sent,
            destination.name,
            self.seconds,
            extra=self._fields() | {"records": sent},
        )

    def _fields(self, status: int | None = None, reason: str | None = None) -> dict[str, Any]:
        """What an event of this request is about (`log_json`)."""
        return {
            "destination": self.found.destination.name,
            "records": self.found.count,
            "seconds": self.seconds,
            "status": status,
            "reason": reason,
        }

    def _refused(self, reason: Reason, status: int, said: str) -> bool:
        if self.found.count == 1:
            self._all_dead(reason, status, said, accepted=True)
            return True
        fields = self._fields(status, said)
        log.info(
            "split: %d records were refused (%d), halves are sent: %s",
            fields["records"],
            status,
            said,
            extra=fields,
        )
        self._halve(strikes=False)
        return False

    def _all_dead(self, reason: Reason, status: int, said: str, *, accepted: bool = False) -> None:
        """An orderly refusal of what was sent is `accepted`: the destination itself is well."""
        dead = [Dead(record.number, reason, said, status=status) for record in self.found.records]
        self.settle(self._sent(Settlement(dead=dead, accepted=accepted)))

    def _within_limit(self, park: Park) -> Park:
        """At its limit a batch is halved; a lone message is cornered."""
        batch, settings = self.held.batch, self.settings
        limit = settings.part_attempts if batch.part else settings.attempts
        if batch.failures + 1 < limit:
            return park
        if self.found.count == 1:
            return replace(park, cornered=True)
        self._halve(strikes=True, ambiguous=park.ambiguous)
        return replace(park, counts=False)

    def _halve(self, *, strikes: bool, ambiguous: bool = False) -> None:
        """Parts off the second half; what stays is the first."""
        records = self.found.records
        half = [record.number for record in records[(len(records) + 1) // 2 :]]
        request, self._uncounted = self._uncounted, None
        division = Division([Part(half)], strikes=strikes, ambiguous=ambiguous, request=request)
        self.ledger.divide(self.held, division)
        self.found.leave_out(set(half))

    def _park(self, park: Park, *, sent: bool) -> None:
        # A connection that never was uses up none of a message's attempts.
        self.settle(replace(self._sent(Settlement(rest=park)), sent=sent))

    def _sent(self, settlement: Settlement) -> Settlement:
        name = self.found.destination.name
        return replace(settlement, sent=True, destination=name, own=name == self.home)

    def _pause(self, kind: PauseKind, *, at_least: float = 0.0) -> Pause:
        return pause_of(self.settings, kind, at_least=at_least)


def pause_of(settings: WorkerSettings, kind: PauseKind, *, at_least: float = 0.0) -> Pause:
    """How long nobody sends to a destination that failed, with some chance in it."""
    base = settings.backoff_base
    # Spread, not secrecy.
    jitter = base * random.uniform(*_JITTER)  # noqa: S311
    return Pause(
        kind,
        base_ms=round(base * 1000),
        cap_ms=round(settings.backoff_cap * 1000),
        jitter_ms=round(jitter * 1000),
        at_least_ms=round(at_least * 1000),
    )


def _why(dead: list[Dead]) -> str:
    """The reasons with their counts, and the first one's words."""
    counts: dict[str, int] = {}
    for one in dead:
        counts[one.reason] = counts.get(one.reason, 0) + 1
    named = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    first = f"{dead[0].field} {dead[0].error}".strip()
    return f"{named} ({first})"
