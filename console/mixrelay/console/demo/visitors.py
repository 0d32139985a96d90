"""Traffic: several clients that visit the web application at once."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import requests

_PAGES = ("sign-up", "play", "play", "join-band")
_USERS_EACH = 12
_TIMEOUT = 10.0


@dataclass(slots=True)
class Diary:
    """What one client did, and what its visits put into the queue."""

    sent: Counter[str] = field(default_factory=Counter)
    """Messages by kind: event, profile, increment, group."""
    numbers: dict[str, set[int]] = field(default_factory=dict)
    """Which numbers each kind carried."""
    last_profile: dict[str, int] = field(default_factory=dict)
    """The number that each user's profile was set to last."""
    plays: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """How long each visit took."""
    failures: list[str] = field(default_factory=list)

    def note(self, user: str, number: int, queued: list[str]) -> None:
        for kind in queued:
            self.sent[kind] += 1
            self.numbers.setdefault(kind, set()).add(number)
        if "profile" in queued:
            self.last_profile[user] = number
        if "increment" in queued:
            self.plays[user] += 1

    def add(self, other: "Diary") -> None:
        self.sent += other.sent
        for kind, numbers in other.numbers.items():
            self.numbers.setdefault(kind, set()).update(numbers)
        self.last_profile |= other.last_profile
        self.plays += other.plays
        self.seconds += other.seconds
        self.failures += other.failures


class Visitors:
    """Clients in threads, each with users of its own, so that each user's visits have an order."""

    def __init__(self, url: str, *, clients: int, visits_a_second: float) -> None:
        self._url = url
        self._pause = clients / visits_a_second
        self._numbers = itertools.count(1)
        self._stopped = threading.Event()
        self._diaries = [Diary() for _ in range(clients)]
        self._threads = [
            threading.Thread(target=self._visit, args=(client, diary), daemon=True)
            for client, diary in enumerate(self._diaries)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> Diary:
        """Ends the traffic; all that was sent."""
        self._stopped.set()
        whole = Diary()
        for thread, diary in zip(self._threads, self._diaries, strict=True):
            thread.join(2 * _TIMEOUT)
            whole.add(diary)
        return whole

    def so_far(self) -> int:
        """Messages sent until now."""
        return sum(diary.sent.total() for diary in self._diaries)

    def _visit(self, client: int, diary: Diary) -> None:
        with requests.Session() as session:
            for user, page in self._plan(client):
                if self._stopped.wait(self._pause):
                    return
                number = next(self._numbers)
                self._fetch(session, diary, (user, page, number))

    def _fetch(self, session: requests.Session, diary: Diary, visit: tuple[str, str, int]) -> None:
        user, page, number = visit
        begun = time.perf_counter()
        try:
            answer = session.post(f"{self._url}/{user}/{page}/{number}", timeout=_TIMEOUT)
            answer.raise_for_status()
        except requests.RequestException as error:
            diary.failures.append(f"{user}/{page}/{number}: {error}")
            return
        diary.seconds.append(time.perf_counter() - begun)
        diary.note(user, number, answer.json()["queued"])

    @staticmethod
    def _plan(client: int) -> Iterator[tuple[str, str]]:
        users = [f"user-{client}-{index}" for index in range(_USERS_EACH)]
        return zip(itertools.cycle(users), _odd_cycle(), strict=False)


def _odd_cycle() -> Iterator[str]:
    """The pages in turn, shifted at each round, so that every user sees each of them."""
    for turn in itertools.count():
        yield from (_PAGES[(turn + index) % len(_PAGES)] for index in range(_USERS_EACH))
