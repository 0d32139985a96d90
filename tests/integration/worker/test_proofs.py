"""A token that `/import` refuses: nothing is sent under it, nothing is lost, nothing is falsely
counted as delivered. A proof that gets no answer holds nothing back."""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.mixpanel import endpoints
from mixrelay.shared.queue import Lane, Queue, TokenState
from tests.support.works import TOKEN, Works, event, group, update, wait_until

WRONG = "a-token-nobody-knows"
OTHER = "token-of-another-project"
Keeping = Callable[[], bool]


@pytest.fixture
def known() -> set[str]:
    """The tokens that the sandbox knows, which a test may change."""
    return {TOKEN}


@pytest.fixture
def box(known: set[str]) -> Iterator[Sandbox]:
    with Sandbox(Options(tokens=known)) as running:
        yield running


def proofs(works: Works) -> int:
    """Requests to `/import` that brought nothing but a nameless record."""
    return sum(
        request.endpoint == "/import" and request.records == 1 and not request.accepted
        for request in works.box.requests
    )


def state(works: Works, token_state: str) -> list[TokenState]:
    return [one for one in works.books.tokens if one.state == token_state]


def is_balanced(works: Works) -> bool:
    """Whether nothing is counted as delivered that the sandbox has not."""
    books = works.books
    arrived = len(works.box.events) + len(works.box.updates)
    return books.difference == 0 and books.totals["delivered"] == arrived


def mixed(count: int, token: str = TOKEN) -> list[bytes]:
    return [
        *(event(f"u{n}", token=token) for n in range(count)),
        *(update(f"u{n}", token=token, **{"$set": {"n": n}}) for n in range(count)),
    ]


def test_updates_under_a_refused_token_are_kept_until_it_is_known(
    works: Works, known: set[str]
) -> None:
    known.clear()
    known.add(OTHER)
    works.push(*mixed(50), *(group(f"g{n}", **{"$set": {"n": n}}) for n in range(50)))
    works.drain_while(lambda: len(state(works, "refused")) == 0 or proofs(works) < 3)
    books = works.books
    assert books.totals["delivered"] == 0
    assert (books.waiting, books.dead) == (150, 0)
    assert {one.kind for one in books.paused} == {"configuration"}
    assert {request.endpoint for request in works.box.requests} == {"/import"}
    [refused] = state(works, "refused")
    assert (refused.masked, refused.status, refused.own) == ("to…", 401, True)
    assert "MIXPANEL_TOKEN" in refused.error
    assert "MIXRELAY_EVENTS_ENDPOINT=track" in refused.error
    assert TOKEN not in refused.error
    known.add(TOKEN)
    works.drain()
    assert (len(works.box.events), len(works.box.updates)) == (50, 100)
    assert works.books.paused == ()
    assert state(works, "refused") == []
    assert is_balanced(works)


def test_one_proof_serves_all_batches_of_all_processes(works: Works) -> None:
    works.push(*(update(f"u{n}", **{"$set": {"n": n}}) for n in range(100)))
    first, second = (
        threading.Thread(target=works.drain_while, args=[lambda: works.books.waiting > 0])
        for _ in range(2)
    )
    first.start()
    second.start()
    first.join()
    second.join()
    works.push(*(update(f"v{n}", **{"$set": {"n": n}}) for n in range(100)))
    works.drain(batch_records=10)
    assert len(works.box.updates) == 200
    assert proofs(works) == 1
    assert is_balanced(works)


