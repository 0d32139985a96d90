"""A batch keeps how the clocks stood when its messages were first taken, through every move."""

import time

from mixrelay.shared.queue import (
    Batch,
    Division,
    Expansion,
    Identity,
    KeepCopy,
    Lane,
    Part,
    Pause,
    PauseKind,
    Refusal,
    Settlement,
)
from tests.support.bench import Bench, event, update


def first(batch: Batch) -> tuple[int | None, int]:
    return batch.present_ms, batch.host_ahead_ms


def taken(bench: Bench, count: int = 4) -> Batch:
    bench.route(*(event(f"e{number}") for number in range(count)))
    batch = bench.take()
    assert batch.present_ms is not None
    assert abs(batch.present_ms / 1000 - time.time()) < 60
    time.sleep(0.01)  # so that a later look would differ
    return batch


def test_when_leases_end_and_workers_die(bench: Bench) -> None:
    batch = taken(bench)
    bench.queue.begin(batch)
    bench.queue.end_leases("worker", died=False)
    for _ in range(3):
        assert first(bench.take(alone=True)) == first(batch)
        bench.queue.end_leases("worker", died=True)
    halves = [bench.take(alone=True) for _ in range(2)]
    assert [len(half.members) for half in halves] == [2, 2]
    assert {first(half) for half in halves} == {first(batch)}


def test_when_lists_are_expanded_and_a_batch_is_parted_and_given_back(bench: Bench) -> None:
    batch = taken(bench)
    bench.queue.expand(batch, [Expansion("0-1", [event("a"), event("b")])])
    bench.queue.divide(batch, Division([Part(["0-2", "0-3"])], strikes=True))
    bench.queue.settle(batch, Settlement(rest="back", sent=True))
    parts = [bench.take(), bench.take()]
    assert sorted(len(part.members) for part in parts) == [2, 3]
    assert {first(part) for part in parts} == {first(batch)}


def test_when_updates_find_their_line(bench: Bench) -> None:
    bench.route(update("p", 1), update("p", 2))
    batch = bench.take(Lane.PROFILE_UPDATE)
    time.sleep(0.01)
    bench.queue.divide(batch, Division([], destination="track/1", own=True))
    bench.queue.begin(batch)
    bench.queue.end_leases("worker", died=False)
    assert first(bench.take(Lane.PROFILE_UPDATE)) == first(batch)


def test_when_what_was_accepted_comes_back(bench: Bench) -> None:
    token = Identity("0123456789ab", "3f2a…b7", "https://api.mixpanel.com", own=True)
    pause = Pause(PauseKind.CONFIGURATION, base_ms=60_000)
    batch = taken(bench)
    kept = KeepCopy(token.fingerprint, 100, 100)
    accepted = {"delivered": "all", "sent": True, "accepted": True, "destination": "track:1"}
    bench.queue.settle(batch, Settlement(**accepted, keep=kept))  # type: ignore[arg-type]
    bench.queue.tokens.refused(token, Refusal("refused (401)", 401, opens=[], pause=pause))
    again = bench.take(destination="track:1")
    assert again.ambiguous
    assert first(again) == first(batch)
