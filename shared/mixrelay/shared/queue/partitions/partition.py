"""One partition of a queue, on one node: the moves of a message as typed methods.

Every method is one atomic script (docs/invariants.md has the rules). All may be repeated after
a lost reply: a worker chooses its claims, and every other move carries an id of its own, so
that a repetition answers as the first did. What raises `redis.RedisError` may have been
carried out.
"""

import base64
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import orjson
from redis import Redis

from mixrelay.shared.queue.base.clock import QueueClock
from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.limits import Limits
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.harm import Guard
from mixrelay.shared.queue.jobs.jobs import Jobs
from mixrelay.shared.queue.letters.audit import Audit
from mixrelay.shared.queue.letters.correcting import Corrections
from mixrelay.shared.queue.letters.edited import Edited
from mixrelay.shared.queue.letters.importing import LetterLoads, Returned
from mixrelay.shared.queue.letters.letter import Letter
from mixrelay.shared.queue.letters.reader import LetterBox
from mixrelay.shared.queue.letters.retention import Retention
from mixrelay.shared.queue.loads.loads import Loads
from mixrelay.shared.queue.messages.batch import Batch, Lane, Nothing, Number, lanes_of
from mixrelay.shared.queue.messages.operator_pause import check_holdable
from mixrelay.shared.queue.messages.settlement import (
    Division,
    Ended,
    Expansion,
    Reaped,
    Settled,
    Settlement,
)
from mixrelay.shared.queue.stats.alerts import Alerts
from mixrelay.shared.queue.stats.history import History
from mixrelay.shared.queue.stats.hot_shards import HotShards
from mixrelay.shared.queue.stats.snapshot import Books
from mixrelay.shared.queue.tokens.kept_copies import KeptCopies
from mixrelay.shared.tuples import read

ROUTED_AT_MOST = 1_000
"""Tuples one call of `route` moves; no script may hold the server for long."""
ROUTED_BYTES = 2 * 1024 * 1024
LETTERS_AT_MOST = 500
"""Letters one call of `replay` or `discard` moves."""


