"""`mixrelay dlq fix`: a bad release is corrected while traffic goes on, and nothing else is."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import LetterFilter, Number, Queue
from tests.support.command import COMMAND, environment
from tests.support.console import called
from tests.support.fleet import Fleet, wait_until
from tests.support.letters import bury, deliver_all, event, imported, profile
from tests.support.processes import Process

DEEP = [[[[["book"]]]]]
BAD = 1_000
OTHERS = 20
PATIENCE = 120.0
"""For a busy machine; an idle one takes a few seconds."""


def dlq(redis_url: str, *arguments: str, expect: int = 0) -> str:
    return called("dlq", *arguments, expect=expect, MIXRELAY_REDIS_URL=redis_url)[0]


def fixed(redis_url: str, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(dlq(redis_url, "fix", "--json", *arguments)))


@pytest.fixture
def fleet(redis_url: str, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(redis_url, mixpanel.url, tmp_path, MIXRELAY_LINGER="0.1")
    fleet.start(1)
    yield fleet
    fleet.close()


def of_the_bad_release(number: int) -> bytes:
    """One of three causes."""
    wrong: dict[str, Any] = [
        {"Cart": DEEP},
        {"Fee": number, "Cart": list(range(300))},
        {"time": "yesterday"},
    ][number % 3]
    return event("Checked Out", f"u{number}", n=number, **wrong)


def test_a_thousand_letters_of_three_causes_are_delivered_while_traffic_goes_on(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet
) -> None:
    queue.push([of_the_bad_release(n) for n in range(BAD)])
    queue.push([event("Other", f"u{n}", Cart=DEEP) for n in range(OTHERS)])
    wait_until(lambda: queue.books().dead == BAD + OTHERS, PATIENCE, "all letters")
    others = {one.id: one for one in queue.letters.find(LetterFilter(event="Other"))}
    pushed, is_over = [0], threading.Event()

    def traffic() -> None:
        while not is_over.is_set():
            queue.push([event("Fine", "u") for _ in range(10)])
            pushed[0] += 10
            is_over.wait(0.05)

    running = threading.Thread(target=traffic, daemon=True)
    running.start()
    try:
        told = fixed(
            redis_url,
            *("--event", "Checked Out", "--truncate", "properties.Cart"),
            *(
                "--delete",
                "properties.time",
                "--rename",
                "properties.Fee=fee",
                "--why",
                "release 7",
            ),
        )
        wait_until(lambda: arrived(mixpanel) == BAD, PATIENCE, "all are delivered")
    finally:
        is_over.set()
        running.join(PATIENCE)
    fleet.wait_until_drained(PATIENCE)
    counts = [told[name] for name in ("matched", "correctable", "requeued", "skipped")]
    assert counts == [BAD, BAD, BAD, 0]
    assert {one.id: one for one in queue.letters.find(LetterFilter())} == others
    found = [one["properties"] for one in mixpanel.events if one["event"] == "Checked Out"]
    assert sorted(one["n"] for one in found) == list(range(BAD))
    assert sum("fee" in one for one in found) == len(range(1, BAD, 3))
    assert not any("Fee" in one for one in found)
    assert pushed[0] > 0
    assert sum(one["event"] == "Fine" for one in mixpanel.events) == pushed[0]
    books = queue.books()
    assert (books.totals["replayed"], books.totals["edited"], books.difference) == (BAD, BAD, 0)
    entries = queue.audit.newest()
    assert sum(entry.count for entry in entries if entry.what == "fix") == BAD
    fixes = [entry for entry in entries if entry.what == "fix"]
    assert fixes[0].why == (
        "release 7: truncate properties.Cart; delete properties.time; "
        "rename properties.Fee to properties.fee"
    )
    assert "@" in entries[0].who


def arrived(mixpanel: Sandbox) -> int:
    return sum(one["event"] == "Checked Out" for one in mixpanel.events)


@pytest.fixture
def mixed(queue: Queue) -> list[Number]:
    """One that a fix mends, one that is right, three that stay wrong."""
    return bury(
        queue,
        [
            event("E", "ann", Cart=DEEP, api_key="s3cret"),
            event("E", "bob"),
            event("E", "undefined", Cart=DEEP),
            event("E", "0"),
            b'["visit","{}"]',
        ],
    )


def test_a_preview_shows_what_would_change_and_changes_nothing(
    queue: Queue, redis_url: str, mixed: list[Number]
) -> None:
    before = {one.id: one for one in queue.letters.find(LetterFilter())}
    said = dlq(redis_url, "fix", "--all", "--delete", "properties.Cart", "--dry-run")
    assert "5 letters matched: 1 would be corrected and re-queued, 1 already right, 3 " in said
    assert f"Letter {mixed[0]}, invalid:" in said
    assert '-        "Cart": [' in said
    assert "s3cret" not in said
    assert "1 stay dead: properties.distinct_id: " in said
    assert "1 stay dead: it cannot be read: unknown type 'visit'" in said
    assert {one.id: one for one in queue.letters.find(LetterFilter())} == before
    assert queue.audit.newest() == []


def test_letters_that_would_still_break_a_rule_stay_as_they_are(
    queue: Queue, redis_url: str, mixed: list[Number]
) -> None:
    told = fixed(redis_url, "--all", "--delete", "properties.Cart")
    assert "s3cret" not in json.dumps(told)
    assert [told[name] for name in ("requeued", "already_right", "still_breaking")] == [1, 1, 3]
    assert sum(one["letters"] for one in told["breaches"]) == 3
    left = list(queue.letters.find(LetterFilter()))
    assert [one.id for one in left] == mixed[1:]
    assert not any(one.edits or one.original for one in left)
    assert json.loads(left[1].payload)[1].count("Cart") == 1
    assert deliver_all(queue) == [mixed[0]]
    again = fixed(redis_url, "--all", "--delete", "properties.Cart")
    assert (again["requeued"], again["matched"]) == (0, 4)


def test_operations_are_done_in_the_order_in_which_they_stand(queue: Queue, redis_url: str) -> None:
    bury(queue, [profile("ann", a=1)])
    mended = ["--rename", "$set.a=b", "--set", "$set.a=2", "--rename", "$set.a=c", "--all"]
    told = fixed(redis_url, *mended, "--set", '$token="t"', "--set", "$set.c=3")
    [sample] = told["samples"]
    assert sample["after"][1]["data"] == {
        "$distinct_id": "ann",
        "$set": {"b": 1, "c": 3},
        "$token": "t",
    }


def test_what_a_producer_found_wrong_is_sent_once_it_is_mended(
    queue: Queue, redis_url: str
) -> None:
    why = {"field": "properties.price", "message": "a set is no JSON"}
    record = {"event": "E", "properties": {"distinct_id": "ann", "price": "{1}"}}
    bury(queue, [json.dumps(["event", json.dumps({"invalid": why, "data": record})]).encode()])
    assert fixed(redis_url, "--all", "--set", "properties.other=1")["breaches"] == [
        {"rule": "properties.price: a set is no JSON", "letters": 1}
    ]
    assert fixed(redis_url, "--all", "--set", "properties.price=1")["requeued"] == 1
    bury(queue, [])
    [letter] = queue.letters.find(LetterFilter())
    assert json.loads(json.loads(letter.payload)[1]) == {
        "data": {"event": "E", "properties": {"distinct_id": "ann", "price": 1}}
    }


def test_a_key_of_its_own_and_bytes_that_are_not_touched_are_kept(
    queue: Queue, redis_url: str
) -> None:
    tuple_ = imported("Old", "s3cret").replace(
        b'\\"time\\": 1', b'\\"time\\": 1e9, \\"big\\": 1180591620717411303424'
    )
    [number] = bury(queue, [tuple_], "unauthorized", status=401)
    fixed(redis_url, "--reason", "unauthorized", "--set", 'properties.plan="free"')
    bury(queue, [], "unauthorized")
    letter = queue.letters.get(number)
    assert letter is not None
    assert (
        b'\\"time\\":1e9,\\"big\\":1180591620717411303424,\\"plan\\":\\"free\\"}}' in letter.payload
    )
    assert json.loads(json.loads(letter.payload)[1])["api_key"] == "s3cret"
    assert letter.original == tuple_
    shown = dlq(redis_url, "show", number)
    assert "As it was pushed" in shown
    assert "set properties.plan" in shown
    assert dlq(redis_url, "edit", number, "--restore") == f"Restored letter {number}.\n"


def test_on_a_terminal_it_asks_and_no_is_no(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E", Cart=DEEP)])
    env = environment(MIXRELAY_REDIS_URL=redis_url, TERM="xterm")
    arguments = [COMMAND, "dlq", "fix", "--all", "--delete", "properties.Cart"]
    ours, theirs = os.openpty()
    try:
        with Process(arguments, env=env, stdin=theirs, stdout=subprocess.PIPE) as asking:
            os.write(ours, b"n\n")
            said, _ = asking.communicate(timeout=30)
            assert asking.returncode == ExitCode.FINDING
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"1 letter matched: 1 to correct and re-queue" in said
    assert b"Corrected and re-queued" not in said
    assert queue.books().dead == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--delete", "properties.a"], "Say which letters"),
        (["--all"], "Say what to correct"),
        (["--all", "--set", "price=1"], "properties.price"),
        (["--all", "--reason", "invalid", "--delete", "event"], "--all means every letter"),
    ],
)
def test_what_is_not_said_whole_is_refused(redis_url: str, arguments: list[str], said: str) -> None:
    _, refused = called(
        "dlq", "fix", *arguments, expect=ExitCode.USAGE, MIXRELAY_REDIS_URL=redis_url
    )
    assert said in " ".join(refused.replace("│", " ").split())


def test_ids_that_name_no_letter_are_told(queue: Queue, redis_url: str) -> None:
    [number] = bury(queue, [event("E", Cart=DEEP)])
    arguments = ["--id", number, "--id", "0-99", "--delete", "properties.Cart"]
    said = dlq(redis_url, "fix", *arguments, expect=ExitCode.FINDING)
    assert "Corrected and re-queued 1 letter.\n" in said
