"""Loading scripts, and keys that hold something foreign."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import (
    Batch,
    Dead,
    Division,
    Expansion,
    Job,
    JobKind,
    JobState,
    Lane,
    Letter,
    LetterFilter,
    Number,
    Part,
    Returned,
    Settlement,
)
from mixrelay.shared.queue.base.clock import Ahead
from mixrelay.shared.queue.base.scripts import NAMES, sha, source
from mixrelay.shared.queue.messages.taking_out import Gone, Taking
from tests.support.bench import Bench, event, numbers, outage, update


def test_each_script_says_what_it_may_do() -> None:
    flags = {name: source(name).splitlines()[0] for name in NAMES}
    for looking in ("books", "page", "in_order", "groups", "gates", "leased"):
        assert flags.pop(looking) == "#!lua flags=no-writes"
    for pushing in ("load", "import", "hot"):
        assert flags.pop(pushing) == "#!lua"
    assert set(flags.values()) == {"#!lua flags=allow-oom"}


def test_a_script_is_named_by_the_servers_own_hash(bench: Bench) -> None:
    assert [bench.redis.script_load(source(name)) for name in NAMES] == list(map(sha, NAMES))


def test_the_books_run_where_nothing_may_be_written(bench: Bench) -> None:
    bench.route(event("a"))
    flags = ["keys", "2", bench.queue.name, bench.key("x")[:-2]]
    reply = bench.redis.execute_command("EVAL_RO", source("books"), "2", *flags[2:])
    assert b'"received":"1"' in reply[0]


def test_forgotten_scripts_are_loaded_again(bench: Bench) -> None:
    def forget() -> None:
        bench.redis.script_flush()

    bench.queue.push([event("a"), event("b"), event("c")])
    forget()
    bench.queue.route()
    forget()
    batch = bench.take()
    forget()
    bench.queue.extend([batch], 60)
    forget()
    bench.queue.begin(batch)
    forget()
    bench.queue.divide(batch, Division([Part(["0-3"])]))
    forget()
    bench.bury(batch, ["0-1", "0-2"])
    forget()
    assert bench.queue.replay(["0-1"]) == 1
    forget()
    assert bench.queue.discard(["0-2"]) == 1
    forget()
    assert bench.queue.books().difference == 0


def test_another_error_of_the_server_is_not_taken_for_a_foreign_key(bench: Bench) -> None:
    bench.redis.hset(bench.key("batches"), "x", "no json")
    with pytest.raises(ResponseError):
        bench.queue.books()


# What each move writes to, beside the keys that every script looks at.
FIXED = [
    "id",
    "number",
    "empty_at",
    "partitions",
    "clock",
    "mending",
    "dead:order",
    "lane:event",
    "lane:import",
    "lane:profile_update",
    "lane:group_update",
    "lane:odd",
    "order:profile_update",
    "lines:profile_update",
    "busy:group_update",
    "waiting:event",
    "parked:event",
    "parked:profile_update",
    "batches",
    "claims",
    "leases",
    "letters",
    "history",
    "dead",
    "dead:counts",
    "dead:type:event",
    "accepted",
    "pauses",
    "held",
    "totals",
]

MOVES: dict[str, Callable[[Bench, Batch], Any]] = {
    "route": lambda bench, _: bench.queue.route(),
    "reserve": lambda bench, _: bench.reserve(),
    "extend": lambda bench, batch: bench.queue.extend([batch], 60),
    "begin": lambda bench, batch: bench.queue.begin(batch, doubtful=1),
    "deliver": lambda bench, batch: bench.queue.settle(
        batch, Settlement(delivered="all", sent=True, accepted=True, destination="track/1")
    ),
    "bury": lambda bench, batch: bench.queue.settle(
        batch, Settlement(dead=[Dead("0-2", "invalid", "x", status=400)], sent=True)
    ),
    "move": lambda bench, batch: bench.queue.settle(
        batch, Settlement(move_to=Lane.IMPORT, move=["0-2"])
    ),
    "park": lambda bench, batch: bench.queue.settle(
        batch, Settlement(rest=outage(), sent=True, destination="track/1")
    ),
    "back": lambda bench, batch: bench.queue.settle(batch, Settlement(rest="back")),
    "divide": lambda bench, batch: bench.queue.divide(batch, Division([Part(["0-3"])])),
    "expand": lambda bench, batch: bench.queue.expand(
        batch, [Expansion(numbers(batch)[0], [event("x")])]
    ),
    "end_leases": lambda bench, _: bench.queue.end_leases("worker", died=True),
    "replay": lambda bench, _: bench.queue.replay(["0-1"]),
    "discard": lambda bench, _: bench.queue.discard(["0-1"]),
    "edit": lambda bench, _: bench.queue.edit(LETTER, event("edited")),
    "import": lambda bench, _: bench.queue.import_letters(
        "file", [RETURNED], before="", after="1", who="ann", why=""
    ),
    "expire": lambda bench, _: bench.queue.retention.expire(None, 0),
    "job_start": lambda bench, _: bench.queue.jobs.start(
        JobKind.REPLAY, LetterFilter(), job_id="new", who="ann"
    ),
    "job_step": lambda bench, _: bench.queue.jobs.step(JOB),
    "job_change": lambda bench, _: bench.queue.jobs.cancel("job", who="ann"),
    "job_stalled": lambda bench, _: bench.queue.jobs.stalled(),
    "hold": lambda bench, _: bench.queue.pause(Lane.EVENT, who="ann", why=""),
    "take_out": lambda bench, _: Taking(
        bench.queue.backlog, lambda _: None, "erased", "ann", ""
    ).take_letters(0, [("0-1", Gone(1, 1))]),
    "alert": lambda bench, _: bench.queue.alerts.begin("oldest", "watcher", ""),
    "mend": lambda bench, _: bench.queue.mend(),
    "clock": lambda bench, _: bench.queue._partitions[0].clock.make_up(Ahead(600_000, 0), 0, 60),
    "books": lambda bench, _: bench.queue.books(),
}

INDEXES = ["dead:reason:first", "dead:status:418", "dead:group:first|418|event", "audit"]

OWN = {
    "route": ["<list>"],
    "deliver": ["batch", "pause:track/1"],
    "bury": [
        "batch",
        "pause:track/1",
        "dead:reason:invalid",
        "dead:status:400",
        "dead:group:invalid|400|event",
    ],
    "move": ["batch"],
    "park": ["batch", "pause:track/1"],
    "back": ["batch", "pause:track/1"],
    "divide": ["batch", "pause:track/1"],
    "expand": ["batch"],
    "end_leases": ["batch", "pause:track/1", "dead:reason:poison"],
    "replay": INDEXES,
    "discard": INDEXES,
    "edit": INDEXES,
    "import": ["loads", *INDEXES],
    "expire": ["retention", "audit"],
    "job_start": ["jobs", "jobs:live", "job:new", "job:new:ids", "audit"],
    "job_step": ["jobs:live", *INDEXES],
    "job_change": ["jobs:live", "job:job:ids", "audit"],
    "job_stalled": ["jobs:live", "audit"],
    "hold": ["audit"],
    "take_out": INDEXES,
    "alert": ["alerts"],
    "mend": ["mending"],
    "clock": ["tokens", "jobs:live", "job:job"],
}


AGO = datetime(2026, 1, 1, tzinfo=UTC)
LETTER = Letter(
    Number("0-1"), "event", "event", "first", 418, "", "", 1, 0, AGO, AGO, event("letter")
)
RETURNED = Returned(
    {"reason": "first", "status": 418, "error": "", "field": "", "attempts": 1, "replays": 0}
    | {"first_seen": 1},
    event("letter"),
)
JOB = Job(
    id="job",
    kind=JobKind.REPLAY,
    state=JobState.QUEUED,
    wanted=LetterFilter(),
    named=1,
    rate=None,
    who="ann",
    why="",
    background=True,
    planned=None,
    looked=0,
    matched=0,
    moved=0,
    skipped=0,
    missing=(),
    created=AGO,
    started=None,
    finished=None,
    error="",
    cursor="",
)


def ready(bench: Bench) -> Batch:
    """A queue where each move has something to do."""
    bench.route(event("letter"))
    bench.bury(bench.take(), reason="first", status=418)
    bench.route(event("a"), event("b"))
    batch = bench.take()
    bench.queue.push([event("c"), update("p"), b"odd"])
    bench.queue.jobs.start(JobKind.REPLAY, [Number("0-1")], job_id="job", who="ann")
    return batch


def foreign(bench: Bench, key: str) -> None:
    bench.redis.delete(key)
    strings = (":id", ":number", ":empty_at", ":partitions", ":mending", ":clock")
    if key == bench.key("batches") or not key.endswith(strings):
        bench.redis.set(key, "foreign")
    else:
        bench.redis.sadd(key, "foreign")


@pytest.mark.parametrize("move", MOVES)
def test_a_foreign_value_in_any_key_stops_a_move_untouched(bench: Bench, move: str) -> None:
    for name in FIXED + OWN.get(move, []):
        bench.redis.flushall()
        batch = ready(bench)
        shown = {"<list>": bench.queue.name, "batch": bench.key(f"batch:{batch.id}")}
        key = shown.get(name, bench.key(name))
        foreign(bench, key)
        before = bench.dump()
        with pytest.raises(WrongKeyType, match="Nothing was changed"):
            MOVES[move](bench, batch)
        assert bench.dump() == before, name


def test_a_number_that_is_none_stops_routing_before_it_takes_anything(bench: Bench) -> None:
    bench.redis.set(bench.key("number"), "many")
    bench.queue.push([event("a")])
    with pytest.raises(WrongKeyType, match="holds no number"):
        bench.queue.route()
    assert bench.redis.llen(bench.queue.name) == 1


def test_the_message_names_the_key_and_what_it_holds(bench: Bench) -> None:
    bench.redis.set(bench.key("letters"), "x")
    with pytest.raises(WrongKeyType, match=r"\{mixpanel_queue\}:letters' holds a string, not a h"):
        bench.queue.route()


@pytest.mark.parametrize("most", [None, 100_000])
def test_a_push_of_any_number_of_tuples_is_one(bench: Bench, most: int | None) -> None:
    """More than one unpack takes."""
    tuples = [b'["event","%d"]' % number for number in range(20_000)]
    bench.queue.loads.load("a log", tuples, before="", after="1 x", most=most)
    assert bench.redis.lrange(bench.queue.name, 0, -1) == tuples
