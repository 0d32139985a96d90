"""`mixrelay dlq stats` names causes, and every command refuses a filter that cannot match."""

import json
import shlex
from typing import Any

import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import LetterFilter, Queue
from tests.support.console import called
from tests.support.letters import bury, event, profile

COMMANDS = [
    ["list"],
    ["stats"],
    ["export"],
    ["replay"],
    ["discard"],
    ["fix", "--delete", "properties.a"],
]


def dlq(redis_url: str, *arguments: str, expect: int = 0) -> tuple[str, str]:
    return called("dlq", *arguments, expect=expect, MIXRELAY_REDIS_URL=redis_url)


def lines(redis_url: str, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in dlq(redis_url, *arguments)[0].splitlines()]


@pytest.fixture
def causes(queue: Queue) -> dict[str, int]:
    """How many letters died of each cause."""
    nested = "lists nest at most 3 deep"
    bury(queue, [event("Out") for _ in range(5)], error=nested, field="properties.Cart")
    bury(queue, [event("Paid") for _ in range(2)], error=nested, field="properties.Cart")
    for place in range(3):
        bury(
            queue,
            [event("Out")],
            error=f"user {place}1 of 0b9f1c2e-7a2c-4a60-9d7d-0123456789a{place} is unknown",
            field=f"properties.items[{place}].id",
        )
    bury(queue, [profile("ann", n=1)], "unauthorized", status=401, error="no such token")
    return {"properties.Cart": 7, "properties.items[N].id": 3, "": 1}


def test_causes_are_counted_the_most_frequent_first(causes: dict[str, int], redis_url: str) -> None:
    told = lines(redis_url, "stats", "--json")
    assert {one["field"]: one["letters"] for one in told} == causes
    assert [one["letters"] for one in told] == [7, 3, 1]
    assert told[0]["names"] == {"Out": 5, "Paid": 2}
    assert told[0]["for_instance"] == "properties.Cart: lists nest at most 3 deep"
    assert told[1]["error"] == "user N of ID is unknown"
    assert told[2]["names"] == {"profile_update": 1}
    assert [shlex.split(one["mend"])[2] for one in told] == ["fix", "fix", "replay"]
    assert told[0]["mend"].endswith("--truncate properties.Cart --dry-run")
    assert told[1]["mend"].endswith("--set properties.items=JSON --dry-run")
    text = dlq(redis_url, "stats")[0]
    for one in told:
        assert {one["list"], one["mend"]} <= {line.strip() for line in text.splitlines()}
    assert "7  invalid  properties.Cart: lists nest at most 3 deep" in text
    assert "Out (5), Paid (2)" in text


def test_the_commands_of_a_cause_take_its_letters_and_no_others(
    causes: dict[str, int], queue: Queue, redis_url: str
) -> None:
    told = lines(redis_url, "stats", "--json")
    for one in told:
        listed = lines(redis_url, *shlex.split(one["list"])[2:], "--json")
        assert len(listed) == one["letters"] == causes[one["field"]]
        assert one["sample"] in {letter["id"] for letter in listed}
        wanted = LetterFilter(group=one["group"])
        assert queue.letters.count(wanted) == one["letters"]
        assert queue.jobs.plan(wanted).count == one["letters"]
        assert LetterFilter.from_json(wanted.to_json()) == wanted
    mended = shlex.split(told[0]["mend"])[2:]
    assert "7 letters matched" in dlq(redis_url, *mended)[0]
    replayed = dlq(redis_url, "replay", "--group", told[2]["group"])[0]
    assert replayed == "Replayed 1 letter.\n"
    assert queue.books().dead == 10


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (["--reason", "invald"], "'invald' is no reason: did you mean invalid?"),
        (["--reason", "Invalid"], "did you mean invalid?"),
        (["--type", "profile-update"], "did you mean profile_update?"),
        (["--group", "cart"], "'cart' is no failure group"),
        (["--since", "1h", "--until", "2h"], "--since is not before --until"),
        (["--reasn", "invalid"], "--reason"),
    ],
)
def test_a_filter_that_cannot_match_is_refused(
    queue: Queue, redis_url: str, command: list[str], filters: list[str], said: str
) -> None:
    bury(queue, [event("E", a=1)])
    out, errors = dlq(redis_url, *command, *filters, expect=ExitCode.USAGE)
    assert out == ""
    assert said in " ".join(errors.replace("│", " ").split())
    assert queue.books().dead == 1


def test_a_reason_that_is_not_one_of_ours_can_be_chosen_where_letters_have_it(
    queue: Queue, redis_url: str
) -> None:
    bury(queue, [event("E")], "of_tomorrow")
    assert dlq(redis_url, "replay", "--reason", "of_tomorrow")[0] == "Replayed 1 letter.\n"
    refused = dlq(redis_url, "replay", "--reason", "of_tomorrow", expect=ExitCode.USAGE)[1]
    assert "no reason" in refused
