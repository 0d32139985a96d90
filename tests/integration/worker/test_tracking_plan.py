"""A worker that holds records to a tracking plan: counts them, or makes dead letters of them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.support.works import TOKEN, Works, event, group, update

SHOP = Path(__file__).parents[2] / "data" / "plan" / "shop.json"
PLAN = {"tracking_plan": str(SHOP)}
REFUSING = {**PLAN, "tracking_plan_action": "dead-letter"}


def named(user, name, **properties):
    """An event of a name."""
    kind, message = orjson.loads(event(user, **properties))
    parsed = orjson.loads(message)
    parsed["data"]["event"] = name
    return orjson.dumps([kind, orjson.dumps(parsed).decode()])


def traffic():
    """What a shop tracks: 160 records as the plan says, and five that are not."""
    good = [named(f"u{n}", "Item Added", Item="Tea", Price=n) for n in range(150)]
    off = [
        named("off1", "Item Added", Item="Tea", Price="9.50"),
        named("off2", "Item Added", Price=9),
        named("off3", "Item added", Item="Tea", Price=9),
        named("off4", "Signed Up", plan="Basic"),
        update("off5", **{"$set": {"Plan": 7}}),
    ]
    others = [
        *[named(f"own{n}", "$experiment_started") for n in range(3)],
        *[update(f"p{n}", **{"$set": {"Plan": "Basic"}}) for n in range(3)],
        *[group(f"g{n}", **{"$set": {"Plan": 7}}) for n in range(4)],
    ]
    return [*good[:70], *off, *good[70:], *others]


def test_reported_records_are_sent_counted_and_have_an_example(works: Works) -> None:
    works.push(*traffic())
    works.drain(**PLAN)
    assert len(works.box.events) == 157
    books = works.books
    assert (books.dead, books.difference) == (0, 0)
    assert books.totals["noticed:off_plan"] == 5
    [notice] = [one for one in books.notices if one.kind == "off_plan"]
    assert notice.name in {"Item Added", "$set"}
    assert (notice.field, notice.detail) in {
        ("properties.Price", "the tracking plan says number; this is a text"),
        ("$set.Plan", "the tracking plan says string; this is a number"),
    }
    stored = works.queue.redis.hgetall(f"{{{works.queue.name}}}:notices")
    assert b"9.50" not in b"".join(stored.values())


def test_refused_records_are_dead_letters_with_field_and_rule(works: Works) -> None:
    works.push(*traffic())
    works.drain(**REFUSING)
    assert len(works.box.events) == 153
    assert works.reasons() == ["off_plan"] * 5
    assert sorted((one.field, one.error) for one in works.letters()) == [
        ("$set.Plan", "the tracking plan says string; this is a number"),
        ("event", "the tracking plan has no event of this name"),
        ("properties.Item", "the tracking plan requires it"),
        ("properties.Price", "the tracking plan says number; this is a text"),
        ("properties.plan", "the tracking plan has no such property"),
    ]
    assert works.books.difference == 0
    assert works.books.totals.get("noticed:off_plan", 0) == 0


def test_a_letter_goes_out_once_the_plan_was_corrected(works: Works, tmp_path: Path) -> None:
    works.push(named("u", "Paid"))
    works.drain(**REFUSING)
    assert works.reasons() == ["off_plan"]
    listed = orjson.loads(SHOP.read_bytes())["results"]
    corrected = tmp_path / "plan.json"
    paid = {"entityType": "event", "name": "Paid", "schemaJson": {}}
    corrected.write_bytes(orjson.dumps({"entries": [*listed, paid]}))
    works.queue.replay([one.id for one in works.letters()], who="test")
    works.drain(**{**REFUSING, "tracking_plan": str(corrected)})
    assert (works.users(), works.reasons()) == (["u"], [])


def test_what_breaks_mixpanels_rules_is_dead_for_that(works: Works) -> None:
    works.push(named("u", "Paid", time="noon"), named("u", "Paid", **{"$ignore": True}))
    works.drain(**REFUSING)
    assert works.reasons() == ["invalid"]
    assert works.books.totals["ignored"] == 1


@pytest.mark.parametrize("own", [True, False])
def test_another_projects_records_are_not_held_to_it(works: Works, own: bool) -> None:
    token = TOKEN if own else "token-of-others"
    works.push(named("u", "Paid", token=token), named("v", "Payed", token=token))
    settings = works.settings(prove_tokens=False)
    works.drain(to=settings, **REFUSING)
    assert works.reasons().count("off_plan") == (2 if own else 0)


def test_without_a_token_of_its_own_a_worker_holds_all(works: Works) -> None:
    works.push(named("u", "Paid", token="token-of-others"))
    works.drain(to=works.settings(token="", prove_tokens=False), **REFUSING)
    assert works.reasons() == ["off_plan"]


def test_a_plan_that_cannot_be_used_is_refused_at_the_start(works: Works, tmp_path: Path) -> None:
    schema = {"properties": {"Price": {"type": "nmber"}}}
    plan = tmp_path / "plan.json"
    plan.write_bytes(orjson.dumps([{"entityType": "event", "name": "Paid", "schemaJson": schema}]))
    works.push(named("u", "Paid"))
    running = works.start("--burst", MIXRELAY_TRACKING_PLAN=str(plan))
    assert running.exit_code() == 1  # as of every setting that cannot work
    said = " ".join(running.log.split())
    for part in ("MIXRELAY_TRACKING_PLAN", "plan.json", "event 'Paid'", "Price.type: 'nmber'"):
        assert part in said, running.log
    assert works.books.waiting == 1


def test_a_worker_that_forks_holds_to_the_plan(works: Works) -> None:
    works.push(*traffic())
    plan = {
        "MIXRELAY_TRACKING_PLAN": str(SHOP),
        "MIXRELAY_TRACKING_PLAN_ACTION": "dead-letter",
    }
    running = works.start("--burst", **plan)
    assert running.exit_code(60) == 0, running.log
    assert works.reasons() == ["off_plan"] * 5
