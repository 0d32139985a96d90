"""Compares every key of a queue with the model."""

from collections import Counter
from typing import Any

import orjson

from mixrelay.shared.queue import Lane
from tests.integration.queue.model import Held, Message, Model
from tests.support.bench import Bench


class Walk:
    """All that is stored, each key to be looked at once."""

    def __init__(self, bench: Bench) -> None:
        self._root = bench.key("").encode()
        self._left = bench.dump()
        self._queue = bench.queue.name.encode()

    def take(self, name: str, empty: Any) -> Any:
        return self._left.pop(self._root + name.encode(), empty)

    def compare(self, model: Model) -> None:
        assert self._left.pop(self._queue, []) == [m.payload for m in model.queued]
        for lane in Lane:
            members(self.take(f"lane:{lane}", []), model.lanes[lane])
        self._batches(model)
        self._letters(model)
        self._history(model)
        totals = {name.decode(): int(by) for name, by in self.take("totals", {}).items()}
        counted = {name: by for name, by in totals.items() if by and not _is_measure(name)}
        assert counted == dict(model.totals)
        self._nothing_else()

    def _batches(self, model: Model) -> None:
        states = {batch_id.decode(): state for batch_id, state in self.take("batches", {}).items()}
        assert set(states) == set(model.batches)
        for batch_id, held in model.batches.items():
            members(self.take(f"batch:{batch_id}", []), held.members)
            agree(states[batch_id], held)
        leased = {batch_id: held for batch_id, held in model.batches.items() if held.claim}
        assert {b.decode() for b, _ in self.take("leases", [])} == set(leased)
        claims = {c.decode(): b.decode() for c, b in self.take("claims", {}).items()}
        assert claims == {held.claim: batch_id for batch_id, held in leased.items()}
        for lane in Lane:
            parked = {b.decode() for b, _ in self.take(f"parked:{lane}", [])}
            assert parked == {
                b for b, held in model.batches.items() if held.lane is lane and not held.claim
            }
        self._lines(model)
        self._waiting(model)

    def _waiting(self, model: Model) -> None:
        for lane in Lane:
            found = {a.decode(): b.decode() for a, b in self.take(f"waiting:{lane}", {}).items()}
            for name, batch_id in found.items():
                assert model.batches[batch_id].waiting == name
                assert not model.batches[batch_id].lane.ordered

    def _lines(self, model: Model) -> None:
        for (lane, line), expected in model.order.items():
            name = f"order:{lane}:{line}" if line else f"order:{lane}"
            assert [b.decode() for b in self.take(name, [])] == expected
        for lane in Lane:
            lines = {
                line: order for (of, line), order in model.order.items() if of is lane and line
            }
            listed = {line.decode() for line, _ in self.take(f"lines:{lane}", [])}
            assert listed == {line for line, order in lines.items() if order}
            busy = {a.decode(): b.decode() for a, b in self.take(f"busy:{lane}", {}).items()}
            assert busy == {
                line: batch_id
                for line, order in lines.items()
                for batch_id in order
                if model.batches[batch_id].claim
            }

    def _letters(self, model: Model) -> None:
        stored = {number.decode(): text for number, text in self.take("letters", {}).items()}
        assert set(stored) == set(model.letters)
        for number, text in stored.items():
            meta, payload = text.split(b"\n", 1)
            grave, letter = model.letters[number], orjson.loads(meta)
            assert payload == grave.message.payload
            assert (letter["reason"], letter["lane"]) == (grave.reason, grave.lane)
            assert letter["attempts"] == grave.attempts
            assert letter["replays"] == grave.message.replays
            assert len(letter.get("deaths", ())) == grave.message.past_deaths
        self._indexes(stored)

    def _indexes(self, stored: dict[str, bytes]) -> None:
        letters = [orjson.loads(text.split(b"\n", 1)[0]) for text in stored.values()]
        assert {n.decode() for n, _ in self.take("dead", [])} == set(stored)
        counts = {name.decode(): int(by) for name, by in self.take("dead:counts", {}).items()}
        groups = {x["id"]: f"{x['reason']}|{x['status']}|{x['type']}" for x in letters}
        assert counts == dict(Counter(groups.values()))
        for group in counts:
            listed = {n.decode() for n, _ in self.take(f"dead:group:{group}", [])}
            assert listed == {number for number, name in groups.items() if name == group}
        placed = {place.decode().rpartition(" ")[2] for place, _ in self.take("dead:order", [])}
        assert placed == {
            x["id"] for x in letters if x["lane"] in ("profile_update", "group_update")
        }
        for index in ("reason", "status", "type"):
            for value in {letter[index] for letter in letters}:
                listed = {n.decode() for n, _ in self.take(f"dead:{index}:{value}", [])}
                assert listed == {x["id"] for x in letters if x[index] == value}

    def _history(self, model: Model) -> None:
        alive = [m for lane in model.lanes.values() for m in lane]
        alive += [m for held in model.batches.values() for m in held.members]
        expected = {m.number: (m.past_attempts, m.past_deaths) for m in alive if m.replays}
        stored = {
            number.decode(): orjson.loads(past) for number, past in self.take("history", {}).items()
        }
        assert {n: (p["attempts"], len(p["deaths"])) for n, p in stored.items()} == expected

    def _nothing_else(self) -> None:
        for key in self._left:
            name = key.removeprefix(self._root).decode()
            assert name.startswith(
                ("minute:", "done:", "pause:", "home:", "ahead:", "trash")
            ) or name in (
                "audit",
                "id",
                "number",
                "schema",
                "clock",
                "empty_at",
                "accepted",
                "pauses",
                "paces",
                "held",
            ), f"a key left behind: {name}"


def members(stored: list[bytes], expected: list[Message]) -> None:
    parts = [member.split(b" ", 3) for member in stored]
    found = [(number.decode(), int(replays), payload) for number, _, replays, payload in parts]
    assert found == [(m.number, m.replays, m.payload) for m in expected]


def agree(state: dict[str, Any], held: Held) -> None:
    assert (state["lane"], state.get("claim"), state.get("owner")) == (
        held.lane,
        held.claim,
        held.owner,
    )
    for name in ("attempts", "failures", "deaths"):
        assert state[name] == getattr(held, name), name
    for name in ("part", "sending", "ambiguous", "suspect"):
        assert bool(state.get(name)) == getattr(held, name), name
    assert (state.get("destination"), bool(state.get("own"))) == (held.destination, held.own)
    assert state.get("line") == held.line
    assert state.get("cornered") == held.cornered
    assert state.get("rivals", []) == held.rivals
    assert state.get("behind") == held.behind
    assert ("due" in state) == (held.claim is None)


def _is_measure(name: str) -> bool:
    # How long and why: tests of their own; the model has no clock.
    return name.startswith(("latency:", "redelivered:"))