def test_accepted_imports_are_evidence_and_cost_no_proof(works: Works) -> None:
    works.push(*(event(f"u{n}") for n in range(10)))
    works.drain()
    works.push(*(update(f"u{n}", **{"$set": {"n": n}}) for n in range(10)))
    works.drain()
    assert proofs(works) == 0
    [proven] = state(works, "proven")
    assert proven.own


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "html"},
        {"kind": "hang"},
    ],
    ids=["500", "503", "a proxy's page", "no answer"],
)
def test_silence_lets_updates_flow_with_a_warning(
    works: Works, caplog: pytest.LogCaptureFixture, fault: dict[str, object]
) -> None:
    works.box.fault(**fault, endpoint="/import")
    works.push(*(update(f"u{n}", **{"$set": {"n": n}}) for n in range(20)))
    with caplog.at_level(logging.WARNING):
        works.drain(deadline=0.5, connect_timeout=0.4, batch_records=5)
    assert len(works.box.updates) == 20
    assert [record.message for record in caplog.records if "unproven: " in record.message]
    [unproven] = state(works, "unproven")
    assert unproven.error
    assert len([one for one in works.box.requests if one.endpoint == "/import"]) == 1


def test_an_outage_of_import_alone_does_not_hold_back_profiles_of_a_proven_token(
    works: Works,
) -> None:
    works.push(event("u"))
    works.drain()
    works.box.fault("status", status=503, endpoint="/import")
    works.push(*(update(f"u{n}", **{"$set": {"n": n}}) for n in range(20)), event("waits"))
    works.drain_while(lambda: len(works.box.updates) < 20)
    assert works.books.lanes[Lane.EVENT] + works.books.in_flight == 1
    works.box.clear_faults()
    works.drain()
    assert is_balanced(works)


def test_a_message_s_own_refused_token_becomes_a_dead_letter_where_ours_is_known(
    works: Works,
) -> None:
    works.push(*mixed(5), *mixed(5, WRONG), *mixed(5))
    works.drain()
    assert works.reasons() == ["unauthorized"] * 10
    assert all("own project token" in letter.error for letter in works.letters())
    assert not any(WRONG in letter.error for letter in works.letters())
    assert (len(works.box.events), len(works.box.updates)) == (10, 10)
    assert works.books.paused == ()
    assert [one.own for one in state(works, "refused")] == [False]
    assert is_balanced(works)


def test_a_message_s_own_refused_token_is_kept_while_ours_is_refused_too(
    works: Works, known: set[str]
) -> None:
    known.clear()
    known.add(OTHER)
    works.push(*mixed(5, WRONG), *mixed(5))
    works.drain_while(lambda: len(state(works, "refused")) < 2)
    assert (works.books.waiting, works.books.dead) == (20, 0)
    known.update([TOKEN, WRONG])
    works.drain()
    assert (len(works.box.events), len(works.box.updates)) == (10, 10)
    assert is_balanced(works)


def test_without_a_token_of_its_own_the_worker_keeps_every_tenants_messages(
    works: Works, known: set[str]
) -> None:
    known.add(OTHER)
    works.push(*mixed(5), *mixed(5, WRONG), *mixed(5, OTHER))
    tenants = works.settings(token="")
    works.drain_while(lambda: not state(works, "refused") or len(works.box.events) < 10, to=tenants)
    assert works.books.dead == 0
    known.add(WRONG)
    works.drain(to=tenants)
    assert (len(works.box.events), len(works.box.updates)) == (15, 15)
    assert is_balanced(works)


def test_updates_accepted_before_a_revocation_was_seen_come_back(
    works: Works, known: set[str]
) -> None:
    works.push(update("u0", **{"$set": {"n": 0}}))
    works.drain()
    known.clear()
    known.add(OTHER)
    works.push(*(update(f"u{n}", **{"$set": {"n": n}}) for n in range(1, 20)))
    works.drain(batch_records=4)
    assert works.books.totals["delivered"] == 20  # as far as anyone can know
    assert len(works.box.updates) == 1
    works.push(event("shows it"))
    works.drain_while(lambda: not state(works, "refused"))
    books = works.books
    # The first was accepted without evidence since, and is sent again too.
    assert books.totals["delivered"] == 0
    assert books.totals["returned"] == 20
    assert (books.waiting, books.difference) == (21, 0)
    known.add(TOKEN)
    works.drain()
    assert [one["$distinct_id"] for one in works.box.updates] == [
        "u0",
        *(f"u{n}" for n in range(20)),
    ]
    assert works.books.totals["delivered"] == 21
    assert works.books.difference == 0


