"""Values that change while they are tracked: a program to be run, since its failure is a crash.

python -m tests.support.changing SECONDS SEED sync|async

Threads change lists, dicts, sets, dataclasses and models; eight others track them. Each message
must be JSON, and each container in it as it was at one moment: a mutator puts a whole generation of
equal numbers into a container by one step, so two generations in one list are a torn read.
"""

import asyncio
import json
import random
import sys
import threading
import time
from collections import OrderedDict, UserDict, defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum

import attrs
import numpy as np
from pydantic import BaseModel
from werkzeug.datastructures import MultiDict

from mixrelay.producer import AsyncTracker, InvalidPropertyError, Tracker
from tests.support.patience import joined

TRACKERS = 8
MUTATORS = 4


class Plan(Enum):
    FREE = "free"


@dataclass
class Order:
    lines: list = field(default_factory=list)
    totals: dict = field(default_factory=dict)


@attrs.define
class Basket:
    lines: list = attrs.field(factory=list)


@dataclass(slots=True)
class Line:
    parts: list = field(default_factory=list)


class Model(BaseModel):
    lines: list = []
    totals: dict = {}


class Selfish:
    """Empties the list that it is in while it is converted."""

    def __init__(self, home):
        self.home = home


class SelfishDict(UserDict):
    """The same without a converter."""

    def __getitem__(self, key):
        self.home.clear()
        return super().__getitem__(key)


class Things:
    def __init__(self):
        self.lists = [[] for _ in range(3)]
        self.dicts = [{}, OrderedDict(), defaultdict(int), UserDict()]
        self.set = set()
        self.deque = deque()
        self.order, self.basket, self.model = Order(), Basket(), Model()
        self.form, self.array = MultiDict(), np.zeros(50, dtype="int64")
        self.lines = [Line(), Line()]
        self.selfish = []
        self.hooked = deque(maxlen=20)
        self.properties = {"own": 1}

    def tracked(self):
        return {
            "lists": self.lists,
            "dicts": self.dicts,
            "set": self.set,
            "deque": self.deque,
            "order": self.order,
            "basket": self.basket,
            "model": self.model,
            "form": self.form,
            "array": self.array,
            "slotted": self.lines,
            "plan": [Plan.FREE, {"plan": Plan.FREE}],
            "selfish": self.selfish,
        }


def number(of, generation):
    """Return one of a generation's: equal numbers of all the types that must be converted."""
    at = datetime.fromtimestamp(generation, UTC)
    return of.choice([generation, Decimal(generation), float(generation), at, {"n": generation}])


def change(things, of):
    generation = of.randrange(1, 10**6)
    many = [number(of, generation) for _ in range(of.choice([0, 1, 3, 40, 200]))]
    pairs = {f"k{index}": one for index, one in enumerate(many)}
    for one in (*things.lists, things.order.lines, things.basket.lines, things.model.lines):
        one[:] = many
        if of.random() < 0.3:
            one.clear()
    for one in (*things.dicts, things.order.totals, things.model.totals):
        one.clear()
        one.update(pairs)
    things.form.clear()
    for key in ("a", "b"):
        things.form.setlist(key, many)
    things.array[:] = generation
    for line in things.lines:
        line.parts = many if of.random() < 0.5 else []
    if of.random() < 0.1:
        things.lines[:] = [Line(many), Line(many)]
    things.set.clear()
    things.set.update(range(generation, generation + len(many)))
    things.deque.clear()
    things.deque.extend(many)
    if of.random() < 0.3:
        things.order.lines, things.model.lines, things.basket.lines = [], [], []
        things.model.totals = {}
    selfish = SelfishDict(a=1)
    selfish.home = things.selfish
    things.selfish[:] = [Selfish(things.selfish), datetime.now(UTC), selfish] * of.randrange(30)
    if of.random() < 0.5:
        things.properties[f"p{of.randrange(50)}"] = number(of, generation)
    else:
        things.properties.clear()
    for record in [*things.hooked]:
        change_record(record, of)


def change_record(record, of):
    """Change what a hook was given and kept, deep inside and at its top."""
    properties = next(value for value in record.values() if isinstance(value, dict))
    properties[f"late{of.randrange(30)}"] = datetime.now(UTC)
    properties.setdefault("lists", []).append(Decimal(1))
    for one in properties["lists"][:3]:
        if isinstance(one, list):
            one[:] = [datetime.now(UTC)] * of.randrange(50)


