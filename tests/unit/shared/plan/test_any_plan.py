"""Whatever a plan's file holds, it is read or refused in words, and nothing is looked up."""

from __future__ import annotations

import copy
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.plan import TrackingPlan
from mixrelay.shared.tuples import Kind

SHOP = orjson.loads((Path(__file__).parents[3] / "data" / "plan" / "shop.json").read_bytes())
CASES = 150
LONGEST = 3_000
"""Characters of an error."""

KEYS = [
    "type",
    "properties",
    "required",
    "$ref",
    "$id",
    "$schema",
    "definitions",
    "allOf",
    "if",
    "additionalProperties",
    "patternProperties",
    "format",
    "enum",
    "items",
    "name",
    "entityType",
    "schemaJson",
    "results",
    "minimum",
    "$defs",
    "unevaluatedProperties",
    "dependencies",
    "const",
    "$schema",
    "$ref",
]
EVENTS = [
    {"event": name, "properties": properties}
    for name in ("Item Added", "Signed Up", "No")
    for properties in ({"Item": "Tea", "Price": 9}, {"Item": 1, "Price": "x", "Tags": [1]}, {})
]


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A server that nobody is to ask."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def junk(address: str) -> list[Any]:
    """Values that have no place in a plan, or the wrong one."""
    plain = [None, True, 0, -1, 1.5, 1e300, "", "x", "#", "(", [], {}, ["a"], {"a": 1}, 2**63]
    schemas = [
        *({"$ref": "#"}, {"$ref": "#/properties/Item"}, {"not": {}}, {"pattern": "(a+)+$"}),
        *({"multipleOf": 0}, {"enum": []}, {"format": "regex"}, {"type": "object"}),
    ]
    away = [address, {"$ref": address}, {"$schema": address}, {"$id": address, "$ref": "b.json"}]
    return [*plain, *schemas, *away, "file:///etc/passwd", {"$ref": "file:///etc/passwd"}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def changed(chance: random.Random, values: list[Any]) -> Any:
    """The shop's plan with something wrong in it."""
    document = copy.deepcopy(SHOP)
    for _ in range(chance.randint(1, 4)):
        *outer, key = chance.choice([path for path in places(document) if path])
        parent = document
        for step in outer:
            parent = parent[step]
        value = copy.deepcopy(chance.choice(values))
        if isinstance(parent[key], dict) and chance.random() < 0.5:
            parent[key][chance.choice(KEYS)] = value
        elif chance.random() < 0.2:
            del parent[key]
        else:
            parent[key] = value
    return document


@pytest.mark.parametrize("seed", range(6))
def test_any_plan_is_used_or_refused_in_words(seed: int, elsewhere: socket.socket) -> None:
    chance = random.Random(seed)
    values = junk(f"http://127.0.0.1:{elsewhere.getsockname()[1]}/schema")
    used: list[Any] = []
    refusals: list[str] = []
    for _ in range(CASES):
        document = changed(chance, values)
        try:
            plan = TrackingPlan.of(document)
        except ConfigurationError as error:
            refusals.append(str(error))
            continue
        used.append(document)
        for event in EVENTS:
            breaches = plan.breaches(Kind.EVENT, event)
            assert plan.all_hold(Kind.EVENT, [event]) is not bool(breaches)
    assert len(used) + len(refusals) == CASES
    assert used
    assert max(map(len, refusals)) < LONGEST
    with pytest.raises(BlockingIOError):
        elsewhere.accept()
