"""`mixrelay dlq`: what an operator sees of dead letters, and what a decision changes."""

import base64
import json
import os
import pty
import select
import subprocess
import time
from datetime import datetime

import pytest
from redis import Redis

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import Number, Queue
from tests.support.command import COMMAND, environment, mixrelay
from tests.support.console import called
from tests.support.fleet import wait_until
from tests.support.letters import bury, deliver_all, event, imported, profile
from tests.support.processes import Process

NAN = b'["import","{\\"data\\":{\\"n\\":NaN},\\"api_key\\":\\"s3cret\\"}"]'


@pytest.fixture
def mixed(queue: Queue) -> dict[str, list[Number]]:
    """Letters of several kinds, by what they are."""
    return {
        "invalid": bury(queue, [event("Play", "ann"), event("Play", "bob")], field="properties.x"),
        "rejected": bury(queue, [event("Pay", "ann")], "rejected", error="no such user"),
        "profile": bury(queue, [profile("ann", n=1)], "rejected", status=0),
        "import": bury(queue, [imported("Old", "s3cret")], "unauthorized", status=401),
        "malformed": bury(queue, [b"\xff no JSON"], "malformed", status=0, error="not JSON"),
    }


def dlq(redis_url: str, *arguments: str, expect: int = 0) -> str:
    return called("dlq", *arguments, expect=expect, MIXRELAY_REDIS_URL=redis_url)[0]


def listed(redis_url: str, *arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in dlq(redis_url, "list", "--json", *arguments).splitlines()]


def everything(redis: Redis) -> dict[bytes, object]:
    return {key: redis.dump(key) for key in redis.keys("*")}


def test_a_letter_as_json_has_the_documented_fields(queue: Queue, redis_url: str) -> None:
    [number] = bury(queue, [event("Play", "ann", n=2**70)], error="no", field="properties.n")
    [letter] = listed(redis_url)
    times = [datetime.fromisoformat(str(letter.pop(name))) for name in ("first_seen", "dead_since")]
    assert times[0] <= times[1]
    assert all(moment.utcoffset() is not None for moment in times)
    assert letter == {
        "id": number,
        "type": "event",
        "reason": "invalid",
        "status": 400,
        "error": "no",
        "field": "properties.n",
        "attempts": 1,
        "replays": 0,
        "requeued_by": None,
        "message": [
            "event",
            {"data": {"event": "Play", "properties": {"distinct_id": "ann", "n": 2**70}}},
        ],
    }


@pytest.mark.parametrize(
    ("filters", "kinds"),
    [
        (["--reason", "rejected"], ["rejected", "profile"]),
        (["--type", "event"], ["invalid", "rejected"]),
        (["--status", "0"], ["profile", "malformed"]),
        (["--event", "Play"], ["invalid"]),
        (["--distinct-id", "bob"], ["invalid"]),
        (["--reason", "rejected", "--type", "event"], ["rejected"]),
        (["--since", "1h"], ["invalid", "rejected", "profile", "import", "malformed"]),
        (["--until", "1h"], []),
        (["--since", "2020-01-01T00:00:00Z", "--event", "Old"], ["import"]),
    ],
    ids=" ".join,
)
def test_list_dry_run_and_action_mean_the_same_letters(
    mixed: dict[str, list[Number]],
    queue: Queue,
    redis_url: str,
    filters: list[str],
    kinds: list[str],
) -> None:
    meant = [number for kind in kinds for number in mixed[kind]]
    if filters == ["--distinct-id", "bob"]:
        meant = meant[1:]
    assert [letter["id"] for letter in listed(redis_url, *filters)] == meant
    many = f"{len(meant)} letter{'' if len(meant) == 1 else 's'}."
    assert dlq(redis_url, "discard", *filters, "--dry-run") == f"Would discard {many}\n"
    assert dlq(redis_url, "discard", *filters) == f"Discarded {many}\n"
    assert queue.letters.get_many(meant) == []
    assert queue.books().dead == sum(map(len, mixed.values())) - len(meant)
    assert queue.books().difference == 0


def test_looking_changes_nothing(
    mixed: dict[str, list[Number]], redis: Redis, redis_url: str
) -> None:
    before = everything(redis)
    for command in (["list"], ["list", "--json"], ["stats"], ["export", "--raw"]):
        dlq(redis_url, *command)
    dlq(redis_url, "show", mixed["import"][0])
    dlq(redis_url, "replay", "--all", "--dry-run")
    assert everything(redis) == before


def test_a_secret_is_shown_by_a_raw_export_alone(queue: Queue, redis_url: str) -> None:
    numbers = bury(queue, [imported("Old", "s3cret"), NAN])
    views = [["list"], ["list", "--json"], ["stats"], ["export"], *(["show", n] for n in numbers)]
    for view in views:
        assert "s3cret" not in dlq(redis_url, *view)
    assert dlq(redis_url, "export").count("***") == 2
    raw = [json.loads(line) for line in dlq(redis_url, "export", "--raw").splitlines()]
    assert [letter["payload"].encode() for letter in raw] == [imported("Old", "s3cret"), NAN]


def test_what_is_no_text_is_shown_escaped_and_exported_exactly(
    queue: Queue, redis_url: str
) -> None:
    [number] = bury(queue, [b"\xff\x1b[31m"])
    [letter] = listed(redis_url)
    assert letter["message"] == "\\xff\x1b[31m"
    assert "\\xff\\x1b[31m" in dlq(redis_url, "show", number)
    exported = json.loads(dlq(redis_url, "export", "--raw"))
    assert base64.b64decode(exported["payload_base64"]) == b"\xff\x1b[31m"


