"""Some records of a request are refused: which die, which were taken, which are sent again."""

import orjson

from tests.support.works import Works, event, imported, update


def answer(*named: int) -> str:
    records = [{"index": n, "field": "properties.x", "message": "is odd"} for n in named]
    return orjson.dumps({"code": 400, "status": 0, "failed_records": records}).decode()


def test_records_that_an_answer_names_die_and_the_others_are_never_sent_again(works: Works) -> None:
    works.push(*[imported(f"u{n}") for n in range(5)])
    works.box.fault("status", endpoint="/import", status=400, body=answer(1, 3, 3), count=1)
    works.drain()
    assert len(works.box.requests) == 1
    assert works.reasons() == ["invalid", "invalid"]
    assert all(letter.error == "is odd" for letter in works.letters())
    assert works.books.totals["delivered"] == 3


def test_an_answer_that_names_a_record_that_was_not_sent_proves_nothing(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(5)])
    works.box.fault("status", status=400, body=answer(1, 99), count=1)
    works.drain()
    assert sorted(works.users()) == [f"u{n}" for n in range(5)]
    assert works.books.dead == 0


def test_of_two_thousand_updates_the_bad_one_dies_and_order_holds(works: Works) -> None:
    seen = [update(f"p{n % 7}", **{"$append": {"seen": n}}) for n in range(1_999)]
    works.push(*seen[:1_234], update("culprit", **{"$set": {"x": 1}}), *seen[1_234:])
    works.box.fault(
        "reject_distinct_id", match="culprit", status=200, body='{"status":0,"error":"bad"}'
    )
    works.drain()
    assert works.reasons() == ["rejected"]
    assert works.books.totals["delivered"] == 1_999
    for profile in range(7):
        expected = list(range(profile, 1_999, 7))
        assert works.box.profiles[f"p{profile}"]["seen"] == expected
