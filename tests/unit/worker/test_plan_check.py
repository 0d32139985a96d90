"""Sorting with a tracking plan: the same records go, whether they were checked as one or alone."""

from __future__ import annotations

import json
import random

import pytest

from mixrelay.shared.mixpanel.unasked import NoticeKind
from mixrelay.shared.plan import TrackingPlan
from mixrelay.shared.queue import Lane
from mixrelay.worker.deliver.classification import sort
from mixrelay.worker.plan_check import PlanCheck
from tests.unit.worker.test_sorting import NOW, PREPARATION, batch

SCHEMA = {"required": ["a"], "properties": {"a": {"type": "integer"}}}
USER = {"properties": {"Plan": {"type": "string"}}}
PLAN = TrackingPlan.of(
    [
        {"entityType": "event", "name": "E", "schemaJson": SCHEMA},
        {"entityType": "profile", "name": "$user", "schemaJson": USER},
    ]
)


def event(name: str = "E", token: str = "ours", **properties: object) -> bytes:
    inside = {"token": token, "distinct_id": "u", "time": NOW, **properties}
    return json.dumps(
        ["event", json.dumps({"data": {"event": name, "properties": inside}})]
    ).encode()


def update(**fields: object) -> bytes:
    record = {"$token": "ours", "$distinct_id": "u", "$set": fields}
    return json.dumps(["profile_update", json.dumps({"data": record})]).encode()


def check(*, refuses: bool, token: str | None = "ours") -> PlanCheck:
    return PlanCheck(PLAN, token=token, refuses=refuses)


@pytest.mark.parametrize("seed", range(20))
def test_counted_or_refused_the_same_records_are_found(seed: int) -> None:
    chance = random.Random(seed)
    kinds = [event(a=1)] * 6 + [event(), event(a="x"), event("F"), event("$x"), event(a=1, b=2)]
    members = chance.choices(kinds, k=chance.choice([3, 100, 230]))
    off = [n for n, one in enumerate(members) if one in {event(), event(a="x"), event("F")}]
    reported = sort(batch(*members), PREPARATION, NOW, plan=check(refuses=False))
    refused = sort(batch(*members), PREPARATION, NOW, plan=check(refuses=True))
    plain = sort(batch(*members), PREPARATION, NOW)
    assert reported.body() == plain.body()
    found = [(number, one.kind) for number, one in reported.found()]
    assert found == [(f"0-{n}", NoticeKind.OFF_PLAN) for n in off]
    assert [dead.number for dead in refused.dead] == [f"0-{n}" for n in off]
    assert refused.count == len(members) - len(off)
    assert [*refused.found()] == []


def test_records_that_were_checked_as_one_keep_what_was_found_of_them_apart() -> None:
    found = sort(batch(event(), event(a=1)), PREPARATION, NOW, plan=check(refuses=False))
    first, second = found.records
    assert ([one.kind for _, one in first.found], second.found) == ([NoticeKind.OFF_PLAN], ())


def test_updates_are_held_too() -> None:
    given = batch(update(Plan=1), update(Plan="a"), lane=Lane.PROFILE_UPDATE)
    [dead] = sort(given, PREPARATION, NOW, plan=check(refuses=True)).dead
    assert (dead.number, dead.field, dead.reason) == ("0-0", "$set.Plan", "off_plan")


def test_only_a_records_own_project_is_meant() -> None:
    given = batch(event(token="theirs"), event(token=""), event())
    assert len(sort(given, PREPARATION, NOW, plan=check(refuses=True)).dead) == 2
    assert len(sort(given, PREPARATION, NOW, plan=check(refuses=True, token=None)).dead) == 3
