"""A fix is a bulk job: by a worker, at a rate, by a program, and undone as a whole."""

import json
from pathlib import Path
from typing import Any

import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import JobState, Letter, LetterFilter, Queue
from tests.support.bench import Bench
from tests.support.console import called
from tests.support.letters import bury, deliver_all, event

DEEP = [[[[["book"]]]]]
CUT = ("--all", "--delete", "properties.Cart")


def dlq(redis_url: str, *arguments: str, expect: int = 0) -> str:
    return called("dlq", *arguments, expect=expect, MIXRELAY_REDIS_URL=redis_url)[0]


def fixed(redis_url: str, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(dlq(redis_url, "fix", "--json", *arguments)))


def undone(redis_url: str, job: str) -> int:
    return int(json.loads(dlq(redis_url, "fix", "--undo", job, "--json"))["undone_now"])


def letters(queue: Queue) -> list[Letter]:
    return list(queue.letters.find(LetterFilter()))


def test_in_the_background_letters_are_corrected_first_and_a_worker_sends_them(
    queue: Queue, redis_url: str
) -> None:
    bury(queue, [event("E", f"u{n}", Cart=DEEP) for n in range(5)])
    out, err = called(
        *("dlq", "fix", *CUT, "--background", "--rate", "100"), MIXRELAY_REDIS_URL=redis_url
    )
    [job] = queue.jobs.newest()
    assert f"Corrected 5 letters; a worker re-queues them: job {job.id}." in out
    assert "No worker runs: the job waits until one does" in err
    assert (job.state, job.planned, job.named, job.rate) == (JobState.QUEUED, 5, 5, 100)
    assert not any(b"Cart" in one.payload for one in letters(queue))
    assert queue.jobs.stalled() == [job.id]
    step = queue.jobs.step(job)
    assert step.is_over
    assert (len(deliver_all(queue)), letters(queue)) == (5, [])
    told = json.loads(dlq(redis_url, "jobs", "--json"))
    assert [told[name] for name in ("kind", "requeued", "delivered")] == ["fix", 5, 5]


def test_what_is_not_requeued_yet_is_undone_byte_for_byte(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E", f"u{n}", Cart=DEEP) for n in range(5)])
    before = {one.id: one.payload for one in letters(queue)}
    job = fixed(redis_url, *CUT, "--background")["job"]
    assert undone(redis_url, job) == 5
    after = letters(queue)
    assert {one.id: one.payload for one in after} == before
    assert [(one.original, one.fixed) for one in after] == [(None, None)] * 5
    assert after[0].edits[-1].restored
    found = queue.jobs.get(job)
    assert found is not None
    assert (found.state, found.undone) == (JobState.CANCELLED, 5)
    assert undone(redis_url, job) == 0
    assert fixed(redis_url, *CUT)["requeued"] == 5


def test_what_failed_again_is_undone_and_what_was_delivered_is_not(
    queue: Queue, redis_url: str
) -> None:
    bury(queue, [event("E", f"u{n}", Cart=DEEP) for n in range(3)])
    first = letters(queue)[0]
    queue.edit(first, event("E", "ann", Cart=DEEP), who="ann")
    edited = queue.letters.get(first.id)
    assert edited is not None
    job = fixed(redis_url, *CUT)["job"]
    bench = Bench(queue)
    batch = bench.take()
    bench.bury(batch, [first.id])
    bench.deliver(batch)
    assert undone(redis_url, job) == 1
    [again] = letters(queue)
    assert (again.payload, again.original) == (edited.payload, first.payload)
    assert json.loads(dlq(redis_url, "jobs", "--json"))["undone"] == 1


def test_a_letter_that_someone_edited_since_is_neither_sent_nor_undone(
    queue: Queue, redis_url: str
) -> None:
    [number, _] = bury(queue, [event("E", f"u{n}", Cart=DEEP) for n in range(2)])
    job_id = fixed(redis_url, *CUT, "--background")["job"]
    letter = queue.letters.get(number)
    assert letter is not None
    queue.edit(letter, event("Mine"), who="ann")
    job = queue.jobs.get(job_id)
    assert job is not None
    done = queue.jobs.step(job).job
    assert done is not None
    assert (done.moved, done.skipped) == (1, 1)
    assert undone(redis_url, job_id) == 0
    [left] = letters(queue)
    assert left.payload == event("Mine")


def test_a_replay_is_no_fix_to_undo(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E")])
    dlq(redis_url, "replay", "--all")
    [job] = queue.jobs.newest()
    dlq(redis_url, "fix", "--undo", job.id, expect=ExitCode.FINDING)
    dlq(redis_url, "fix", "--undo", "nothing", expect=ExitCode.FINDING)
    dlq(redis_url, "fix", "--undo", job.id, "--all", expect=ExitCode.USAGE)


PROGRAM = """
def fix(record):
    properties = record["properties"]
    if properties["n"] == 2:
        raise KeyError("no price")
    properties["Cart"] = properties["Cart"][:1]
    properties["price"] = properties.pop("cents") / 100
"""


def test_a_program_corrects_records_and_what_it_fails_on_stays(
    queue: Queue, redis_url: str, tmp_path: Path
) -> None:
    program = tmp_path / "fix.py"
    program.write_text(PROGRAM)
    bury(queue, [event("E", "u", Cart=list(range(300)), n=n, cents=450) for n in range(3)])
    told = fixed(redis_url, "--all", "--program", str(program), "--delete", "properties.n")
    assert (told["requeued"], told["still_breaking"]) == (2, 1)
    [breach] = told["breaches"]
    assert breach["rule"] == "program fix.py failed with KeyError: 'no price'"
    record = told["samples"][0]["after"][1]["data"]
    assert record["properties"] == {"distinct_id": "u", "Cart": [0], "price": 4.5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "has no function: write def fix(record)"),
        ("1 / 0", "failed with ZeroDivisionError"),
        ("raise SystemExit(3)", "failed with SystemExit"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_no_program_is_refused(
    redis_url: str, tmp_path: Path, text: str | None, said: str
) -> None:
    program = tmp_path / "fix.py"
    if text is not None:
        program.write_text(text)
    _, refused = called(
        *("dlq", "fix", "--all", "--program", str(program)),
        expect=ExitCode.USAGE,
        MIXRELAY_REDIS_URL=redis_url,
        COLUMNS="300",
    )
    assert said in " ".join(refused.replace("│", " ").split())


def test_an_expression_of_jq_corrects_where_the_library_is(queue: Queue, redis_url: str) -> None:
    pytest.importorskip("jq")
    bury(queue, [event("E", "u", Cart=DEEP)])
    told = fixed(redis_url, "--all", "--jq", "del(.properties.Cart)")
    assert told["requeued"] == 1
    dlq(redis_url, "fix", "--all", "--jq", ".[", expect=ExitCode.USAGE)