class Partition:
    """A list and everything that is kept for it, in one slot and so on one node."""

    def __init__(self, redis: Redis, name: str = "mixpanel_queue", *, partition: int = 0) -> None:
        """Opens nothing: the first move connects.

        Args:
            redis: as `mixrelay.shared.connection.connect` makes it: no decoding, no retries.
            name: the list's name.
            partition: stands in front of every number.

        Raises:
            ConfigurationError: the name cannot be a queue's.
        """
        self.name = name
        self.redis = redis
        self._keys = Keys.of(name)
        self.index = partition
        self._scripts = Scripts(redis, self._keys)
        self._tells = {"tells": True} if partition else {}
        self.letters = LetterBox(redis, self._keys, self._scripts)
        self.jobs = Jobs(redis, self._keys, self._scripts, self.letters, partition)
        self.audit = Audit(redis, self._keys)
        self.alerts = Alerts(redis, self._keys, self._scripts)
        self.history = History(redis, self._keys)
        self.retention = Retention(redis, self._keys, self._scripts)
        self.hot = HotShards(self._scripts)
        self.corrections = Corrections(self._scripts)
        self.loads = Loads(redis, self._keys, self._scripts)
        self.clock = QueueClock(redis, self._keys, self._scripts)
        self.kept = KeptCopies(redis, self._keys, self._scripts)
        self.letter_loads = LetterLoads(redis, self._keys, self._scripts)
        self.guard = Guard(self._scripts)

    def push(self, tuples: Sequence[bytes]) -> int:
        """Appends tuples, verbatim; returns the list's length. Not safe to repeat unseen."""
        return int(self.redis.rpush(self.name, *tuples))  # type: ignore[arg-type, unused-ignore]

    def waiting(self) -> int:
        """How many tuples are in the list: asked more cheaply than `route`."""
        return int(self.redis.llen(self.name))  # type: ignore[arg-type, unused-ignore]

    def route(self, most: int = ROUTED_AT_MOST) -> tuple[int, int]:
        """Moves tuples from the list to their lanes; returns how many, and how many are left."""
        moved, left = self._scripts.run("route", most, ROUTED_BYTES, new_id(), self.index)
        return int(moved), int(left)

    def reserve(
        self,
        lane: Lane,
        *,
        owner: str,
        claim: str,
        lease_seconds: float,
        destination: str | None = None,
        limits: Limits | None = None,
        fresh_while_paused: int = 0,
        alone: bool = False,
        gates: bytes = b"",
        elsewhere: bytes = b"{}",
        routes: int = 0,
        host_ms: int | None = None,
    ) -> Batch | Nothing:
        """Leases one batch of a lane.

        Args:
            lane: where to look.
            owner: names the process, so that its parent can end its leases.
            claim: chosen by the worker; asked again with it, the same batch is answered.
            lease_seconds: until someone else may have the batch.
            destination: where this worker's own records of the lane go.
            limits: of a fresh batch.
            fresh_while_paused: parked batches up to which fresh ones are handed out at once.
            alone: the worker holds nothing else, so it may have a batch that killed others.
            gates: what stands in Q's own slot, where that is another; empty: no answer.
            elsewhere: the batches that other partitions have leased, by destination.
            routes: tuples routed first at most; the lane's own go into the batch at once.
            host_ms: the time by the worker's host, which is noted beside Redis's.
        """
        limits = limits or Limits()
        reply = self._scripts.run(
            "reserve",
            lane,
            owner,
            claim,
            limits.records,
            limits.bytes,
            _ms(lease_seconds),
            _ms(limits.linger_seconds),
            destination or "",
            fresh_while_paused,
            int(alone),
            gates,
            elsewhere,
            *(routes, ROUTED_BYTES, new_id(), self.index, host_ms or _ms(time.time())),
        )
        if reply[0] == b"batch":
            return Batch.parse(reply, claim, self.index)
        wait = int(reply[1])
        return Nothing(None if wait < 0 else wait / 1000, bool(reply[2]), lanes_of(reply[3]))

    def extend(self, batches: Sequence[Batch], lease_seconds: float) -> frozenset[str]:
        """Prolongs the leases; returns the ids of batches that are no longer this worker's."""
        held = [part for batch in batches for part in (batch.id, batch.claim)]
        lost = self._scripts.run("extend", _ms(lease_seconds), *held) if held else []
        return frozenset(batch_id.decode() for batch_id in lost)

    def begin(self, batch: Batch, *, doubtful: int = 0) -> bool:
        """Marks the batch as being sent; False where it is no longer this worker's.

        Args:
            batch: what is about to be sent.
            doubtful: its records that are not safe to send twice. They are counted as
                `ambiguous` where an earlier request may have been carried out.
        """
        return bool(self._scripts.run("begin", batch.id, batch.claim, doubtful))

    def settle(
        self,
        batch: Batch,
        settlement: Settlement,
        *,
        op: str | None = None,
        fleet: Mapping[str, Any] | None = None,
    ) -> Ended:
        """Carries out the verdicts. Repeat it with the same `op` after a lost reply.

        Args:
            batch: whose members they are about.
            settlement: the verdicts.
            op: the move's id.
            fleet: what other partitions know of the destination (`Gates.of_failure`).
        """
        told = orjson.dumps(settlement.plan() | self._tells | dict(fleet or {}))
        return Ended.parse(self._scripts.run("settle", batch.id, batch.claim, op or new_id(), told))

    def divide(self, batch: Batch, division: Division, *, op: str | None = None) -> Ended:
        """Parts a batch: the parts are parked right behind it, due at once.

        Repeat it with the same `op` after a lost reply.
        """
        op = op or new_id()
        ids = [f"{op}-{index}" for index in range(len(division.parts))]
        plan = orjson.dumps(division.plan(ids) | self._tells)
        return Ended.parse(self._scripts.run("divide", batch.id, batch.claim, op, plan))

    def expand(self, batch: Batch, lists: Sequence[Expansion], *, op: str | None = None) -> Settled:
        """Puts the records of list messages in their places, as messages of their own.

        Repeat it with the same `op` after a lost reply.

        Args:
            batch: the batch that holds them.
            lists: together at most about 1,000 payloads, or one long list.
            op: the move's id.
        """
        told: list[str | bytes | int] = []
        for one in lists:
            records = ",".join(map(str, one.records))
            told += [one.number, len(one.payloads), records, *one.payloads]
        return Settled(
            self._scripts.run("expand", batch.id, batch.claim, op or new_id(), *told).decode()
        )

    def reap(
        self, most: int = 20, waiting: Collection[str] = (), latest: int | None = None
    ) -> Reaped:
        """Ends leases whose time is up.

        Args:
            most: leases.
            waiting: the lanes in which something waits in other partitions. In Q's own slot a
                pause that nothing waits for is ended too.
            latest: that the queue's clock can show by the caller's own; what is over later is left.
        """
        return self._reap(most, "", waiting, latest, died=True)

    def end_leases(self, owner: str, *, died: bool) -> Reaped:
        """Ends all leases of one owner at once; `died` counts as a death of each batch."""
        return self._reap(1_000, owner, (), None, died=died)

    def _reap(
        self, most: int, owner: str, waiting: Collection[str], latest: int | None, *, died: bool
    ) -> Reaped:
        told = (most, owner, int(died), int(self.index > 0), "" if latest is None else latest)
        return Reaped.parse(self.index, self._scripts.run("reap", *told, *waiting))

    def check(self) -> None:
        """Changes nothing, and raises what a move would: a node may answer and refuse writes."""
        self._scripts.run("extend", 0)

    def leased(self) -> dict[str, int]:
        """How many batches are leased for each destination."""
        return cast("dict[str, int]", orjson.loads(self._scripts.run("leased")))

    def replay(
        self, numbers: Sequence[Number], *, who: str = "", why: str = "", op: str | None = None
    ) -> int:
        """Moves letters back to their lanes; returns how many still were letters.

        At most `LETTERS_AT_MOST`; for more, start a job. `who` and `why` are noted in the audit.
        """
        return self._move("replay", numbers, who, why, op)

    def discard(
        self, numbers: Sequence[Number], *, who: str = "", why: str = "", op: str | None = None
    ) -> int:
        """Deletes letters for good; returns how many still were letters. Arguments as `replay`."""
        return self._move("discard", numbers, who, why, op)

    def edit(
        self, letter: Letter, payload: bytes, *, who: str = "", why: str = "", op: str | None = None
    ) -> Edited:
        """Replaces a letter's message; the one that was pushed stays in `Letter.original`.

        The letter keeps its number and its place: replay it to have it sent.

        Args:
            letter: as the editor saw it.
            payload: the new tuple; the original puts that back.
            who: is noted with the letter and in the audit.
            why: likewise.
            op: the move's id.

        Raises:
            MalformedTupleError: the payload is no tuple of a known type; its text says why.
        """
        restores = payload == letter.original
        if not restores:
            read(payload)
        old = base64.b64encode(letter.payload)
        facts = (letter.id, letter.payload, payload, who, why, old, int(restores))
        return Edited(self._scripts.run("edit", op or new_id(), *facts).decode())

    def import_letters(
        self, name: str, letters: Sequence[Returned], *, before: str, after: str, who: str, why: str
    ) -> str:
        """`LetterLoads.load_letters`, with this queue's numbers."""
        return self.letter_loads.load_letters(
            name, letters, before=before, after=after, partition=self.index, who=who, why=why
        )

    def pause(self, lane: Lane, *, who: str, why: str, op: str | None = None) -> bool:
        """Holds a lane until `resume`: nobody reserves from it, whatever else happens.

        Routing goes on, and what is leased is settled as ever. Workers of mixrelay 0.1 take no
        notice of it.

        Args:
            lane: any but `odd`.
            who: is shown wherever the pause is, and noted in the audit.
            why: likewise.
            op: the move's id.

        Returns:
            False where it was held already: the first hold stands, and `Books.held` tells whose.

        Raises:
            ValueError: the lane is `odd`, from which nothing is sent.
        """
        return self._hold("pause", lane, who, why, op)

    def resume(self, lane: Lane, *, who: str, why: str = "", op: str | None = None) -> bool:
        """Ends a hold, whoever began it; False where there was none. Arguments as `pause`."""
        return self._hold("resume", lane, who, why, op)

    def _hold(self, how: str, lane: Lane, who: str, why: str, op: str | None) -> bool:
        check_holdable(lane)
        return bool(self._scripts.run("hold", op or new_id(), how, lane, who, why))

    def mend(self, most: int = 500) -> int:
        """Indexes letters that an older mixrelay buried; returns how many it looked at.

        0 where all is well. Workers call it now and then.
        """
        return int(self._scripts.run("mend", most))

    def _move(self, how: str, numbers: Sequence[Number], who: str, why: str, op: str | None) -> int:
        return int(self._scripts.run(how, op or new_id(), who, why, *numbers)) if numbers else 0

    def books(self) -> Books:
        """Every figure at one instant."""
        return Books.parse(self._scripts.run("books"))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
