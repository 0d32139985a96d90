"""One crash point at a time: the k-th call of a move meets a fault, and all is audited after."""

import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from mixrelay.worker.shift import owner_of
from tests.chaos.crash_points import acts
from tests.chaos.crash_points.audit import findings, problems
from tests.chaos.crash_points.calls import Watch
from tests.chaos.crash_points.forks import Forks
from tests.chaos.crash_points.scenes import Scene, Script
from tests.chaos.ledger import Findings
from tests.support.faultproxy import (
    Fault,
    FaultProxy,
    after,
    always,
    before,
    cut_after,
    cut_before,
    delay,
    half_open,
    never,
    nth,
    trickle,
    truncate,
)

DEADLINE = 2.0
HTTP_DEADLINE = 0.4
"""Seconds of one request; short where requests are to miss it."""

SEND = "send"
"""The move that is a request to Mixpanel, and no call of Redis."""

CUTS: dict[str, Fault] = {"cut before": cut_before, "cut after": cut_after, "truncated": truncate}
SLOWNESS: dict[str, Fault] = {
    "delayed": delay(2 * HTTP_DEADLINE),
    "trickled": trickle(HTTP_DEADLINE / 20),
    "half-open": half_open,
}
KILLS: dict[str, Callable[[Callable[[], None]], Fault]] = {
    "killed before": before,
    "killed after": after,
}


FAULTS = CUTS | SLOWNESS

TERM_SECONDS = 0.05
"""For which a request is held up, so that its sender has heard of SIGTERM by its answer."""


@dataclass(frozen=True)
class Point:
    """The k-th call of a move in a script, and what it meets."""

    script: Script
    move: str
    k: int
    way: str

    def __str__(self) -> str:
        return f"{self.script.name}: {self.move} {self.k}, {self.way}"

    @property
    def row(self) -> str:
        """Under which it is reported."""
        return self.script.row or {"expand": "list expansion"}.get(self.move, self.move)

    @property
    def kills(self) -> bool:
        return self.way in KILLS

    @property
    def deadline(self) -> float:
        return HTTP_DEADLINE if self.move == SEND else DEADLINE


@dataclass(frozen=True)
class Run:
    """What came of a fault at a point."""

    point: Point
    met: bool
    """A move that asks again while nothing is there is now and then made one time fewer."""
    found: Findings
    problems: list[str]


class Bench:
    """A sandbox, a proxy before it and one before Redis, and a process that forks.

    For one point at a time, each with a queue and a folder of its own.
    """

    def __init__(self, name: str, redis_url: str, folder: Path) -> None:
        self._name, self._url, self._folder = name, redis_url, folder
        self._numbers = count(1)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._mixpanel = stack.enter_context(Sandbox())
            self._redis = stack.enter_context(FaultProxy(self._url))
            self._http = stack.enter_context(FaultProxy(self._mixpanel.url))
            self._forks = stack.enter_context(Forks(self._folder / f"{self._name}.log"))
            self._client = stack.enter_context(connect(self._url))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def calls(self, script: Script) -> Counter[str]:
        """How often each move is made, and a request, when nothing goes wrong."""
        watch, run = self._run(Point(script, "", 0, ""))
        assert run.problems == [], f"{script.name}: {run.problems}"
        return watch.counts + Counter({SEND: self._sent})

    def attack(self, point: Point) -> Run:
        return self._run(point)[1]

    def _run(self, point: Point) -> tuple[Watch, Run]:
        place = self._place(point)
        scene = self._prepared(point.script, place)
        attacked, code = self._attacked(point, scene, place)
        said = self._forks.said()
        healthy = self._finished(point, scene, place, code)
        difference = max(attacked.difference, healthy.difference)
        found = findings(scene, place.path, difference)
        # A producer pushes again what is safe twice.
        resends = point.kills or point.move == SEND or scene.tracks
        wrong = [
            *problems(scene, found, resends=resends),
            *_ended(point, code, met=self._met),
            *([] if point.kills else attacked.lost_reply()),
        ]
        wrong += [said] if wrong else []
        return attacked, Run(point, self._met, found, wrong)

    def _place(self, point: Point) -> acts.Place:
        name = f"{self._name}-{next(self._numbers)}"
        (folder := self._folder / name).mkdir()
        return acts.Place(
            redis=self._redis.url,
            direct=self._url,
            mixpanel=self._http.url,
            queue=name,
            folder=str(folder),
            deadline=point.deadline,
            extend_every=point.script.extend_every,
            partitions=point.script.partitions,
        )

    def _prepared(self, script: Script, place: acts.Place) -> Scene:
        self._mixpanel.reset()
        queue = Queue(self._client, place.queue, partitions=script.partitions)
        if script.partitions > 1:
            queue.announce()
        scene = Scene(queue, self._mixpanel)
        script.prepare(scene)
        if scene.lines:
            place.path.joinpath("log.jsonl").write_bytes(b"\n".join([*scene.lines, b""]))
        if script.then:
            self._redis.plan = self._http.plan = never
            assert self._forks.run(acts.DELIVER, place) == acts.OK
            script.then(scene)
        if script.before:
            self._redis.plan = always(cut_before)
            assert self._forks.run(script.before, place) == acts.OK
        return scene

    def _attacked(self, point: Point, scene: Scene, place: acts.Place) -> tuple[Watch, int]:
        fault = KILLS[point.way](self._forks.kill) if point.kills else FAULTS.get(point.way)
        watch = self._redis.plan = Watch(scene.queue, point.move, point.k, fault)
        self._http.plan = never
        if point.move == SEND and fault:
            self._http.plan = nth(point.k, fault)
        elif point.script.term_at_first_request:
            self._http.plan = nth(1, before(self._terminate, then=delay(TERM_SECONDS)))
        seen, spoiled = self._http.seen, self._http.faulted
        code = self._forks.run(point.script.act, place)
        self._sent = self._http.seen - seen
        self._met = watch.met is not None
        if point.move == SEND:
            self._met = self._http.faulted > spoiled
        return watch, code

    def _terminate(self) -> None:
        self._forks.kill(signal.SIGTERM)

    def _finished(self, point: Point, scene: Scene, place: acts.Place, code: int) -> Watch:
        """What comes next: the command once more, or a healthy worker."""
        watch = self._redis.plan = Watch(scene.queue)
        self._http.plan = never
        if code < 0:
            scene.queue.end_leases(owner_of(acts.WORKER, self._forks.pid.result()), died=True)
        if code and not self._again(point.script.act, place):
            return watch
        if not scene.lines and scene.queue.books().waiting:
            self._again(acts.DELIVER, place)
        return watch

    def _again(self, act: str, place: acts.Place) -> bool:
        return self._forks.run(act, place) == acts.OK


def _ended(point: Point, code: int, *, met: bool) -> list[str]:
    expected = acts.OK
    if met and point.kills:
        expected = -signal.SIGKILL
    elif met and point.script.is_command:
        expected = acts.UNREACHABLE
    return [] if code == expected else [f"exit code {code} in place of {expected}"]
