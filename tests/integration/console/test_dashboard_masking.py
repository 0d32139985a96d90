"""A page that masks shows no value of a message, wherever a message could stand."""

import json

import pytest

from mixrelay.shared.queue import Number
from tests.support.bench import Bench

SECRET = "ann@example.com"


@pytest.fixture
def number(bench: Bench) -> Number:
    record = {"event": "Bought", "properties": {"distinct_id": "d", "email": SECRET}}
    bench.route(json.dumps(["event", json.dumps({"data": record})]).encode())
    batch = bench.take()
    bench.bury(batch)
    [letter] = bench.queue.letters.get_many([member.number for member in batch.members])
    bench.queue.edit(letter, letter.payload.replace(b"Bought", b"Sold"), who="bob")
    return letter.id


@pytest.mark.parametrize("read_only", [False, True])
def test_no_page_shows_a_value(dashboard_of, number, read_only):
    masked = dashboard_of(mask=True, read_only=read_only)

    for path in ("/letters", f"/letters/{number}", f"/letters/{number}/edit", "/audit"):
        shown = masked.get(path).text
        assert SECRET not in shown, path
    assert "nothing can be edited" in masked.get(f"/letters/{number}/edit").text


def test_one_that_does_not_mask_shows_them(page, number):
    for path in (f"/letters/{number}", f"/letters/{number}/edit"):
        assert SECRET in page.get(path).text


def test_a_page_that_only_reads_has_no_editor(dashboard_of, number):
    shown = dashboard_of(read_only=True).get(f"/letters/{number}/edit").text
    assert "<form" not in shown
