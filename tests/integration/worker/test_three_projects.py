"""Three projects share a queue: one is refused or limited, the others do not notice (rule 3)."""

import statistics
from collections.abc import Callable, Iterator

import pytest

from benchmarks import projects
from mixrelay.sandbox import Options, Sandbox
from tests.support.works import TOKEN, Works, event, update

A, B, C = "token-of-a", "token-of-b", "token-of-c"
ROUNDS, PROFILES = 60, 2
TROUBLES: dict[str, tuple[Callable[[Sandbox], object], Callable[[Sandbox], object]]] = {
    "refused": (lambda box: box.know_only(B, C), lambda box: box.know(A)),
    "limited": (
        lambda box: box.fault("reject_token", status=429, match=A),
        lambda box: box.clear_faults(),
    ),
    "away": (
        lambda box: box.fault("reject_token", status=503, match=A),
        lambda box: box.clear_faults(),
    ),
}
BACKLOG, STEADY_SECONDS, ROUNDS_AT_MOST = 1_000, 1.0, 5
LEAST_RATE, MOST_WAIT = 0.25, 2.0
"""Of what they are alone; the machine may be busy. `benchmarks.projects` has what they are."""


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(Options(tokens=[A, B, C, TOKEN])) as running:
        yield running


def interleaved() -> Iterator[bytes]:
    for number in range(ROUNDS):
        for token in (A, B, C):
            yield event(f"user-of-{token}", token=token, number=number)
            for profile in range(PROFILES):
                yield update(f"{token} {profile}", token=token, **{"$set": {"n": number}})


def events_of(works: Works, token: str) -> int:
    return sum(one["properties"]["token"] == token for one in works.box.events)


def updates_of(works: Works, token: str) -> list[list[int]]:
    """The values that each profile was set to, in turn."""
    found: dict[str, list[int]] = {}
    for one in works.box.updates:
        if one["$distinct_id"].startswith(token):
            found.setdefault(one["$distinct_id"], []).append(one["$set"]["n"])
    return [found[name] for name in sorted(found)]


def is_whole(works: Works, token: str) -> bool:
    return events_of(works, token) == ROUNDS and updates_of(works, token) == [
        list(range(ROUNDS)) for _ in range(PROFILES)
    ]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("own", [None, A])
def test_the_others_go_on_and_what_waited_comes_in_order(
    works: Works, trouble: str, own: str | None
) -> None:
    begins, ends = TROUBLES[trouble]
    begins(works.box)
    works.push(*interleaved())
    # Small batches, so that many wait.
    given = {"batch_records": 5, "backoff_base": 0.5, "backoff_cap": 5.0}
    settings = works.settings(token=own)
    works.drain_while(lambda: not (is_whole(works, B) and is_whole(works, C)), to=settings, **given)
    assert (events_of(works, A), updates_of(works, A)) == (0, [])
    assert works.books.difference == 0
    ends(works.box)
    works.drain(to=settings, **given)
    assert is_whole(works, A)
    books = works.books
    assert (books.waiting, books.dead, books.difference) == (0, 0, 0)
    assert books.totals["delivered"] == 3 * ROUNDS * (1 + PROFILES)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_others_are_about_as_fast_as_alone(works: Works, trouble: str) -> None:
    works.start(MIXPANEL_TOKEN=A)
    measured = projects.Projects(works.queue, works.box)
    measured.backlog(10, with_troubled=True)
    rounds: list[projects.Seen] = []

    def is_alike() -> bool:
        """By the best of each, so that what else the machine does is no verdict."""
        alone, beside = zip(*(one.rates for one in rounds), strict=True)
        wait_alone, wait = zip(*(one.p95 for one in rounds), strict=True)
        return bool(
            max(beside) > LEAST_RATE * statistics.median(alone)
            and min(wait) < MOST_WAIT * max(wait_alone)
        )

    for _ in range(ROUNDS_AT_MOST):
        rounds.append(projects.measure(measured, works.box, trouble, BACKLOG, STEADY_SECONDS))
        if is_alike():
            break
    told = "\n".join(projects.table([(trouble, one) for one in rounds]))
    print(told)
    assert is_alike(), told
    assert measured.inversions() == 0
