"""The faults of the soak: each a method, chosen in a random order that a seed repeats."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from redis.exceptions import RedisError

from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Letter, LetterFilter, Queue, new_id
from tests.chaos.arrivals import Arrivals
from tests.chaos.ledger import number_of_letter
from tests.support.fleet import Fleet, Worker, alive, wait_until
from tests.support.killable import KillableRedis

LEASE = 6.0
GRACE = 30.0
LETTERS = 200
AWAY = (0.2, 2.0)


def answered(action: Callable[[], object], seconds: float = 60.0) -> None:
    """Repeats a move of the operator's until Redis answers."""

    def is_done() -> bool:
        with suppress(RedisError):
            action()
            return True
        return False

    wait_until(is_done, seconds, "an answer of Redis")


@dataclass(slots=True)
class Faults:
    """Two workers live dangerously; the first is spared, so that its memory tells of time."""

    fleet: Fleet
    server: KillableRedis
    mixpanel: Sandbox
    arrivals: Arrivals
    chance: Random
    counts: Counter[str] = field(default_factory=Counter)
    discarded: set[int] = field(default_factory=set)
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _bag: list[Callable[[], None]] = field(default_factory=list)

    def next(self) -> None:
        """Lets the next fault happen. Each comes once before one comes again."""
        if not self._bag:
            self._bag = self._all()
            self.chance.shuffle(self._bag)
        fault = self._bag.pop()
        self.counts[fault.__name__.replace("_", " ")] += 1
        fault()

    def tick(self) -> None:
        """Ends what was begun for a while."""
        now = time.monotonic()
        due = [action for at, action in self._later if at <= now]
        self._later = [one for one in self._later if one[0] > now]
        for action in due:
            action()

    def end(self) -> None:
        """Ends all that was begun, and clears the way for everything that waits."""
        for _, action in self._later:
            action()
        self._later.clear()
        self.mixpanel.clear_faults()

    def _all(self) -> list[Callable[[], None]]:
        return [
            self.horse_killed, self.parent_killed, self.terminated, self.stopped_past_a_lease,
            self.redis_restarted, self.connections_killed, self.scripts_flushed,
            self.busy_503, self.rate_limited_429, self.reset_before, self.reset_after,
            self.hangs, self.truncated, self.proxy_page, self.too_large_413,
            self.user_refused, self.user_fails,
            self.operator_replays, self.operator_discards,
        ]  # fmt: skip

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, action))

    # Processes.

    def _victim(self) -> Worker:
        victim = self.chance.choice(self.fleet.workers[1:])
        wait_until(lambda: victim.horse() is not None, 60, f"a horse\n{victim.tail()}")
        return victim

    def horse_killed(self) -> None:
        self._victim().kill_horse()

    def parent_killed(self) -> None:
        victim = self._victim()
        victim.kill_parents()
        self.fleet.replace(victim)

    def terminated(self) -> None:
        victim = self._victim()
        assert victim.terminate(GRACE) == 0, victim.tail()
        self.fleet.replace(victim)

    def stopped_past_a_lease(self) -> None:
        spared = self.fleet.workers[0]
        wait_until(lambda: spared.horse() is not None, 60, f"a horse\n{spared.tail()}")
        horse = spared.horse()
        if horse is None or not alive(horse):
            return  # a shift has just ended
        with suppress(ProcessLookupError):
            os.kill(horse, signal.SIGSTOP)

        def go_on() -> None:
            with suppress(ProcessLookupError):
                os.kill(horse, signal.SIGCONT)

        self._after(LEASE + self.chance.uniform(1, 3), go_on)

    # Redis.

    def redis_restarted(self) -> None:
        self.server.kill()
        time.sleep(self.chance.uniform(*AWAY))
        self.server.start()

    def connections_killed(self) -> None:
        self.server.client.client_kill_filter(_type="normal", skipme=True)

    def scripts_flushed(self) -> None:
        self.server.client.script_flush()

    # Mixpanel.

    def _some(self) -> int:
        return self.chance.randint(1, 5)

    def busy_503(self) -> None:
        self.mixpanel.fault("status", status=503, count=self._some())

    def rate_limited_429(self) -> None:
        wish = self.chance.choice(["1", "0", "-1", "soon", "2.5"])
        self.mixpanel.fault("status", status=429, retry_after=wish, count=self._some())

    def reset_before(self) -> None:
        self.mixpanel.fault("reset_before", count=self._some())

    def reset_after(self) -> None:
        self.mixpanel.fault("reset_after", count=self._some())

    def hangs(self) -> None:
        self.mixpanel.fault("hang", seconds=30, count=2, take=self.chance.random() < 0.5)

    def truncated(self) -> None:
        self.mixpanel.fault("truncate", count=self._some())

    def proxy_page(self) -> None:
        self.mixpanel.fault("html", count=self._some())

    def too_large_413(self) -> None:
        self.mixpanel.fault("status", status=413, count=self._some())

    def _for_a_user(self, kind: str) -> None:
        rule = self.mixpanel.fault(kind, match=f"user-{self.chance.randrange(997)}")
        self._after(self.chance.uniform(10, 20), lambda: self.mixpanel.clear_faults(rule))

    def user_refused(self) -> None:
        self._for_a_user("reject_distinct_id")

    def user_fails(self) -> None:
        self._for_a_user("fail_matching")

    # The operator.

    def _letters(self) -> list[Letter]:
        found: list[Letter] = []

        def look() -> None:
            found[:] = list(self.queue.letters.find(LetterFilter()))[:LETTERS]

        answered(look)
        return found

    @property
    def queue(self) -> Queue:
        return self.fleet.queue

    def operator_replays(self) -> None:
        letters = self._letters()
        # Noted first: one may arrive before the answer.
        self.arrivals.replayed |= {number_of_letter(letter) or 0 for letter in letters}
        numbers, op = [letter.id for letter in letters], new_id()
        answered(lambda: self.queue.replay(numbers, op=op))

    def operator_discards(self) -> None:
        letters = self._letters()[:3]
        numbers, op = [letter.id for letter in letters], new_id()
        self.discarded |= {number_of_letter(letter) or 0 for letter in letters}
        answered(lambda: self.queue.discard(numbers, op=op))
