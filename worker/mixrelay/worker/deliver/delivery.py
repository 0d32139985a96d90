"""One batch on its way: read, made fit for one request, sent, judged, written down.

1. Messages that are lists become a message a record (`expanding`).
2. Each member is read and checked; what breaks a rule is a dead letter, what belongs to
   another lane moves there (`sorting`).
3. What cannot share the request leaves for batches of its own: a cornered head's profile,
   other destinations, what is too much (`_fit`).
4. It is sent (`_send`), and the answer decides (`outcome`). A refusal that names nobody
   halves the batch: the first half goes round again from 2.
"""

import logging
import time
from collections.abc import Callable, Mapping

from mixrelay.shared.mixpanel.failures import Failure
from mixrelay.shared.mixpanel.proving import is_refusal
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.shared.queue import (
    Dead,
    Division,
    Lane,
    Number,
    Park,
    Part,
    Request,
    Settlement,
)
from mixrelay.worker.base.clocks import Clocks
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.base.json_logs import about
from mixrelay.worker.base.moment import as_first_taken
from mixrelay.worker.base.retry import Abandoned
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.counting.hot_shards import ShardCounts
from mixrelay.worker.deliver.classification import profile_of, sort
from mixrelay.worker.deliver.contents import Record, Sorted
from mixrelay.worker.deliver.outcome import Outcome
from mixrelay.worker.deliver.parts import Sending
from mixrelay.worker.deliver.prepare import Preparation
from mixrelay.worker.deliver.tracing import Tracing
from mixrelay.worker.deliver.unroutable import settle_odd
from mixrelay.worker.deliver.verdicts import Delivered, Partial, judge
from mixrelay.worker.deliver.writer import LeaseLost, Ledger
from mixrelay.worker.lists.expanding import expand
from mixrelay.worker.plan_check import PlanCheck
from mixrelay.worker.tokens.proofs import REFUSED_MS, Clearance, Proofs

log = logging.getLogger(__name__)

_WORTH_HALVING = 65_536
"""Bytes of a batch below which its size cannot be why memory ran out."""

PARTS_AT_ONCE = 100
"""Destinations to which one call of the queue's parts a batch."""

_UNPROVEN = "waits until another worker has proven its project token"