def plain_number(value):
    if isinstance(value, dict):
        return value["n"]
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    return value


def check(text, *, hooked):
    properties = json.loads(text, parse_constant=lambda word: sys.exit(f"{word} in {text}"))
    properties = properties["data"]["properties"]
    assert properties["plan"] == ["free", {"plan": "free"}], text
    if hooked:  # a hook's own record is changed in more than one step, and by whom it wants
        return
    order, model = properties["order"], properties["model"]
    lists = [*properties["lists"], order["lines"], model["lines"], properties["basket"]["lines"]]
    lists += [*properties["form"].values(), *(line["parts"] for line in properties["slotted"])]
    for one in lists:
        assert len({plain_number(item) for item in one}) <= 1, (one, text)
    for one in properties["dicts"]:
        assert all(key.startswith("k") for key in one), text
    assert properties["set"] == sorted(properties["set"]), text
    assert len(properties["array"]) == 50, text


def convert(value):
    if isinstance(value, Selfish):
        value.home.clear()
        return "selfish"
    raise TypeError(f"unknown {type(value)}")


def tracker_of(things, index, sink):
    def hook(_type, record):
        things.hooked.append(record)
        return record

    options = {"before_send": hook} if index % 4 == 0 else {}
    kind = AsyncTracker if asyncio.iscoroutinefunction(sink) else Tracker
    tracker = kind("token", sink=sink, default=convert, **options)
    return tracker.with_properties(things.properties)


def checking(index, counts):
    def sink(kind, text):
        if kind in {"event", "import"}:
            check(text, hooked=index % 4 == 0)
        else:
            json.loads(text)
        counts[index] += 1

    return sink


def calls(tracker, things):
    return (
        lambda: tracker.track("user", "Event", things.tracked()),
        lambda: tracker.with_properties(things.properties).track("user", "E", things.tracked()),
        lambda: tracker.import_event("user", "Event", {"time": 1, **things.tracked()}),
    )


def track(things, index, until, counts):
    of = random.Random(index)
    tracker = tracker_of(things, index, checking(index, counts))
    while time.monotonic() < until:
        with tracker.batch():
            for _ in range(3):
                assert of.choice(calls(tracker, things))()
        tracker.people.set("user", things.properties)
        tracker.people.set_once("user", things.tracked())
        # An empty list is refused at the call, and another thread may have emptied it.
        with suppress(InvalidPropertyError):
            tracker.people.union("user", {"list": things.tracked()["lists"][0]})


def track_awaited(things, index, until, counts):
    async def sink(kind, text):
        checking(index, counts)(kind, text)

    async def go():
        tracker = tracker_of(things, index, sink)
        of = random.Random(index)
        while time.monotonic() < until:
            assert await of.choice(calls(tracker, things))()
            async with tracker.batch():
                for _ in range(2):
                    assert await of.choice(calls(tracker, things))()
                await tracker.people.set("user", things.properties)
            await tracker.people.set_once("user", things.tracked())

    asyncio.run(go())


def main(seconds, seed, manner):
    print(f"seed {seed}", flush=True)
    sys.setswitchinterval(1e-5)
    until = time.monotonic() + float(seconds)
    things, counts, failures = Things(), [0] * TRACKERS, []
    turn = threading.Lock()

    def mutate(index):
        of = random.Random(f"{seed} {index}")
        while time.monotonic() < until:
            with turn:  # of the mutators among themselves; the trackers know nothing of it
                change(things, of)

    def guarded(act, *args):
        try:
            act(*args)
        except BaseException as error:
            failures.append(error)
            raise

    tracking = track if manner == "sync" else track_awaited
    threads = [threading.Thread(target=guarded, args=(mutate, n)) for n in range(MUTATORS)]
    threads += [
        threading.Thread(target=guarded, args=(tracking, things, n, until, counts))
        for n in range(TRACKERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread, seconds=2 * float(seconds) + 60)
    print(f"{sum(counts)} messages, {len(failures)} failures", flush=True)
    sys.exit(bool(failures) or not all(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
