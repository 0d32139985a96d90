"""Dead letters by text, so many at a time; and lists that fit a narrow terminal."""

import json
import re

import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import JobKind, LetterFilter, Queue, new_job_id
from tests.support.console import called
from tests.support.letters import bury, event

ODD = 'Grüße "x" \\ 😀'


def dlq(redis_url: str, *arguments: str, expect: int = 0, **env: str) -> tuple[str, str]:
    return called("dlq", *arguments, expect=expect, MIXRELAY_REDIS_URL=redis_url, **env)


def ids(text: str) -> list[str]:
    return [json.loads(line)["id"] for line in text.splitlines()]


@pytest.mark.parametrize("as_ascii", [False, True])
def test_a_text_is_found_however_it_is_escaped(
    queue: Queue, redis_url: str, *, as_ascii: bool
) -> None:
    inner = json.dumps({"event": "E", "properties": {"x": ODD}}, ensure_ascii=as_ascii)
    tuple_ = json.dumps(["event", inner], ensure_ascii=as_ascii).encode()
    [number, *_] = bury(queue, [tuple_, event("Other", "u")])
    out, err = dlq(redis_url, "search", ODD, "--json")
    assert ids(out) == [number]
    assert "1 letter found among 2 looked at; there are 2 in all." in err
    assert ids(dlq(redis_url, "list", "--text", "😀", "--json")[0]) == [number]
    assert ids(dlq(redis_url, "search", "nowhere", "--json")[0]) == []


def test_an_error_is_searched_too(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("A", "u")], error="nests too deep")
    bury(queue, [event("B", "u")], error="another")
    assert len(ids(dlq(redis_url, "search", "too deep", "--json")[0])) == 1


def test_a_search_is_bounded_and_goes_on_behind_its_cursor(queue: Queue, redis_url: str) -> None:
    many = 1_200
    numbers = bury(queue, [event("E", f"needle-{n}" if n % 400 == 0 else "u") for n in range(many)])
    found: list[str] = []
    cursor, turns = "", 0
    while turns < 10:
        turns += 1
        more = ["--cursor", cursor] if cursor else []
        out, err = dlq(redis_url, "search", "needle", "--json", "--look-at", "400", *more)
        found += ids(out)
        seen = re.search(r"among ([\d,]+) looked at", err)
        assert seen is not None
        assert int(seen[1].replace(",", "")) <= 500
        following = re.search(r"--cursor (\S+)", err)
        if following is None:
            break
        cursor = following[1]
    assert turns > 1
    assert sorted(found) == sorted([numbers[0], numbers[400], numbers[800]])
    dlq(redis_url, "search", "needle", "--cursor", "nonsense", expect=ExitCode.USAGE)
    dlq(redis_url, "list", "--text", "", expect=ExitCode.USAGE)


def test_a_job_goes_by_a_text(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E", "needle"), event("E", "u")])
    dlq(redis_url, "replay", "--text", "needle")
    [job] = queue.jobs.newest()
    assert (job.wanted.text, job.moved) == ("needle", 1)


def test_lists_fit_sixty_columns_and_wide_has_all(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("Checked Out", "someone@example.com")], error="nests too deep " * 20)
    queue.jobs.start(JobKind.DISCARD, LetterFilter(), job_id=new_job_id(), who="ann@host")
    queue.discard([one.id for one in queue.letters.find(LetterFilter())], who="ann@host", why="w")
    bury(queue, [event("Checked Out", "someone@example.com")], error="nests too deep " * 20)
    for command in (["list"], ["audit"], ["trash"], ["jobs"]):
        out, _ = dlq(redis_url, *command, COLUMNS="60")
        assert max(map(len, out.splitlines())) <= 60, command
        wide, _ = dlq(redis_url, *command, "--wide", COLUMNS="160")
        assert len(wide.splitlines()[0].split()) >= len(out.splitlines()[0].split())
    [first, *_] = [json.loads(line) for line in dlq(redis_url, "audit", "--json")[0].splitlines()]
    assert (first["what"], first["who"], first["letters"]) == ("discard", "ann@host", 1)