def test_show_tells_a_letter_s_message_and_history(queue: Queue, redis_url: str) -> None:
    [number] = bury(queue, [event("Play")], error="first error")
    dlq(redis_url, "replay", "--id", number)
    bury(queue, [], "rejected", error="second error")
    page = dlq(redis_url, "show", number)
    assert page.index("second error") < page.index('"event": "Play"') < page.index("first error")
    assert "replays 1" in " ".join(page.split())


def test_stats_count_letters_by_kind_with_an_instance(
    mixed: dict[str, list[Number]], redis_url: str
) -> None:
    assert mixed
    text = dlq(redis_url, "stats", "--kinds")
    rows = {tuple(line.split()[:4]) for line in text.splitlines()[1:]}
    assert ("invalid", "400", "event", "2") in rows
    assert ("malformed", "-", "unknown", "1") in rows
    assert "no such user" in text


def test_a_replay_puts_each_letter_back_once_and_keeps_it_countable(
    mixed: dict[str, list[Number]], queue: Queue, redis_url: str
) -> None:
    assert dlq(redis_url, "replay", "--type", "event") == "Replayed 3 letters.\n"
    assert dlq(redis_url, "replay", "--type", "event") == "Replayed 0 letters.\n"
    assert deliver_all(queue) == [*mixed["invalid"], *mixed["rejected"]]
    books = queue.books()
    assert (books.totals["replayed"], books.totals["delivered"], books.difference) == (3, 3, 0)


def test_a_replay_of_profile_updates_warns_that_they_come_late(
    mixed: dict[str, list[Number]], redis_url: str
) -> None:
    ended = mixrelay("dlq", "replay", "--all", MIXRELAY_REDIS_URL=redis_url)
    assert b"1 profile or group update will arrive late" in ended.stderr
    assert ended.stdout == f"Replayed {sum(map(len, mixed.values()))} letters.\n".encode()


def test_ids_that_are_no_letters_are_named_and_the_others_are_done(
    mixed: dict[str, list[Number]], queue: Queue, redis_url: str
) -> None:
    [number] = mixed["rejected"]
    arguments = ["dlq", "discard", "--id", number, "--id", "0-999", "--id", number]
    ended = mixrelay(*arguments, expect=ExitCode.FINDING, MIXRELAY_REDIS_URL=redis_url)
    assert ended.stdout == b"Discarded 1 letter.\n"
    assert b"0-999" in ended.stderr
    assert number.encode() not in ended.stderr
    assert queue.letters.get(number) is None


def test_a_rate_is_kept(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E")] * 30)
    begun = time.monotonic()
    assert dlq(redis_url, "replay", "--all", "--rate", "20") == "Replayed 30 letters.\n"
    # The last slice, a quarter of a second's worth, may go at the end of the time before it.
    assert time.monotonic() - begun >= (30 - 5) / 20


def test_more_letters_than_one_call_moves_are_all_moved(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E", n=n) for n in range(1_234)])
    assert dlq(redis_url, "replay", "--event", "E") == "Replayed 1,234 letters.\n"
    assert queue.books().lanes["event"] == 1_234  # type: ignore[index]


def test_a_list_says_when_it_is_not_all(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E")] * 3)
    ended = mixrelay("dlq", "list", "--limit", "2", MIXRELAY_REDIS_URL=redis_url)
    assert len(ended.stdout.splitlines()) < 1 + 2 * 3
    assert b"more match" in ended.stderr
    assert len(listed(redis_url)) == 3
    assert len(listed(redis_url, "--limit", "2")) == 2


def test_nothing_there_is_said_so(redis_url: str) -> None:
    ended = mixrelay("dlq", "list", MIXRELAY_REDIS_URL=redis_url)
    assert (ended.stdout, ended.stderr) == (b"", b"There are no dead letters.\n")
    gone = mixrelay("dlq", "show", "0-7", expect=ExitCode.FINDING, MIXRELAY_REDIS_URL=redis_url)
    assert b"no dead letter 0-7" in gone.stderr


@pytest.mark.parametrize(
    ("answer", "code", "left"), [(b"n\n", ExitCode.FINDING, 1), (b"y\n", ExitCode.OK, 0)]
)
def test_on_a_terminal_a_decision_is_asked_for(
    queue: Queue, redis_url: str, answer: bytes, code: ExitCode, left: int
) -> None:
    bury(queue, [event("E")])
    ours, theirs = pty.openpty()
    env = environment(MIXRELAY_REDIS_URL=redis_url, TERM="xterm")
    arguments = [COMMAND, "dlq", "discard", "--all"]
    with Process(arguments, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as asking:
        shown = b""

        def asked() -> bool:
            nonlocal shown
            if select.select([ours], [], [], 0)[0]:
                shown += os.read(ours, 65536)
            return b"Discard 1 letter?" in shown

        wait_until(asked, 10, "the question")
        assert queue.books().dead == 1
        os.write(ours, answer)
        assert asking.wait(10) == code
    os.close(ours)
    os.close(theirs)
    assert queue.books().dead == left


def test_a_worker_does_a_background_replay(queue: Queue, redis_url: str) -> None:
    numbers = bury(queue, [event("E", n=n) for n in range(700)])
    said = dlq(redis_url, "replay", "--event", "E", "--background")
    assert "A worker will replay them: job " in said
    assert queue.books().dead == len(numbers)
    env = environment(
        MIXRELAY_REDIS_URL=redis_url, MIXPANEL_TOKEN="t", MIXPANEL_API_HOST="http://127.0.0.1:1"
    )
    with Process(
        [COMMAND, "worker"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as worker:
        try:
            wait_until(lambda: queue.books().totals["replayed"] == 700, 40, "all are replayed")
        finally:
            worker.terminate()
    assert worker.returncode == 0
    assert queue.books().difference == 0
