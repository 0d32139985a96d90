"""What a tracking plan costs a worker: CPU of sorting a batch of 2,000 events, for each event.

`python -m benchmarks.tracking_plan` prints the table, and how long three validators take for the
same schema (fastjsonschema only where it is installed).
"""

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import orjson

from benchmarks import machine
from mixrelay.shared.plan import TrackingPlan
from mixrelay.shared.queue import Batch, Lane, Member, Number
from mixrelay.worker.deliver.classification import sort
from mixrelay.worker.deliver.prepare import Preparation
from mixrelay.worker.plan_check import PlanCheck

EVENTS = 2_000
ROUNDS = 12
NOW = 1_700_000_000_000
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema",
    "required": ["Item", "Price"],
    "additionalProperties": True,
    "properties": {
        "Item": {"type": "string"},
        "Price": {"type": "number"},
        "Pieces": {"type": "integer"},
        "Size": {"type": "string", "enum": ["s", "m", "l"]},
        "Listed": {"type": "string", "format": "date-time"},
    },
}
WRITTEN = ["string", "number", "integer"]
OWN = {"Item": "Tea", "Price": 9.5, "Pieces": 2, "Size": "m", "Listed": "2026-01-02T03:04:05"}


def properties(number: int = 0, **changed: Any) -> dict[str, Any]:
    """What an event of a shop has."""
    stamped = {"distinct_id": f"u{number}", "token": "t", "time": NOW, "$insert_id": f"i{number}"}
    return stamped | {"mp_lib": "mixrelay", "$lib_version": "1", "ip": 0} | OWN | changed


def batch(**changed: Any) -> Batch:
    """A request's worth of events."""
    members = []
    for number in range(EVENTS):
        record = {"event": "Item Added", "properties": properties(number, **changed)}
        text = orjson.dumps(["event", orjson.dumps({"data": record}).decode()])
        members.append(Member(Number(f"0-{number}"), NOW, 0, text))
    return Batch("id", "claim", Lane.EVENT, tuple(members), "q")


def plan() -> TrackingPlan:
    """The plan of that one event."""
    return TrackingPlan.of(
        [{"entityType": "event", "name": "Item Added", "schemaJson": SCHEMA}],
    )


def sorting() -> Iterator[tuple[str, float]]:
    """Microseconds of CPU an event, by case."""
    preparation = Preparation(queue_id="q", base="https://api.mixpanel.com", token="t")
    held = PlanCheck(plan(), token="t", refuses=False)
    as_planned, off = batch(), batch(Price="9.50")

    def case(of: Batch, check: PlanCheck | None) -> float:
        return quickest(lambda: sort(of, preparation, NOW, plan=check)) / EVENTS

    yield "no plan", case(as_planned, None)
    yield "a plan, all as it says", case(as_planned, held)
    yield "a plan, every event off it, counted", case(off, held)


def validators() -> Iterator[tuple[str, float]]:
    """Microseconds of CPU for one event's properties, by library; none of them checks the date."""
    one, schema = properties(), SCHEMA | {"properties": {name: {"type": WRITTEN} for name in OWN}}
    for name, make in (
        ("jsonschema_rs", lambda library: library.Draft7Validator(schema).is_valid),
        ("fastjsonschema", lambda library: library.compile(schema)),
        ("jsonschema", lambda library: library.Draft7Validator(schema).is_valid),
    ):
        if find_spec(name) is not None:
            check = make(import_module(name))
            yield name, quickest(lambda check=check: [check(one) for _ in range(200)]) / 200


def quickest(act: Callable[[], object]) -> float:
    """Microseconds of CPU that the quickest of some rounds takes."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        act()
        took.append(time.process_time() - began)
    return min(took) * 1_000_000


def main() -> None:
    """Print both tables."""
    print(machine.describe())
    for rows in (sorting(), validators()):
        print("\n| | µs an event |\n| --- | --- |")
        for name, microseconds in rows:
            print(f"| {name} | {microseconds:.1f} |")


if __name__ == "__main__":
    main()
