"""Three projects on one queue, one of them in trouble: what the other two notice of it.

    python -m benchmarks.projects [--messages N] [--rounds N]

Of each kind of trouble: Mixpanel refuses the first project's token (401), limits it (429), or its
requests fail (503). Each is measured beside the same load of the other two alone, in turn, so that
whatever else the machine does meets both alike. Two figures: how fast a backlog of theirs goes out,
and how long a message of theirs takes at a steady rate (95th percentile). Updates of each profile
must arrive in their order. Half of the messages are events, half updates of profiles.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from benchmarks.stand import stand
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue

TROUBLED, OTHERS = "token-of-a", ("token-of-b", "token-of-c")
PROFILES = 50
SECONDS, RATE = 6.0, 200
"""At the steady rate, messages a second of each project."""
LIMIT_SECONDS = 180.0

TROUBLES: dict[str, tuple[Callable[[Sandbox], object], Callable[[Sandbox], object]]] = {
    # What a third project costs anyway.
    "none": (lambda _box: None, lambda _box: None),
    "refused": (lambda box: box.know_only(*OTHERS), lambda box: box.know(TROUBLED)),
    "limited": (
        lambda box: box.fault("reject_token", status=429, match=TROUBLED),
        lambda box: box.clear_faults(),
    ),
    "away": (
        lambda box: box.fault("reject_token", status=503, match=TROUBLED),
        lambda box: box.clear_faults(),
    ),
}


@dataclass
class Seen:
    """Of the two others."""

    rates: list[float] = field(default_factory=list)
    """Messages a second of a backlog."""
    p95: list[float] = field(default_factory=list)
    """Seconds of a message at a steady rate."""


class Projects:
    """A queue of three projects, a sandbox behind it, and a worker that somebody else runs."""

    def __init__(self, queue: Queue, box: Sandbox) -> None:
        self._queue, self._box = queue, box
        self._sent: list[float] = []

    def backlog(self, messages: int, *, with_troubled: bool) -> float:
        """Messages a second of the others, of whom so many are pushed at once."""
        first = len(self._sent)
        tuples = list(self._made(messages // len(OTHERS), with_troubled=with_troubled))
        began = time.monotonic()
        for at in range(0, len(tuples), 1_000):
            self._queue.push(tuples[at : at + 1_000])
        self._waits(first)
        return messages / (time.monotonic() - began)

    def steady(self, seconds: float, *, with_troubled: bool) -> float:
        """The 95th percentile of what the others' messages take, in seconds."""
        first, began, pushed = len(self._sent), time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            if (due := int(passed * RATE)) > pushed:
                self._queue.push(list(self._made(due - pushed, with_troubled=with_troubled)))
                pushed = due
            time.sleep(0.02)
        return statistics.quantiles(self._waits(first), n=20)[-1]

    def inversions(self) -> int:
        """Updates that first arrived after a later one of their profile, of all three projects.

        What `/engage` accepted before a token's end was seen comes twice, and in its order.
        """
        newest: dict[str, int] = {}
        seen: set[tuple[str, int]] = set()
        found = 0
        for one in self._box.updates:
            profile, number = f"{one['$token']} {one['$distinct_id']}", one["$set"]["n"]
            found += (profile, number) not in seen and number < newest.get(profile, -1)
            seen.add((profile, number))
            newest[profile] = max(number, newest.get(profile, -1))
        return found

    def settle(self) -> None:
        """Until all is delivered, the troubled project's too.

        Raises:
            TimeoutError: that took over three minutes.
        """
        _wait(lambda: self._queue.books().waiting == 0)

    def _made(self, rounds: int, *, with_troubled: bool) -> Iterator[bytes]:
        for _ in range(rounds):
            for token in (TROUBLED, *OTHERS) if with_troubled else OTHERS:
                yield self._one(token, len(self._sent))
                self._sent.append(time.time() if token in OTHERS else 0.0)

    def _one(self, token: str, number: int) -> bytes:
        user = f"user-{number // 7 % PROFILES}"
        if number // len(OTHERS) // 2 % 2:
            update = {"$token": token, "$distinct_id": user, "$set": {"n": number}}
            return _tuple("profile_update", update)
        inner = {"token": token, "distinct_id": user, "n": number, "time": int(time.time() * 1000)}
        return _tuple("event", {"event": "Measured", "properties": inner})

    def _waits(self, first: int) -> list[float]:
        """Seconds that the others' messages took, of those from a number on, once all are there."""
        wanted = {n for n in range(first, len(self._sent)) if self._sent[n]}

        def there() -> dict[int, float]:
            arrived = ((_number(one.record), one.at) for one in self._box.arrivals)
            return {number: at for number, at in arrived if number in wanted}

        _wait(lambda: len(there()) == len(wanted))
        return [at - self._sent[number] for number, at in there().items()]


def measure(projects: Projects, box: Sandbox, trouble: str, messages: int, seconds: float) -> Seen:
    """One round: alone and beside the project in trouble, and then until all is delivered."""
    seen = Seen()
    begins, ends = TROUBLES[trouble]
    for with_troubled in (False, True):
        if with_troubled:
            begins(box)
        seen.rates.append(projects.backlog(messages, with_troubled=with_troubled))
        seen.p95.append(projects.steady(seconds, with_troubled=with_troubled))
    ends(box)
    projects.settle()
    return seen


def _tuple(kind: str, record: dict[str, Any]) -> bytes:
    return orjson.dumps([kind, orjson.dumps({"data": record}).decode()])


def _number(record: dict[str, Any]) -> int:
    place = record.get("properties") or record.get("$set") or {}
    return int(place.get("n", -1))


def _wait(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + LIMIT_SECONDS
    while not holds():
        if time.monotonic() > ends:
            raise TimeoutError(f"not within {LIMIT_SECONDS:g} s")
        time.sleep(0.02)


def table(rows: Sequence[tuple[str, Seen]]) -> Iterator[str]:
    """The lines: what was seen alone, beside the trouble, and the ratio of the two."""
    yield "trouble    backlog alone   beside  ratio   p95 alone  beside  ratio"
    for name, seen in rows:
        (rate, beside), (p95, late) = seen.rates, seen.p95
        yield (
            f"{name:10} {rate:9,.0f} /s {beside:6,.0f} /s {beside / rate:6.2f} "
            f"{p95 * 1000:8.0f} ms {late * 1000:4.0f} ms {late / p95:6.2f}"
        )


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--messages", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with stand() as at, Sandbox(Options(tokens=[TROUBLED, *OTHERS])) as box:
        at.worker(MIXPANEL_API_HOST=box.url, MIXPANEL_TOKEN=TROUBLED)
        projects = Projects(at.queue, box)
        projects.backlog(2_000, with_troubled=True)
        rows = []
        for trouble in TROUBLES:
            seen = [
                measure(projects, box, trouble, chosen.messages, SECONDS)
                for _ in range(chosen.rounds)
            ]
            rows.append((trouble, _median(seen)))
        for line in table(rows):
            print(line)
        print(f"updates out of their profile's order, of all three: {projects.inversions()}")


def _median(seen: Sequence[Seen]) -> Seen:
    return Seen(
        [statistics.median(column) for column in zip(*(one.rates for one in seen), strict=True)],
        [statistics.median(column) for column in zip(*(one.p95 for one in seen), strict=True)],
    )


if __name__ == "__main__":
    main()
