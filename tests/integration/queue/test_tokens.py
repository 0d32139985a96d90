"""What the fleet knows of a token: one proof for all, circuits that open and close together."""

from collections.abc import Callable

import orjson
import pytest

from mixrelay.shared.queue import (
    Identity,
    Lane,
    Next,
    Pause,
    PauseKind,
    Refusal,
    Settlement,
    TokenAnswer,
    TokenState,
)
from tests.support.bench import Bench, event, outage, update

OURS = Identity("0123456789ab", "3f2a…b7", "https://api.mixpanel.com", own=True)
THEIRS = Identity("ba9876543210", "77aa…01", "https://api.mixpanel.com", own=False)
ENGAGE, IMPORT = "engage:1", "import:1"
HOUR_MS = 3_600_000
LONG = Pause(PauseKind.CONFIGURATION, base_ms=60_000, cap_ms=3_600_000)
REFUSED = Refusal(
    "refused (401)", 401, opens=[(ENGAGE, "profile_update"), (IMPORT, "event")], pause=LONG
)


def ask(bench: Bench, who: str = "a", identity: Identity = OURS, **how: bool) -> TokenAnswer:
    return bench.queue.tokens.ask(
        identity.fingerprint, who=who, proof_seconds=10, within_seconds=3600, **how
    )


def change(bench: Bench, identity: Identity = OURS, **changes: object) -> None:
    """Lets time pass for what is known of a token."""
    stored = orjson.loads(bench.redis.hget(bench.key("tokens"), identity.fingerprint))
    bench.redis.hset(bench.key("tokens"), identity.fingerprint, orjson.dumps(stored | changes))


def known(bench: Bench) -> dict[str, TokenState]:
    return {one.fingerprint: one for one in bench.queue.books().tokens}


def paused(bench: Bench) -> set[str]:
    return {one.destination for one in bench.queue.books().paused}


def test_one_proves_and_the_others_wait(bench: Bench) -> None:
    assert ask(bench, "a").next is Next.PROVE
    assert ask(bench, "b").next is Next.WAIT
    # Its reply was lost: it asks again.
    assert ask(bench, "a").next is Next.PROVE
    bench.queue.tokens.proven(OURS, began_ms=1)
    assert {ask(bench, who).next for who in "abc"} == {Next.PROVEN}


def test_a_prover_that_dies_is_replaced(bench: Bench) -> None:
    ask(bench, "a")
    bench.redis.delete(bench.key(f"proving:{OURS.fingerprint}"))  # as its expiry does
    assert ask(bench, "b").next is Next.PROVE


def test_the_claim_to_prove_expires(bench: Bench) -> None:
    ask(bench, "a")
    assert 9_000 < bench.redis.pttl(bench.key(f"proving:{OURS.fingerprint}")) <= 10_000


def test_evidence_holds_an_hour(bench: Bench) -> None:
    bench.queue.tokens.proven(OURS, began_ms=1)
    now = bench.queue.books().now_ms
    change(bench, at=now - HOUR_MS + 60_000)
    assert ask(bench).next is Next.PROVEN
    change(bench, at=now - HOUR_MS - 1)
    assert ask(bench, "a").next is Next.PROVE
    # Meanwhile the others go on under what was known.
    assert ask(bench, "b").next is Next.PROVEN
    assert ask(bench, "b", insists=True).next is Next.WAIT


def test_who_only_looks_proves_nothing(bench: Bench) -> None:
    assert ask(bench, looks=True) == (Next.UNPROVEN, None, 0)
    assert ask(bench, "b").next is Next.PROVE


def test_silence_holds_nothing_back_and_is_not_asked_for_again_at_once(bench: Bench) -> None:
    ask(bench)
    bench.queue.tokens.silent(OURS, Refusal("no answer"))
    answer = ask(bench)
    assert answer.next is Next.UNPROVEN
    assert answer.state is not None
    assert answer.state.error == "no answer"
    assert paused(bench) == set()
    change(bench, again=1)
    assert ask(bench).next is Next.PROVE


