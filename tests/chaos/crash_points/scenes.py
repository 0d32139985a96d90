"""The scripted runs: what is prepared for each, which act is attacked, what must come of it.

Every message has a number `n`, given out in order by `Scene.number`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import orjson

from mixrelay.sandbox import Sandbox
from mixrelay.shared.partitioning import partition_of_key
from mixrelay.shared.queue import Batch, Lane, Limits, Queue, new_id
from tests.support.letters import bury
from tests.support.traffic import TOKEN
from tests.support.works import event, group, imported, message, update

AT_ONCE = Limits(linger_seconds=0)
EXTEND_EVERY = 0.1
LONG_LIST = 1_050
LINES = 2_100
PARTITIONS = 3


@dataclass
class Scene:
    """One run's messages and what is expected of them."""

    queue: Queue
    mixpanel: Sandbox
    dead: dict[int, str] = field(default_factory=dict)
    """Numbers of the letters that there are at the end, with their reasons."""
    discarded: set[int] = field(default_factory=set)
    replayed: int = 0
    lines: list[bytes] = field(default_factory=list)
    """Of the log that is pushed."""
    tracks: bool = False
    """Its messages are those that the act itself tracked."""
    messages: int = 0
    """How many numbers were given out."""

    def number(self) -> int:
        self.messages += 1
        return self.messages - 1

    def event(self, user: str = "ann", *, token: str = TOKEN, **properties: Any) -> bytes:
        return event(user, token=token, **{"n": self.number(), **properties})

    def set(self, user: str) -> bytes:
        return update(user, token=TOKEN, **{"$set": {"n": self.number()}})

    def add(self, user: str) -> bytes:
        return update(user, token=TOKEN, **{"$add": {"n": self.number()}})

    def broken(self) -> bytes:
        """An event that breaks a rule."""
        self.dead[n := self.number()] = "invalid"
        return event("ann", token=TOKEN, n=n, time="tomorrow")

    def culprit(self, make: Callable[[str], bytes]) -> bytes:
        """A message for which Mixpanel refuses the whole request, and does not say why."""
        self.dead[self.messages] = "rejected"
        return make("culprit")


def everything(scene: Scene) -> None:
    """Each lane, two destinations of one lane, one broken rule, one odd tuple."""
    odd = orjson.dumps(["event", orjson.loads(scene.event())[1]]).replace(
        b'"event"', b'"\\u0065vent"', 1
    )
    scene.queue.push(
        [
            scene.event(),
            scene.event(token="another token"),
            scene.broken(),
            odd,
            imported("ann", n=scene.number()),
            scene.set("bob"),
            scene.add("bob"),
            scene.set("bob"),
            group("crew", **{"$set": {"n": scene.number()}}),
        ]
    )


def lists(scene: Scene) -> None:
    """Nested lists of events and of updates, and one that two calls must unpack."""

    def record(made: bytes) -> Any:
        return orjson.loads(orjson.loads(made)[1])["data"]

    updates = [record(scene.set("bob")) for _ in range(3)]
    events = [record(scene.event()) for _ in range(3)]
    scene.queue.push(
        [
            message("profile_update", [updates[0], updates[1:]]),
            scene.set("bob"),
            message("event", [[events[0]], events[1:]]),
            message("event", [record(scene.event()) for _ in range(LONG_LIST)]),
        ]
    )


def slow_answers(scene: Scene) -> None:
    """Requests that last longer than leases go without word from their worker."""
    scene.mixpanel.fault("latency", seconds=2.5 * EXTEND_EVERY)
    scene.queue.push([scene.event(), scene.event()])


def culprits(scene: Scene) -> None:
    """Batches that are halved until the culprit stands alone, in a parallel and an ordered lane."""
    scene.mixpanel.fault("reject_distinct_id", match="culprit")
    scene.queue.push(
        [
            scene.event(),
            scene.culprit(scene.event),
            scene.event(),
            scene.set("bob"),
            scene.culprit(scene.set),
            scene.set("bob"),
        ]
    )


def lost_leases(scene: Scene) -> None:
    """Batches of workers that are gone: one whose lease ran out in the middle of sending, one
    whose process died, and one that has killed two before."""
    queue = scene.queue
    queue.push([scene.set("bob"), scene.add("bob")])
    batch = reserve(queue, Lane.PROFILE_UPDATE, "lost", seconds=0.001)
    queue.begin(batch, doubtful=1)
    queue.push([scene.event(), scene.event(), scene.event()])
    for _ in range(2):
        reserve(queue, Lane.EVENT, "killed")
        queue.end_leases("killed", died=True)
    reserve(queue, Lane.EVENT, "dead")
    queue.push([group("crew", **{"$set": {"n": scene.number()}})])
    reserve(queue, Lane.GROUP_UPDATE, "dead")


