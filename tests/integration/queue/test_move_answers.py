"""What a move leaves behind so that it can be asked for again (rule 12)."""

from mixrelay.shared.queue import Division, Expansion, Part
from tests.support.bench import Bench, event


def test_a_letter_named_twice_in_one_replay_is_moved_once(bench: Bench) -> None:
    bench.route(event("a"))
    bench.bury(bench.take())
    assert bench.queue.replay(["0-1", "0-1"]) == 1
    books = bench.queue.books()
    assert (books.waiting, books.dead, books.difference) == (1, 0, 0)


def test_the_answer_to_every_move_is_kept_for_minutes_and_no_longer(bench: Bench) -> None:
    bench.route(event("a"), event("b"), b'["event","[1,2]"]')
    batch = bench.take()
    bench.queue.expand(batch, [Expansion("0-3", [event("c"), event("d")])], op="expand")
    bench.queue.divide(batch, Division([Part(["0-2"])]), op="divide")
    bench.bury(batch, ["0-1", "0-3.1"])
    bench.queue.replay(["0-1"], op="replay")
    bench.queue.discard(["0-3.1"], op="discard")
    kept = {name: bench.redis.ttl(name) for name in bench.redis.keys(bench.key("done:*"))}
    assert len(kept) == 5
    assert all(60 < seconds <= 3_600 for seconds in kept.values()), kept


def test_lines_of_a_log_that_are_loaded_twice_are_there_once(bench: Bench) -> None:
    """Whoever loads the same log at the same time, or asks again, is told where it stands."""
    lines = [event("a"), event("b")]
    assert bench.queue.loads.load("log", lines, before="", after="2") == "2"
    assert bench.queue.loads.load("log", lines, before="", after="2") == "2"
    assert bench.queue.loads.load("log", lines[:1], before="", after="1") == "2"
    assert bench.redis.llen(bench.queue.name) == 2
