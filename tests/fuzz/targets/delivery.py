"""A batch from Redis's reply to its last verdict: every message gets exactly one."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson

from mixrelay.shared.mixpanel.endpoints import Destination
from mixrelay.shared.mixpanel.failures import Failure
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.shared.queue import Batch, Division, Expansion, Lane, Member, Number, Settlement
from mixrelay.shared.tuples import KINDS, write
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.deliver.delivery import Delivery
from mixrelay.worker.deliver.prepare import Preparation
from tests.fuzz.source import Source
from tests.fuzz.targets.answers import answer, named
from tests.fuzz.targets.records import NOW, PREPARATIONS

_SETTINGS = WorkerSettings(batch_records=3)
_FOREVER = float("inf")
_MOST_REQUESTS = 200
logging.getLogger("mixrelay").addHandler(logging.NullHandler())


class Notes:
    """Stands for the queue: keeps what is decided about each message."""

    def __init__(self, transport: Sending) -> None:
        self.decided: Counter[Number] = Counter()
        self.parts: list[Batch] = []
        self._transport = transport

    def settle(self, held: Held, settlement: Settlement) -> None:
        everyone = [member.number for member in held.batch.members]
        dead = [one.number for one in settlement.dead]
        decided = [*dead, *settlement.move, *settlement.ignored]
        left = [number for number in everyone if number not in decided]
        delivered = left if settlement.delivered == "all" else list(settlement.delivered)
        self._are_not_refused(settlement, everyone, delivered if settlement.delivered else [])
        if settlement.rest == "keep":
            left = delivered
        self.decided.update([*decided, *left])
        stays = tuple(one for one in held.batch.members if one.number not in {*decided, *left})
        held.batch = replace(held.batch, members=stays)

    def _are_not_refused(
        self, settlement: Settlement, everyone: list[Number], delivered: list[Number]
    ) -> None:
        if not delivered:
            return
        assert settlement.sent, "delivered without a request"
        unsent = {*(one.number for one in settlement.dead if one.unsent), *settlement.move}
        unsent |= set(settlement.ignored)
        sent = [number for number in everyone if number not in unsent]
        assert len(sent) == self._transport.count
        refused = named(self._transport.answer, len(sent)) or set()
        assert not {sent[index] for index in refused} & set(delivered)

    def divide(self, held: Held, division: Division) -> bool:
        for part in division.parts:
            gone = set(part.numbers)
            assert gone, "an empty part"
            members = tuple(one for one in held.batch.members if one.number in gone)
            assert len(members) == len(part.numbers)
            rest = tuple(one for one in held.batch.members if one.number not in gone)
            self.parts.append(replace(held.batch, members=members, destination=part.destination))
            held.batch = replace(held.batch, members=rest)
        return True  # its turn, also where the division names a place in an ordered lane

    def expand(self, held: Held, lists: list[Expansion]) -> None:
        by_number = {one.number: one for one in lists}
        members: list[Member] = []
        for member in held.batch.members:
            one = by_number.get(member.number)
            members += _expanded(member, one) if one else [member]
        held.batch = replace(held.batch, members=tuple(members))

    def refresh(self, held: Held) -> None:
        """Has nothing to do: ``expand`` changed the batch."""

    def begin(self, held: Held, *, doubtful: int) -> None:
        assert 0 <= doubtful <= len(held.batch.members)

    def secure(self, held: Held, _seconds: float) -> None:
        assert held.batch.members


def _expanded(member: Member, one: Expansion) -> Iterator[Member]:
    assert one.payloads
    for part, payload in enumerate(one.payloads, start=1):
        yield member._replace(number=Number(f"{member.number}.{part}"), payload=payload)


class Sending:
    """Stands for the network: answers as the input says."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.count = 0
        self.requests = 0
        self.answer: Answer | Failure = Answer(200, {}, b"1")

    def post(self, destination: Destination, body: bytes) -> Answer | Failure:
        self.requests += 1
        assert self.requests < _MOST_REQUESTS, "halving does not end"
        assert destination.url.startswith("https://")
        self.count = len(orjson.loads(body))
        assert 0 < self.count <= _SETTINGS.batch_records
        self.answer = answer(self._source)
        return self.answer


_CLOCKS: Any = SimpleNamespace(
    now_ms=lambda: NOW, steady_ms=lambda: NOW, mixpanel=SimpleNamespace(hear=lambda _answer: None)
)


def delivery(data: bytes) -> None:
    """Whatever a batch holds and whatever is answered, each message is decided exactly once."""
    source = Source(data)
    preparation = source.pick(PREPARATIONS)
    lane = source.pick(list(Lane))
    transport = Sending(source)
    notes = Notes(transport)
    waiting = [Batch.parse(_reply(source, lane), "claim")]
    expected: set[Number] = set()
    while waiting:
        held = Held(waiting.pop(), _FOREVER)
        expected |= _handled(held, notes, transport, preparation)
        waiting += notes.parts
        notes.parts = []
    assert set(notes.decided) == expected
    assert all(count == 1 for count in notes.decided.values())


def _handled(held: Held, notes: Notes, transport: Sending, preparation: Preparation) -> set[Number]:
    before = set(notes.decided)
    Delivery(
        ledger=notes,  # type: ignore[arg-type]
        transport=transport,  # type: ignore[arg-type]
        preparation=lambda _queue_id: preparation,
        clocks=_CLOCKS,
        settings=_SETTINGS,
        stopping=lambda: False,
        homes={},
    ).handle(held)
    assert not held.batch.members, "a message is left without a verdict"
    return {*(set(notes.decided) - before)}


def _reply(source: Source, lane: Lane) -> list[object]:
    """Return what the script of a reserve answers."""
    state = {
        "lane": lane,
        "attempts": source.below(5),
        "failures": source.below(5),
        "part": source.flag(),
        "ambiguous": source.flag(),
    }
    members = [
        b"0-%d %d 0 %s" % (number, NOW - 1_000, _payload(source))
        for number in range(1 + source.below(6))
    ]
    lengths = b",".join(b"%d" % len(member) for member in members)
    return [b"batch", b"1", orjson.dumps(state), b"q1", lengths, [b"".join(members)], [], [], []]


def _payload(source: Source) -> bytes:
    kind = source.below(5)
    if kind == 0:
        return source.chunk(200)
    word = source.pick(list(KINDS))
    data: object = _record(source)
    if kind == 1:
        data = [_record(source) for _ in range(source.below(6))]
    elif kind == 2:
        data = source.json()
    message = _json({"data": data, "api_key": source.pick([None, "", "KEY"])})
    try:
        return write(word, message)
    except TypeError:
        return b'["%s",%s]' % (word.encode(), message.encode("utf-8", "surrogatepass"))


def _record(source: Source) -> object:
    kind = source.below(4)
    if kind == 0:
        return source.json(2)
    if kind == 1:
        operation = source.pick(["$set", "$add", "$append", "$unset", "$delete"])
        return {
            "$token": source.pick(["token", "other"]),
            "$distinct_id": source.text(),
            "$group_key": "team",
            "$group_id": source.number(),
            operation: source.json(1),
        }
    properties = {"token": source.pick(["token", "other", None])}
    if source.flag():
        properties[source.text()] = source.json(2)
    if source.flag():
        properties["time"] = source.pick([NOW, 1, "1795520500", None, "soon"])
    return {"event": source.pick(["E", "$merge", "$identify"]), "properties": properties}


def _json(value: object) -> str:
    import json  # noqa: PLC0415 - orjson refuses what others write

    return json.dumps(value, ensure_ascii=False)