def reserve(queue: Queue, lane: Lane, owner: str, seconds: float = 60.0) -> Batch:
    while any(queue.route()):
        pass
    found = queue.reserve(
        lane, owner=owner, claim=new_id(), lease_seconds=seconds, limits=AT_ONCE, alone=True
    )
    assert isinstance(found, Batch)
    return found


def accepted_by_anyone(scene: Scene) -> None:
    """Updates, which `/engage` accepts under any token: copies of them are kept."""
    for make in (scene.set, scene.add):
        scene.queue.push([make(profile) for profile in profiles_of_each()])


def revoked(scene: Scene) -> None:
    """Mixpanel refuses their token for some requests. It has nothing of what it accepted."""
    scene.mixpanel.reset()
    scene.mixpanel.fault("unauthorized", endpoint="/import", count=8)
    scene.queue.push([scene.event(), scene.event()])


def shared_out(scene: Scene) -> None:
    """Each lane in each of the partitions, and an outage: gates are read, claimed and reported."""
    scene.mixpanel.fault("status", endpoint="/import", status=503, count=2)
    profiles = profiles_of_each()
    for make in (scene.event, scene.set, scene.add):
        scene.queue.push([make(profile) for profile in profiles])
    scene.queue.push([scene.broken(), group("crew", **{"$set": {"n": scene.number()}})])


def profiles_of_each() -> list[str]:
    """A profile for each of the partitions, in their order."""
    found: dict[int, str] = {}
    for number in count():
        if len(found) == PARTITIONS:
            return [found[index] for index in range(PARTITIONS)]
        found.setdefault(partition_of_key(name := f"profile-{number}", PARTITIONS), name)
    raise AssertionError


def shared_letters_to_replay(scene: Scene) -> None:
    bury(
        scene.queue, [make(one) for make in (scene.event, scene.set) for one in profiles_of_each()]
    )
    scene.replayed = scene.messages


def shared_letters_to_discard(scene: Scene) -> None:
    bury(scene.queue, [scene.event(one) for one in profiles_of_each()])
    scene.discarded = set(range(scene.messages))
    scene.dead[scene.messages] = "rejected"
    bury(scene.queue, [scene.event()], "rejected")


def letters_to_replay(scene: Scene) -> None:
    bury(scene.queue, [scene.event(), scene.event(), scene.set("bob"), scene.set("bob")])
    scene.replayed = scene.messages


def letters_to_discard(scene: Scene) -> None:
    bury(scene.queue, [scene.event(), scene.set("bob")])
    scene.discarded = set(range(scene.messages))
    scene.dead[scene.messages] = "rejected"
    bury(scene.queue, [scene.event()], "rejected")


def log(scene: Scene) -> None:
    scene.lines = [scene.event() for _ in range(LINES)]


def tracking(scene: Scene) -> None:
    scene.tracks = True


@dataclass(frozen=True)
class Script:
    """A scripted run: what is there, and what is done."""

    name: str
    prepare: Callable[[Scene], None]
    act: str
    row: str = ""
    """Under which its calls are reported; else each under the move that it is."""
    only: tuple[str, ...] = ()
    """The moves whose calls are met; else all are."""
    extend_every: float = 10.0
    """Seconds."""
    partitions: int = 1
    before: str = ""
    """An act that finds no Redis, before the attacked one."""
    then: Callable[[Scene], None] | None = None
    """What happens once all that was prepared is delivered; then it is attacked."""
    term_at_first_request: bool = False

    is_command: bool = False
    """It gives up when Redis does not answer, and says so by its exit code."""


OF_TOKENS = ("token", "proof", "put_back", "drop_kept")

SCRIPTS = (
    Script("deliver", everything, "deliver in a burst"),
    Script("lists", lists, "deliver"),
    Script("halving", culprits, "deliver"),
    Script("slow answers", slow_answers, "deliver", only=("extend",), extend_every=EXTEND_EVERY),
    Script("SIGTERM", culprits, "deliver", row="give back", term_at_first_request=True),
    Script("lost leases", lost_leases, "end leases and deliver"),
    Script("revoked token", accepted_by_anyone, "deliver", only=OF_TOKENS, then=revoked),
    Script("dlq replay", letters_to_replay, "replay", row="replay", is_command=True),
    Script("dlq discard", letters_to_discard, "discard", row="discard", is_command=True),
    Script("push of a log", log, "push", row="push of a log", is_command=True),
    Script("producer", tracking, "track", row="producer", before="track in vain"),
)

OF_PARTITIONS = tuple(
    replace(script, name=f"{script.name}, {PARTITIONS} partitions", partitions=PARTITIONS)
    for script in (
        Script("outage", shared_out, "deliver"),
        Script("revoked token", accepted_by_anyone, "deliver", only=OF_TOKENS, then=revoked),
        Script("lost leases", lost_leases, "end leases and deliver"),
        Script("dlq replay", shared_letters_to_replay, "replay", row="replay", is_command=True),
        Script("dlq discard", shared_letters_to_discard, "discard", row="discard", is_command=True),
    )
)
"""The same of a queue in several partitions, whose gates are in one slot."""