def test_a_refusal_opens_all_circuits_of_the_token_at_once(bench: Bench) -> None:
    ask(bench)
    bench.queue.tokens.refused(OURS, REFUSED)
    assert paused(bench) == {ENGAGE, IMPORT}
    bench.route(update("p"), event("e"))
    update_waits = bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)
    assert ENGAGE in update_waits.paused
    assert update_waits.destination is None, "who reads it must not send it"
    assert bench.refused(Lane.EVENT, destination=IMPORT).wait_seconds is not None
    [state] = known(bench).values()
    assert (state.state, state.status, state.error) == ("refused", 401, "refused (401)")
    assert ask(bench).next is Next.REFUSED
    assert ask(bench, looks=True).next is Next.REFUSED


def test_a_refused_token_is_proven_again_when_its_pause_is_over(bench: Bench) -> None:
    bench.queue.tokens.refused(OURS, REFUSED)
    change(bench, again=1)
    assert ask(bench, "a", looks=True).next is Next.PROVE
    assert ask(bench, "b").next is Next.REFUSED
    bench.queue.tokens.refused(OURS, REFUSED)
    pauses = bench.queue.books().paused
    assert {one.failures for one in pauses} == {2}
    assert all(100 < one.seconds <= 120 for one in pauses)


def test_refusals_of_one_moment_are_one_failure(bench: Bench) -> None:
    for _ in range(3):
        bench.queue.tokens.refused(OURS, REFUSED)
    assert {one.failures for one in bench.queue.books().paused} == {1}


def test_a_token_whose_messages_die_is_proven_again_soon_however_often_it_was_refused(
    bench: Bench,
) -> None:
    for _ in range(5):
        bench.queue.tokens.refused(THEIRS, Refusal("refused", 401, pause=LONG))
        answer = ask(bench, identity=THEIRS)
        assert answer.next is Next.REFUSED
        assert answer.wait_seconds <= 60
        assert answer.state is not None
        assert answer.state.buries
        change(bench, THEIRS, again=1)
    # While one proves it, nothing dies of the refusal before.
    assert ask(bench, "a", THEIRS).next is Next.PROVE
    assert ask(bench, "b", THEIRS).next is Next.WAIT


def test_silence_does_not_lift_a_refusal(bench: Bench) -> None:
    bench.queue.tokens.refused(OURS, REFUSED)
    change(bench, again=1)
    ask(bench)
    bench.queue.tokens.silent(OURS, Refusal("no answer", opens=REFUSED.opens, pause=LONG))
    assert ask(bench).next is Next.REFUSED
    assert all(one.seconds > 100 for one in bench.queue.books().paused)


def test_a_proof_ends_all_pauses_of_the_token_and_of_no_other(bench: Bench) -> None:
    bench.queue.tokens.refused(OURS, REFUSED)
    other = Refusal("refused", 401, opens=[("engage:2", "profile_update")], pause=LONG)
    bench.queue.tokens.refused(THEIRS, other)
    bench.queue.tokens.proven(OURS, began_ms=1)
    assert paused(bench) == {"engage:2"}
    bench.route(update("p"))
    assert not bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE).probe


def test_an_acceptance_does_not_end_what_a_refused_token_opened(bench: Bench) -> None:
    bench.route(update("p"))
    under_way = bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)
    bench.queue.tokens.refused(OURS, REFUSED)
    bench.deliver(under_way)
    assert ENGAGE in paused(bench)


def test_an_outage_of_the_same_destination_is_ended_by_its_own_acceptance(bench: Bench) -> None:
    bench.route(update("p"))
    batch = bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)
    bench.park(batch, outage(base_ms=1))
    bench.queue.tokens.proven(OURS, began_ms=1)
    assert ENGAGE in paused(bench)


