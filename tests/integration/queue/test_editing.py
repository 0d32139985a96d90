"""An edit replaces a letter and keeps what was pushed (rule 1)."""

import pytest

from mixrelay.shared.queue import Edited, Lane, Letter, LetterFilter, Number
from mixrelay.shared.tuples import MalformedTupleError
from tests.support.bench import Bench, event, update

BYTES = b"\xff\x00\r\n no tuple"


def letter(bench: Bench, number: str = "0-1") -> Letter:
    found = bench.queue.letters.get(Number(number))
    assert found is not None
    return found


def unreadable(bench: Bench) -> Letter:
    bench.route(BYTES)
    bench.bury(bench.take(Lane.ODD), reason="malformed", status=0)
    return letter(bench)


def test_an_edit_replaces_the_message_and_keeps_the_original_byte_for_byte(bench: Bench) -> None:
    before = unreadable(bench)
    assert bench.queue.edit(before, event("b"), who="ann", why="typo") is Edited.DONE
    after = letter(bench)
    assert (after.payload, after.original) == (event("b"), BYTES)
    assert (after.type, after.lane) == ("event", "event")
    assert (after.reason, after.dead_since) == (before.reason, before.dead_since)
    assert [(edit.who, edit.why, edit.restored) for edit in after.edits] == [("ann", "typo", False)]
    assert [one.id for one in bench.queue.letters.find(LetterFilter(type="event"))] == ["0-1"]
    assert bench.queue.letters.count(LetterFilter(type="unknown")) == 0
    [entry] = bench.queue.audit.newest()
    assert (entry.what, entry.who, entry.why, entry.count) == ("edit", "ann", "typo", 1)
    assert bench.queue.books().difference == 0


def test_a_second_edit_keeps_the_first_original_and_it_can_be_put_back(bench: Bench) -> None:
    first = unreadable(bench)
    bench.queue.edit(first, event("b"))
    bench.queue.edit(letter(bench), update("u"))
    edited = letter(bench)
    assert (edited.original, edited.type) == (BYTES, "profile_update")
    assert edited.original is not None
    assert bench.queue.edit(edited, edited.original, who="ann") is Edited.DONE
    restored = letter(bench)
    assert (restored.payload, restored.original) == (BYTES, None)
    assert (restored.type, restored.lane) == ("unknown", "odd")
    assert [edit.restored for edit in restored.edits] == [False, False, True]


def test_the_original_survives_a_replay_and_a_second_death(bench: Bench) -> None:
    bench.queue.edit(unreadable(bench), event("b"), who="ann")
    bench.queue.replay(["0-1"])
    batch = bench.take()
    assert batch.members[0].payload == event("b")
    bench.bury(batch)
    again = letter(bench)
    assert (again.payload, again.original, len(again.edits)) == (event("b"), BYTES, 1)
    bench.queue.replay(["0-1"])
    bench.deliver(bench.take())
    assert bench.redis.exists(bench.key("history"), bench.key("letters")) == 0


@pytest.mark.parametrize("payload", [b"", b"{}", b'["visit","{}"]', b'["event","{}x"]', b"\xff"])
def test_what_no_worker_could_read_is_no_edit(bench: Bench, payload: bytes) -> None:
    before = unreadable(bench)
    with pytest.raises(MalformedTupleError):
        bench.queue.edit(before, payload)
    assert letter(bench) == before


def test_two_who_edit_the_same_letter_do_not_overwrite_each_other(bench: Bench) -> None:
    seen = unreadable(bench)
    assert bench.queue.edit(seen, event("b")) is Edited.DONE
    assert bench.queue.edit(seen, event("c")) is Edited.CHANGED
    assert letter(bench).payload == event("b")
    bench.queue.discard(["0-1"])
    assert bench.queue.edit(seen, event("c")) is Edited.GONE
    assert bench.queue.books().dead == 0


def test_a_repeated_edit_answers_as_the_first_did(bench: Bench) -> None:
    seen = unreadable(bench)
    assert bench.queue.edit(seen, event("b"), op="op") is Edited.DONE
    assert bench.queue.edit(seen, event("b"), op="op") is Edited.DONE
    assert len(letter(bench).edits) == 1