class Delivery:
    """Handles batches, one in each thread that calls; all they share are these parts."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        transport: Sending,
        preparation: Callable[[str], Preparation],
        clocks: Clocks,
        settings: WorkerSettings,
        stopping: Callable[[], bool],
        homes: Mapping[Lane, str],
        proofs: Proofs | None = None,
        tracing: Tracing | None = None,
        shards: ShardCounts | None = None,
        plan: PlanCheck | None = None,
    ) -> None:
        """Opens nothing.

        Args:
            ledger: writes down what happens.
            transport: sends.
            preparation: what turns messages into records, for a queue's own id.
            clocks: the present, and the queue's own time.
            settings: the worker's.
            stopping: whether no further request may begin.
            homes: where this worker's own records of each lane go.
            proofs: what knows which tokens Mixpanel knows; None where nobody asks.
            tracing: what puts each request into a span.
            shards: counts whose events are delivered.
            plan: the tracking plan that records are held to.
        """
        self._ledger = ledger
        self._transport = transport
        self._preparation = preparation
        self._clocks = clocks
        self._settings = settings
        self._stopping = stopping
        self._homes = homes
        self._proofs = proofs
        self._tracing = tracing
        self._shards = shards
        self._reader = shards.reader if shards else None
        self._plan = plan

    def handle(self, held: Held) -> None:
        """Brings a batch as far as it gets; afterwards it is no longer held.

        What is raised is a bug, or what this process lacks, and leaves the batch leased.
        """
        batch = held.batch
        with about(batch_id=batch.id, lane=batch.lane.value, lease=batch.claim):
            try:
                self._handle(held)
                if self._proofs:
                    self._proofs.look_elsewhere()
            except LeaseLost:
                log.warning(
                    "lease_lost: batch %s of %s belongs to another worker now", batch.id, batch.lane
                )
            except Abandoned:
                log.warning(
                    "redis_away: batch %s of %s stays in flight until its lease ends",
                    batch.id,
                    batch.lane,
                )
            except MemoryError:
                self._lighten(held)
                raise

    def _lighten(self, held: Held) -> None:
        """Halves a batch that may have been too much for this process, before it is given back.

        Only what was not sent: what may have arrived stays as it went out.
        """
        members = held.batch.members
        size = sum(len(member.payload) for member in members)
        if held.sending or len(members) < 2 or size < _WORTH_HALVING:  # noqa: PLR2004 - halves
            return
        half = [member.number for member in members[(len(members) + 1) // 2 :]]
        self._ledger.divide(held, Division([Part(half)]))

    def _handle(self, held: Held) -> None:
        if held.batch.lane.value == "odd":
            settle_odd(held, self._ledger)
            return
        while not self._round(held):
            pass

    def _round(self, held: Held) -> bool:
        """Sends once; whether the batch is done with."""
        if self._stopping():
            self._ledger.settle(held, Settlement(rest="back"))
            return True
        found = self._sorted(held)
        self._judge_doubtful(held, found)
        if self._fit(held, found) or not self._is_cleared(held, found):
            return True
        return self._send(held, found)

    def _sorted(self, held: Held) -> Sorted:
        found = self._read(held)
        while found.lists:
            expand(held, found, self._ledger, self._settings.records_of(held.batch.lane))
            found = self._read(held)
        return found

    def _read(self, held: Held) -> Sorted:
        preparation = self._preparation(held.batch.queue_id)
        limit = self._settings.list_bytes
        now_ms = as_first_taken(self._clocks.now_ms(), held.batch)
        return sort(held.batch, preparation, now_ms, self._reader, limit, plan=self._plan)

    def _judge_doubtful(self, held: Held, found: Sorted) -> None:
        """The policy for what may have been counted already (`on_ambiguous`)."""
        if not held.batch.ambiguous or not found.doubtful:
            return
        if self._settings.on_ambiguous == "retry":
            log.warning(
                "ambiguous: %d records of %s had no answer before; they are sent again",
                found.doubtful,
                held.batch.lane,
                extra={"records": found.doubtful},
            )
            return
        doubtful = [record.number for record in found.records if record.ready.doubtful]
        error = "sent, and no answer came: it may have been counted"
        found.dead += [Dead(number, Reason.AMBIGUOUS, error, unsent=True) for number in doubtful]
        found.leave_out(set(doubtful))

    def _fit(self, held: Held, found: Sorted) -> bool:
        """Parts off what cannot share the request; whether nothing is left to send."""
        if not self._read_apart(held, found):
            return True
        rivals = self._rivals(held, found)
        if rivals and len(rivals) == found.count:
            self._settle_rest(held, found, Settlement(rest="back", behind=True))
            return True
        if rivals:
            self._part_off(held, rivals, behind=True)
            found.leave_out(set(rivals))
        if not found.count:
            self._settle_rest(held, found, Settlement())
            return True
        if self._is_paused(held, found):
            # It waits at its destination's gate as if it had been there before.
            park = Park("its destination is paused or begins slowly")
            name = found.destination.name
            own = name == self._home(held)
            self._settle_rest(held, found, Settlement(rest=park, destination=name, own=own))
            return True
        self._part_off_overflow(held, found)
        return False

    def _read_apart(self, held: Held, found: Sorted) -> bool:
        """Parts off what goes elsewhere; False where what stays waits behind others.

        In an ordered lane the queue learns here where each record goes, before anything is sent:
        nobody else's updates wait for that.
        """
        if not found.count:
            return True
        parts, gone = [], set[Number]()
        for group in found.elsewhere():
            name, numbers = group[0].ready.destination.name, _numbers(group)
            parts.append(Part(numbers, name, name == self._home(held)))
            gone |= set(numbers)
        if gone:
            found.leave_out(gone)
        name = found.destination.name
        is_new = held.batch.lane.ordered and held.batch.line != name
        while len(parts) > PARTS_AT_ONCE:
            self._ledger.divide(held, Division(parts[:PARTS_AT_ONCE]))
            del parts[:PARTS_AT_ONCE]
        if is_new:
            own = name == self._home(held)
            return self._ledger.divide(held, Division(parts, destination=name, own=own))
        return not parts or self._ledger.divide(held, Division(parts))

    def _is_cleared(self, held: Held, found: Sorted) -> bool:
        """Whether its token may be sent under; else the batch is settled."""
        if self._proofs is None:
            return True
        batch = held.batch
        cleared = self._proofs.before(found.destination, batch.lane, batch.partition)
        if cleared.clearance is Clearance.SEND:
            return True
        if self._stopping() and cleared.clearance is Clearance.WAIT:
            self._ledger.settle(held, Settlement(rest="back"))
        elif cleared.clearance is Clearance.BURY:
            reason, error, status = Reason.UNAUTHORIZED, cleared.error, cleared.status
            dead = [Dead(one.number, reason, error, "", status, True) for one in found.records]
            self._settle_rest(held, found, Settlement(dead=dead))
        else:
            name = found.destination.name
            park = Park(cleared.error or _UNPROVEN, cleared.status, delay_ms=REFUSED_MS)
            own = name == self._home(held)
            self._settle_rest(held, found, Settlement(rest=park, destination=name, own=own))
        return False

    def _is_paused(self, held: Held, found: Sorted) -> bool:
        name = found.destination.name
        return name in held.batch.paused and name != held.batch.destination

    def _part_off_overflow(self, held: Held, found: Sorted) -> None:
        limits = self._settings
        most = limits.records_of(held.batch.lane)
        tail = found.overflow(most=most, most_bytes=limits.batch_bytes)
        if tail:
            self._part_off(held, _numbers(tail))
            found.leave_out(set(_numbers(tail)))

    def _part_off(
        self,
        held: Held,
        numbers: list[Number],
        *,
        behind: bool = False,
    ) -> None:
        self._ledger.divide(held, Division([Part(numbers)], behind=behind))

    def _rivals(self, held: Held, found: Sorted) -> list[Number]:
        """The records of a trial that are about the profiles whose place it takes."""
        if not held.batch.rival_payloads:
            return []
        preparation = self._preparation(held.batch.queue_id)
        profiles = {profile_of(one, preparation) for one in held.batch.rival_payloads} - {None}
        return [record.number for record in found.records if record.ready.profile in profiles]

    def _home(self, held: Held) -> str | None:
        return self._homes.get(held.batch.lane)

    def _outcome(self, held: Held, found: Sorted) -> Outcome:
        home = self._home(held)
        return Outcome(held, found, self._ledger, self._settings, home, shards=self._shards)

    def _settle_rest(self, held: Held, found: Sorted, settlement: Settlement) -> None:
        """Ends a batch of which nothing is sent."""
        self._outcome(held, found).settle(settlement)

    def _send(self, held: Held, found: Sorted) -> bool:
        if held.batch.lane.ordered or found.doubtful:
            self._ledger.begin(held, doubtful=found.doubtful)
        held.sending = True
        # Who may not own the batch until the answer is there must not ask.
        self._ledger.secure(held, self._settings.deadline)
        began, began_ms, body = time.monotonic(), self._clocks.steady_ms(), found.body()
        answer = self._post(held, found, body)
        self._clocks.mixpanel.hear(answer)
        verdict = judge(
            answer,
            count=found.count,
            own=found.own,
            now=time.time(),
        )
        if self._proofs and isinstance(answer, Answer) and is_refusal(answer):
            verdict = self._proofs.judge_refusal(
                verdict, found.destination, held.batch.lane, time.monotonic() - began
            )
        request = Request(
            found.destination.endpoint,
            answer.status if isinstance(answer, Answer) else 0,
            answer.seconds,
            found.count,
        )
        outcome = self._outcome(held, found)
        accepted = isinstance(verdict, Delivered | Partial)
        if self._proofs and accepted:
            outcome.keep = self._proofs.copy(found.destination, began_ms, len(body))
        ended = outcome.carry_out(verdict, request)
        if self._proofs and accepted:
            self._proofs.accepted(found.destination, began_ms)
        return ended

    def _post(self, held: Held, found: Sorted, body: bytes) -> Answer | Failure:
        def post() -> Answer | Failure:
            return self._transport.post(found.destination, body)

        return self._tracing.post(held, found, post) if self._tracing else post()


def _numbers(records: list[Record]) -> list[Number]:
    return [record.number for record in records]