def test_more_can_be_said_of_a_refusal_later(bench: Bench) -> None:
    bench.queue.tokens.refused(OURS, REFUSED)
    bench.queue.tokens.amend(OURS, Refusal("set the region", likelier="region", elsewhere="eu"))
    [state] = known(bench).values()
    assert (state.likelier, state.elsewhere, state.error) == ("region", "eu", "set the region")
    assert {one.reason for one in bench.queue.books().paused} == {"set the region"}
    change(bench, again=1)
    # The next refusal does not look elsewhere again, and keeps what was found.
    bench.queue.tokens.refused(OURS, Refusal("refused", 401))
    assert known(bench)[OURS.fingerprint].elsewhere == "eu"


def test_a_former_refusal_ends_when_what_replaced_it_is_proven(bench: Bench) -> None:
    bench.queue.tokens.refused(OURS, REFUSED)
    new = Identity("ffffffffffff", "9999…99", "https://api-eu.mixpanel.com", own=True)
    bench.queue.tokens.proven(new, began_ms=1)
    assert set(known(bench)) == {new.fingerprint}


@pytest.mark.parametrize(("idle_ms", "is_kept"), [(60_000, True), (200_000, False)])
def test_of_several_tokens_of_the_workers_own_only_a_refusal_nobody_asks_for_ends(
    bench: Bench, idle_ms: int, *, is_kept: bool
) -> None:
    bench.queue.tokens.refused(OURS, REFUSED)
    change(bench, asked=bench.queue.books().now_ms - idle_ms)
    another = Identity("ffffffffffff", "9999…99", OURS.base, own=True)
    bench.queue.tokens.proven(another, began_ms=1)
    assert (OURS.fingerprint in known(bench)) is is_kept


def test_a_message_s_own_token_is_forgotten_an_hour_after_its_last_batch(bench: Bench) -> None:
    bench.queue.tokens.refused(THEIRS, Refusal("refused", 401))
    bench.queue.tokens.proven(OURS, began_ms=1)
    assert THEIRS.fingerprint in known(bench)
    change(bench, THEIRS, asked=bench.queue.books().now_ms - HOUR_MS - 1)
    bench.queue.tokens.proven(OURS, began_ms=1)
    assert THEIRS.fingerprint not in known(bench)


def test_tokens_are_bounded_and_the_least_recent_go(bench: Bench) -> None:
    for index in range(1_025):
        one = Identity(f"{index:012x}", "…", OURS.base, own=False)
        bench.queue.tokens.proven(one, began_ms=1)
        if index == 0:
            change(bench, one, at=1)
    left = known(bench)
    assert len(left) == 1_025 - 64
    assert f"{0:012x}" not in left
    assert f"{1_024:012x}" in left


def test_proofs_are_bounded_in_rate(bench: Bench) -> None:
    answers = [
        ask(bench, "a", Identity(f"{index:012x}", "…", OURS.base, own=False)) for index in range(40)
    ]
    waiting = [one for one in answers if one.next is Next.WAIT]
    # At least ten a second, and never all of forty at once.
    assert 10 <= len(answers) - len(waiting) < 40
    assert all(one.wait_seconds > 0 for one in waiting)


@pytest.mark.parametrize("key", ["tokens", "proofs", f"proving:{OURS.fingerprint}"])
def test_a_foreign_value_stops_a_proof_untouched(bench: Bench, key: str) -> None:
    bench.redis.rpush(bench.key(key), "foreign")
    before = bench.dump()
    calls: list[Callable[[], object]] = [
        lambda: ask(bench),
        lambda: bench.queue.tokens.refused(OURS, REFUSED),
    ]
    for call in calls:
        with pytest.raises(Exception, match="Another program writes"):
            call()
    assert bench.dump() == before


def test_settlements_without_a_token_keep_nothing(bench: Bench) -> None:
    bench.route(update("p"))
    batch = bench.take(Lane.PROFILE_UPDATE)
    bench.queue.settle(batch, Settlement(delivered="all", sent=True, accepted=True))
    assert not bench.redis.keys(bench.key("kept*"))
