"""Messages that kill the process which handles them: found, and buried without their neighbours."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mixrelay.shared.queue import LetterFilter, Queue
from tests.chaos.ledger import Findings, Ledger
from tests.chaos.partitioned import one_and_several
from tests.support.deadly import deadly
from tests.support.fleet import Fleet, children, wait_until

Tell = Callable[[str, Findings], None]
Size = Callable[[int, int], int]

MIB = 1024 * 1024
KILLER = "the killer"
RECORDS = {
    "event": {"event": KILLER, "properties": {"distinct_id": "k", "time": 1_600_000_000}},
    "profile_update": {"$token": "t", "$distinct_id": KILLER, "$set": {}},
}


def killer(kind: str, number: int, padding: int = 0) -> bytes:
    """A numbered message that holds the marker, and that many bytes more."""
    data = json.loads(json.dumps(RECORDS[kind]))
    fields = data["properties"] if kind == "event" else data["$set"]
    fields |= {"n": number, "padding": "x" * padding}
    return json.dumps([kind, json.dumps({"data": data})]).encode()


def horses(fleet: Fleet) -> list[int]:
    found = [worker.horse() for worker in fleet.workers]
    return [pid for pid in found if pid]


def reasons(queue: Queue) -> list[str]:
    return [letter.reason for letter in queue.letters.find(LetterFilter())]


@pytest.mark.timeout(180)
@one_and_several
@pytest.mark.parametrize(
    "death", [("event", signal.SIGSEGV), ("profile_update", signal.SIGABRT)], ids=str
)
def test_of_a_batch_that_kills_its_horse_only_the_killer_dies(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    size: Size,
    tell: Tell,
    death: tuple[str, signal.Signals],
) -> None:
    kind, signum = death
    half = size(60, 1_000)
    with deadly(ledger.mixpanel.url, KILLER.encode(), signum) as (address, state):
        fleet = fleet_of(MIXPANEL_API_HOST=address, MIXRELAY_LEASE="60")
        state.candidates = lambda: horses(fleet)
        ledger.push(half)
        fleet.queue.push([killer(kind, ledger.count)])
        ledger.note(1)
        ledger.push(half)
        fleet.start(2)
        wait_until(lambda: fleet.queue.books().dead == 1, 90, "a letter")
        fleet.wait_until_drained(30)
    assert reasons(fleet.queue) == ["poison"]
    assert state.alone >= 2
    tell("a message that kills its horse", ledger.check(dead=1))


class MemoryGroup:
    """A cgroup below our own with a limit on its memory. Raises OSError where none can be made."""

    def __init__(self, limit: int) -> None:
        self.folder, limit_file, self._events = self._make()
        (self.folder / limit_file).write_text(str(limit))

    @staticmethod
    def _make() -> tuple[Path, str, str]:
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        name = f"mixrelay-{os.getpid()}"
        for _, controllers, path in lines:
            if "memory" in controllers.split(","):
                folder = Path(f"/sys/fs/cgroup/memory{path}") / name
                folder.mkdir()
                return folder, "memory.limit_in_bytes", "memory.oom_control"
        folder = Path(f"/sys/fs/cgroup{lines[0][2]}") / name
        folder.mkdir()
        if not (folder / "memory.max").exists():
            folder.rmdir()
            raise OSError("no memory controller is delegated to this user")
        return folder, "memory.max", "memory.events"

    def runner(self) -> list[str]:
        """Runs a command within the group."""
        return ["sh", "-c", f'echo $$ > "{self.folder}/cgroup.procs" && exec "$@"', "sh"]

    @property
    def kills(self) -> int:
        """Processes that the kernel killed for want of memory."""
        pairs = [line.split() for line in (self.folder / self._events).read_text().splitlines()]
        return int(dict(pairs)["oom_kill"])

    def is_removed(self) -> bool:
        """Removes it, once its last process is gone."""
        with suppress(OSError):
            self.folder.rmdir()
        return not self.folder.exists()


@pytest.fixture
def memory_group(request: pytest.FixtureRequest) -> Iterator[MemoryGroup]:
    try:
        group = MemoryGroup(request.param)
    except OSError as error:
        pytest.skip(f"the kernel's own out-of-memory kill was not tried: no cgroup ({error})")
    yield group
    wait_until(group.is_removed, 20, "an empty group")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("memory_group", [128 * MIB], indirect=True)
def test_a_message_larger_than_the_workers_memory_dies_and_the_others_arrive(
    memory_group: MemoryGroup,
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    size: Size,
    tell: Tell,
) -> None:
    half = size(200, 5_000)
    fleet = fleet_of(MIXRELAY_LEASE="60")
    ledger.push(half)
    fleet.queue.push([killer("event", ledger.count, padding=64 * MIB)])
    ledger.note(1)
    ledger.push(half)
    [worker] = fleet.start(prefix=memory_group.runner())
    wait_until(lambda: fleet.queue.books().dead == 1, 90, "a letter")
    fleet.wait_until_drained(30)
    assert memory_group.kills >= 2
    assert reasons(fleet.queue) == ["poison"]
    assert worker.process.poll() is None
    assert len(children(worker.process.pid)) <= 1
    tell("out-of-memory kill of the work-horse, by the kernel", ledger.check(dead=1))
