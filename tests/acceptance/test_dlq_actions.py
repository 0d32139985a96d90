"""`mixrelay dlq` edit, import, jobs and audit, as an operator uses them."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import JobKind, JobState, LetterFilter, Number, Queue
from tests.support.command import COMMAND, environment, mixrelay
from tests.support.console import called
from tests.support.fleet import wait_until
from tests.support.letters import bury, deliver_all, event
from tests.support.processes import Process


def dlq(redis_url: str, *arguments: str, expect: int = 0) -> str:
    return called("dlq", *arguments, expect=expect, MIXRELAY_REDIS_URL=redis_url)[0]


def exported(redis_url: str, file: Path, *filters: str) -> list[dict[str, object]]:
    text = dlq(redis_url, "export", "--raw", *filters)
    file.write_text(text)
    return [json.loads(line) for line in text.splitlines()]


def test_an_export_of_every_byte_can_be_imported_once(
    queue: Queue, redis_url: str, tmp_path: Path
) -> None:
    payloads = [bytes([byte]) * 3 for byte in range(256)] + [event("Play", "ann"), b""]
    bury(queue, payloads, error="é\x00\n", field="f")
    dlq(redis_url, "replay", "--event", "Play")
    bury(queue, [], "rejected")
    file = tmp_path / "letters.jsonl"
    before = exported(redis_url, file)
    dlq(redis_url, "discard", "--all")
    assert dlq(redis_url, "import", str(file)) == "Imported 258 letters.\n"
    assert dlq(redis_url, "import", str(file)) == "Imported 0 letters.\n"
    after = exported(redis_url, tmp_path / "again.jsonl")
    changing = {"id", "dead_since", "requeued_by"}

    def kept(letters: list[dict[str, object]]) -> list[str]:
        left = ({k: v for k, v in one.items() if k not in changing} for one in letters)
        return sorted(json.dumps(one) for one in left)

    assert kept(after) == kept(before)
    assert not {one["id"] for one in after} & {one["id"] for one in before}
    letters = list(queue.letters.find(LetterFilter()))
    assert sorted(letter.payload for letter in letters) == sorted(payloads)
    assert {letter.imported.id for letter in letters if letter.imported} == {
        one["id"] for one in before
    }
    books = queue.books()
    assert (books.totals["imported"], books.difference) == (258, 0)
    assert dlq(redis_url, "import", str(file), "--again") == "Imported 258 letters.\n"
    assert dlq(redis_url, "replay", "--event", "Play") == "Replayed 2 letters.\n"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ('{"id": "0-1"}', "missing or wrong"),
        ("without bytes", "export with --raw"),
        ("bad reason", "is no reason"),
    ],
)
def test_a_line_that_is_no_letter_stops_the_import_and_it_goes_on_when_corrected(
    queue: Queue, redis_url: str, tmp_path: Path, wrong: str, said: str
) -> None:
    bury(queue, [event("E", n=n) for n in range(600)])
    file = tmp_path / "letters.jsonl"
    lines = [json.dumps(one) for one in exported(redis_url, file)]
    spoiled = json.loads(lines[550])
    if wrong == "without bytes":
        del spoiled["payload"]
        wrong = json.dumps(spoiled)
    elif wrong == "bad reason":
        wrong = json.dumps(spoiled | {"reason": "a|b"})
    file.write_text("\n".join([*lines[:550], wrong, *lines[551:]]) + "\n")
    dlq(redis_url, "discard", "--all")
    failed = mixrelay(
        "dlq", "import", str(file), expect=ExitCode.USAGE, MIXRELAY_REDIS_URL=redis_url
    )
    assert said.encode() in failed.stderr
    assert failed.stdout == b"Imported 500 letters.\n"
    file.write_text("\n".join(lines) + "\n")
    assert dlq(redis_url, "import", str(file)) == "Imported 100 letters.\n"
    assert (queue.books().dead, queue.books().difference) == (600, 0)


def test_a_letter_is_edited_shown_with_its_original_and_replayed(
    queue: Queue, redis_url: str, tmp_path: Path
) -> None:
    [number] = bury(queue, [event("Pley")])
    file = tmp_path / "tuple.json"
    file.write_bytes(event("Play"))
    arguments = ["edit", number, "--file", str(file), "--why", "a typo"]
    assert dlq(redis_url, *arguments) == f"Edited letter {number}.\n"
    page = dlq(redis_url, "show", number)
    assert page.index('"event": "Play"') < page.index("As it was pushed") < page.index("Pley")
    assert "a typo" in page
    assert dlq(redis_url, "edit", number, "--restore") == f"Restored letter {number}.\n"
    said = dlq(redis_url, "edit", number, "--file", str(file), "--replay")
    assert said.splitlines() == [f"Edited letter {number}.", "Replayed 1 letter."]
    assert deliver_all(queue) == [number]


def test_an_edit_that_is_no_message_is_refused_with_the_reason(
    queue: Queue, redis_url: str, tmp_path: Path
) -> None:
    [number] = bury(queue, [event("Play")])
    file = tmp_path / "tuple.json"
    file.write_text('["visit", "{}"]')
    refused = mixrelay(
        *("dlq", "edit", number, "--file", str(file)),
        expect=ExitCode.USAGE,
        MIXRELAY_REDIS_URL=redis_url,
    )
    assert b"unknown type 'visit'" in refused.stderr
    [letter] = queue.letters.find(LetterFilter())
    assert (letter.payload, letter.edits) == (event("Play"), ())


def test_an_edit_in_an_editor_is_kept_in_the_documented_form(
    queue: Queue, redis_url: str, tmp_path: Path
) -> None:
    [number] = bury(queue, [event("Pley", "ann", n=2**70)])
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/Pley/Play/ "$1"\n')
    editor.chmod(0o755)
    env = environment(MIXRELAY_REDIS_URL=redis_url, EDITOR=str(editor), TERM="xterm")
    ours, theirs = os.openpty()
    with Process(
        [COMMAND, "dlq", "edit", number], env=env, stdin=theirs, stdout=subprocess.DEVNULL
    ) as editing:
        assert editing.wait(20) == 0
    os.close(ours)
    os.close(theirs)
    letter = queue.letters.get(number)
    assert letter is not None
    kind, message = json.loads(letter.payload)
    assert (kind, json.loads(message)) == (
        "event",
        {"data": {"event": "Play", "properties": {"distinct_id": "ann", "n": 2**70}}},
    )


def test_the_audit_tells_who_did_what_and_why(queue: Queue, redis_url: str) -> None:
    numbers = bury(queue, [event("E")] * 3)
    dlq(redis_url, "replay", "--id", numbers[0], "--why", "Mixpanel is well again")
    dlq(redis_url, "discard", "--reason", "invalid", "--why", "test data")
    _, newest, older = called("dlq", "audit", MIXRELAY_REDIS_URL=redis_url, COLUMNS="200")[
        0
    ].splitlines()
    assert "discard" in newest
    assert "test data" in newest
    assert "Mixpanel is well again" in older
    entries = queue.audit.newest()
    assert [(entry.what, entry.count) for entry in entries] == [("discard", 2), ("replay", 1)]
    assert all("@" in entry.who for entry in entries)


def test_letters_by_id_are_handed_to_a_worker_with_a_rate(queue: Queue, redis_url: str) -> None:
    numbers = bury(queue, [event("E")] * 3)
    ids = [word for number in numbers[:2] for word in ("--id", number)]
    dlq(redis_url, "replay", *ids, "--background", "--rate", "5")
    [job] = queue.jobs.newest()
    assert (job.kind, job.state, job.named, job.rate) == (JobKind.REPLAY, JobState.QUEUED, 2, 5)
    assert job.id in dlq(redis_url, "jobs")
    assert "5 letters a second" not in dlq(redis_url, "rate", job.id, "0")
    cancelled = dlq(redis_url, "cancel", job.id, "--why", "not now")
    assert cancelled == f"Job {job.id} is cancelled: replayed 0 of 2.\n"
    page = dlq(redis_url, "jobs", job.id)
    assert "cancelled" in page
    assert "2 letters by id" in page
    assert "queued" in dlq(redis_url, "resume", job.id)
    assert queue.books().dead == 3


def test_an_unknown_job_is_said_so(redis_url: str) -> None:
    for command in (["jobs", "x"], ["cancel", "x"], ["resume", "x"], ["rate", "x", "1"]):
        failed = mixrelay("dlq", *command, expect=ExitCode.FINDING, MIXRELAY_REDIS_URL=redis_url)
        assert b"There is no job x." in failed.stderr


def test_ctrl_c_ends_the_job_and_says_what_was_moved(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E", n=n) for n in range(200)])
    env = environment(MIXRELAY_REDIS_URL=redis_url)
    arguments = [COMMAND, "dlq", "replay", "--all", "--rate", "4"]
    with Process(arguments, env=env, stdout=subprocess.PIPE) as replaying:
        wait_until(lambda: queue.books().totals["replayed"] > 0, 20, "the first letter")
        replaying.send_signal(signal.SIGINT)
        said, _ = replaying.communicate(timeout=20)
    assert replaying.returncode == ExitCode.INTERRUPTED
    [job] = queue.jobs.newest()
    assert (job.state, job.moved) == (JobState.CANCELLED, queue.books().totals["replayed"])
    assert said == f"Replayed {job.moved} letter{'' if job.moved == 1 else 's'}.\n".encode()


def test_letters_that_come_back_again_and_again_can_be_left_out(
    queue: Queue, redis_url: str
) -> None:
    numbers = bury(queue, [event("E")] * 2)
    dlq(redis_url, "replay", "--id", numbers[0])
    bury(queue, [])
    assert dlq(redis_url, "replay", "--max-replays", "0", "--dry-run") == "Would replay 1 letter.\n"
    assert dlq(redis_url, "replay", "--max-replays", "0") == "Replayed 1 letter.\n"
    assert queue.letters.get(Number(numbers[0])) is not None
