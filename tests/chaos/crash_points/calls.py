"""The calls that a process makes to Redis, by the moves of the queue that they are."""

from collections import Counter
from hashlib import sha1

from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.base.scripts import NAMES, sha
from tests.support.faultproxy import Exchange, Fault
from tests.support.wire import words

CONNECT = "connect"
_SCRIPTS = {sha(name).encode(): name for name in NAMES}
_COMMANDS = {b"RPUSH": "push", b"TIME": "clock", b"HELLO": CONNECT, b"CLIENT": CONNECT}
_CLAIM = 8
"""The place of a reserve's claim: behind EVALSHA, the script, 3, three keys, lane and owner."""
_BATCH = 4
"""The line of a reserve's answer with the batch's id: behind the lengths of `batch` and of it."""
REPEATED = ("settle", "divide", "expand")
"""Moves that a worker repeats, as they were, until they are answered."""


def move_of(command: bytes) -> str:
    """The script's name, or what a plain command is for."""
    name, *rest = words(command)
    if name.upper() == b"EVALSHA":
        return _SCRIPTS[rest[0]]
    if name.upper() == b"EVAL":
        return _SCRIPTS[sha1(rest[0], usedforsecurity=False).hexdigest().encode()]
    return _COMMANDS.get(name.upper(), name.decode().lower())


class Watch:
    """A plan: the k-th call of one move meets the fault. The books are read before every call."""

    def __init__(
        self, queue: Queue, move: str = "", k: int = 0, fault: Fault | None = None
    ) -> None:
        self._queue = queue
        self._point = (move, k)
        self._fault = fault
        self._made: list[Exchange] = []
        self.counts: Counter[str] = Counter()
        self.met: Exchange | None = None
        self.difference = 0

    def __call__(self, exchange: Exchange) -> Fault | None:
        move = move_of(exchange.request)
        self.counts[move] += 1
        self._made.append(exchange)
        self.difference = max(self.difference, abs(self._queue.books().difference))
        if (move, self.counts[move]) != self._point:
            return None
        self.met = exchange
        return self._fault

    def lost_reply(self) -> list[str]:
        """What is wrong with the repetition of a call that was carried out and not answered."""
        move, _ = self._point
        if self.met is None or not self.met.reply:
            return []
        later = self._made[self._made.index(self.met) + 1 :]
        if move in REPEATED:
            return _repetition(self.met, later)
        if move == "reserve" and b"batch" in self.met.reply:
            return _second_asking(self.met, later)
        return []


def _repetition(lost: Exchange, later: list[Exchange]) -> list[str]:
    again = [one.reply or b"" for one in later if one.request == lost.request]
    right = len(again) == 1 and b"already" in again[0]
    return [] if right else [f"asked again, the move was answered {again}"]


def _second_asking(lost: Exchange, later: list[Exchange]) -> list[str]:
    # In full: the claims of one asking differ by the partition's number behind them.
    claim = words(lost.request)[_CLAIM]
    asked = [one for one in later if _claim(one) == claim]
    if not asked:
        return ["the claim was not asked with again"]
    batches = {_batch(one) for one in (lost, *asked)}
    return [] if len(batches) == 1 else [f"one claim was answered with {batches}"]


def _claim(one: Exchange) -> bytes | None:
    return words(one.request)[_CLAIM] if move_of(one.request) == "reserve" else None


def _batch(reserve: Exchange) -> bytes:
    return (reserve.reply or b"").split(b"\r\n")[_BATCH]
