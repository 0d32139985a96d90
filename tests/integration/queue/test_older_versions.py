"""A Redis that mixrelay 0.1 wrote to, before and beside this version."""

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.queue import JobKind, LetterFilter, new_id
from tests.support.bench import Bench, event, update

GROUP = "dead:group:invalid|400|event"


def as_0_1_left_it(bench: Bench) -> None:
    """700 letters without the index by group, and no number of a schema."""
    bench.route(*(event(str(n)) for n in range(700)), update("u"))
    bench.bury(bench.take())
    bench.bury(bench.take("profile_update"))  # type: ignore[arg-type]
    groups = list(bench.redis.scan_iter(bench.key("dead:group:*").replace("{", "[{]")))
    assert len(groups) == 2
    bench.redis.delete(*groups, bench.key("schema"))


def mend(bench: Bench) -> None:
    for _ in range(100):
        if not bench.queue.mend(100):
            return
    pytest.fail("it never ends")


def test_letters_of_an_older_version_are_served_and_counted_before_they_are_indexed(
    bench: Bench,
) -> None:
    as_0_1_left_it(bench)
    wanted = LetterFilter(reason="invalid", type="event")
    assert bench.queue.letters.count(wanted) == 700
    assert bench.queue.jobs.plan(wanted).count == 700
    assert [group.is_indexed for group in bench.queue.letters.groups()] == [False, False]


def test_letters_of_an_older_version_are_indexed_in_bounded_steps(bench: Bench) -> None:
    as_0_1_left_it(bench)
    assert 0 < bench.queue.mend(100) < 700
    mend(bench)
    assert all(group.is_indexed for group in bench.queue.letters.groups())
    assert bench.redis.zrange(bench.key(GROUP), 0, -1) == bench.redis.zrange(
        bench.key("dead:type:event"), 0, -1
    )
    assert bench.redis.get(bench.key("schema")) == b"3"
    assert not bench.redis.exists(bench.key("mending"))
    assert bench.queue.mend() == 0


def test_what_an_older_program_moved_away_leaves_the_index(bench: Bench) -> None:
    bench.route(*(event(str(n)) for n in range(300)))
    bench.bury(bench.take())
    mend(bench)
    index = bench.redis.zrange(bench.key(GROUP), 0, -1, withscores=True)
    bench.queue.discard(["0-1", "0-2"])
    # As an older discard leaves it.
    bench.redis.zadd(bench.key(GROUP), dict(index))
    mend(bench)
    assert bench.redis.zcard(bench.key(GROUP)) == 298
    assert bench.queue.mend() == 0


def test_a_letter_that_only_the_index_still_names_is_not_moved(bench: Bench) -> None:
    bench.route(event("a"))
    bench.bury(bench.take())
    bench.redis.zadd(bench.key(GROUP), {"0-77": 1})
    wanted = LetterFilter(reason="invalid", type="event", status=400)
    job = bench.queue.jobs.start(JobKind.REPLAY, wanted, job_id=new_id(), who="ann")
    step = bench.queue.jobs.step(job)
    assert step.job is not None
    assert (step.job.moved, bench.queue.books().difference) == (1, 0)


def test_a_program_that_is_older_than_the_queue_changes_nothing(bench: Bench) -> None:
    bench.queue.push([event("a")])
    bench.redis.set(bench.key("schema"), 4)
    with pytest.raises(ResponseError, match=r"SCHEMA 4 .* knows up to 3"):
        bench.queue.route()
    assert bench.redis.llen(bench.queue.name) == 1


def test_what_a_newer_program_notes_of_a_letter_does_not_hide_it(bench: Bench) -> None:
    bench.route(event("a"))
    bench.bury(bench.take())
    stored = bench.redis.hget(bench.key("letters"), "0-1")
    assert stored is not None
    newer = stored.replace(b'{"', b'{"of_tomorrow":[1],"', 1)
    bench.redis.hset(bench.key("letters"), "0-1", newer)
    assert [one.id for one in bench.queue.letters.find(LetterFilter())] == ["0-1"]


def test_a_job_and_an_entry_that_a_newer_program_made_do_not_hide_the_others(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.bury(bench.take())
    jobs = bench.queue.jobs
    for name in ("old", "new"):
        job = jobs.start(JobKind.DISCARD, LetterFilter(event="a"), job_id=name, who="ann")
        assert jobs.step(job).is_over
    bench.redis.hset(bench.key("job:new"), "filter", '{"weather":"fine"}')
    assert [job.id for job in jobs.newest()] == ["old"]
    newer = {"what": "dance", "who": "x", "why": "", "count": 1, "job": "", "numbers": ""}
    bench.redis.xadd(bench.key("audit"), newer | {"filter": '{"weather":"fine"}'})
    assert [entry.what for entry in bench.queue.audit.newest()] == ["dance", "discard", "discard"]