def test_more_than_the_limit_without_evidence_asks_for_one_proof(works: Works) -> None:
    works.push(*(update(f"u{n}", **{"$set": {"text": "x" * 200_000}}) for n in range(50)))
    works.drain(batch_records=5)
    assert proofs(works) == 2
    assert len(works.box.updates) == 50


def test_with_the_setting_off_nothing_is_proven_or_kept(works: Works, known: set[str]) -> None:
    known.clear()
    known.add(OTHER)
    works.push(update("u", **{"$set": {"n": 1}}))
    works.drain(to=works.settings(prove_tokens=False))
    assert proofs(works) == 0
    assert works.books.tokens == ()
    assert not works.queue.redis.keys("*kept*")


def test_a_worker_with_another_region_leaves_no_refusal_behind(
    works: Works, known: set[str]
) -> None:
    known.clear()
    known.add(OTHER)
    works.push(*mixed(20))
    works.drain_while(lambda: not state(works, "refused"))
    with Sandbox(Options(tokens=[TOKEN])) as right:
        works.drain(to=works.settings(api_host=right.url))
        assert (len(right.events), len(right.updates)) == (20, 20)
    assert state(works, "refused") == []
    wait_until(lambda: works.queue.reap() is not None and not works.books.paused, "no pauses")


def test_the_region_that_knows_the_token_is_named(
    works: Works, known: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known.clear()
    known.add(OTHER)
    with Sandbox(Options(tokens=[TOKEN])) as right:
        monkeypatch.setitem(endpoints.REGIONS, "us", works.box.url)
        monkeypatch.setitem(endpoints.REGIONS, "eu", right.url)
        monkeypatch.setitem(endpoints.REGIONS, "in", works.box.url)
        works.push(*mixed(5))
        here = works.settings(api_host="", region="us")
        works.drain_while(lambda: not any(one.elsewhere for one in works.books.tokens), to=here)
        [refused] = state(works, "refused")
        assert (refused.elsewhere, refused.likelier) == ("eu", "region")
        assert "MIXPANEL_REGION=eu" in refused.error
        works.drain(to=works.settings(api_host="", region="eu"))
        assert (len(right.events), len(right.updates)) == (5, 5)


def test_where_no_region_knows_it_the_token_is_likelier_wrong(
    works: Works, known: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known.clear()
    known.add(OTHER)
    with Sandbox(Options(tokens=[OTHER])) as neighbour:
        monkeypatch.setitem(endpoints.REGIONS, "us", works.box.url)
        monkeypatch.setitem(endpoints.REGIONS, "eu", neighbour.url)
        monkeypatch.delitem(endpoints.REGIONS, "in")
        works.push(*mixed(1))
        here = works.settings(api_host="", region="us")
        works.drain_while(
            lambda: all(one.likelier == "unknown" for one in works.books.tokens), to=here
        )
        [refused] = state(works, "refused")
        assert (refused.elsewhere, refused.likelier) == (None, "token")
        assert len(neighbour.requests) == 1


def test_a_refused_account_is_not_a_refused_token(
    queue: Queue, redis_url: str, tmp_path: Path
) -> None:
    account = {"service_account_username": "svc", "project_id": "1"}
    options = Options(tokens=[TOKEN], service_account_secret="right", **account)  # type: ignore[arg-type]
    with Sandbox(options) as box:
        works = Works(redis_url, queue, box, tmp_path)
        works.push(*mixed(5))
        wrong = works.settings(service_account_secret="wrong", **account)
        works.drain_while(lambda: len(box.updates) < 5 or not works.books.paused, to=wrong)
        assert state(works, "refused") == []
        assert box.events == []
        works.drain(to=works.settings(service_account_secret="right", **account))
        assert is_balanced(works)
