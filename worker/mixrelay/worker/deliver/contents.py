"""What was found in a batch: what may be sent, and what is to happen with the others.

Most batches are sent whole, so records that were checked together stay together (`Run`) until
someone must treat one of them differently.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from mixrelay.shared.mixpanel.endpoints import Destination
from mixrelay.shared.queue import Dead, Lane, Number
from mixrelay.worker.counting.notices import Found
from mixrelay.worker.counting.shards import Seen
from mixrelay.worker.deliver.fast_path import Plain
from mixrelay.worker.deliver.prepare import Ready
from mixrelay.worker.deliver.routing import Route
from mixrelay.worker.lists.cutting import Listed


@dataclass(slots=True)
class Record:
    """A member that may be sent."""

    number: Number
    ready: Ready
    found: tuple[Found, ...] = ()
    """What Mixpanel will do to it without an error."""
    shards: tuple[Seen, ...] = ()
    """Whose event it is."""


@dataclass(frozen=True, slots=True)
class Run:
    """Members in a row that may be sent and were checked as one."""

    plain: Plain
    count: int
    apart: Callable[[], list[Record]]
    """Makes of each the same record by itself."""
    found: tuple[Found, ...] = ()
    """What Mixpanel will do to some of them without an error."""
    shards: tuple[Seen, ...] = ()
    """Whose events they are."""


@dataclass(slots=True)
class Sorted:
    """The members of a batch, in their order."""

    dead: list[Dead] = field(default_factory=list)
    moves: dict[Lane, list[Number]] = field(default_factory=dict)
    """Those that belong to another lane by now."""
    lists: list[Listed] = field(default_factory=list)
    """Messages that hold several records each."""
    ignored: list[Number] = field(default_factory=list)
    """Events that Mixpanel would drop (`$ignore`), and that are not sent."""
    opted_out: list[Number] = field(default_factory=list)
    """About people or groups that opted out: not sent."""
    _parts: list[Run | Record] = field(default_factory=list)

    def add(self, part: Run | Record) -> None:
        self._parts.append(part)

    @property
    def count(self) -> int:
        """How many records there are."""
        return sum(part.count if isinstance(part, Run) else 1 for part in self._parts)

    @property
    def records(self) -> list[Record]:
        """Each by itself, for what treats some of them differently; few batches need it."""
        apart: list[Record] = []
        for part in self._parts:
            apart += part.apart() if isinstance(part, Run) else [part]
        self._parts = [*apart]
        return apart

    @property
    def destination(self) -> Destination:
        """Where the first record goes."""
        return _way(self._parts[0]).destination

    @property
    def own(self) -> bool:
        """Whether any goes there with the worker's own credentials: then nothing of it may die.

        Without a MIXPANEL_TOKEN one key is the worker's own as the token of a record, and not as
        the api_key of another, and both share a request.
        """
        return any(_way(part).own for part in self._parts)

    @property
    def doubtful(self) -> int:
        """Records that are not safe to send twice."""
        return sum(
            part.plain.doubtful if isinstance(part, Run) else part.ready.doubtful
            for part in self._parts
        )

    def found(self) -> Iterator[Found]:
        """What Mixpanel will do without an error to those that are sent."""
        for part in self._parts:
            yield from part.found

    def shards(self, refused: frozenset[Number]) -> Iterable[Seen]:
        """Whose events those are that are sent, but for the refused ones."""
        for part in self._parts:
            if isinstance(part, Run) or part.number not in refused:
                yield from part.shards

    def body(self) -> bytes:
        return b"[%b]" % b",".join([_body(part) for part in self._parts])

    def leave_out(self, numbers: set[Number]) -> None:
        """Forgets records that are no longer in the batch."""
        self._parts = [record for record in self.records if record.number not in numbers]

    def elsewhere(self) -> Iterator[list[Record]]:
        """The records that do not go where the first one goes, by destination."""
        first = self.destination
        if all(_way(part).destination is first for part in self._parts):
            return
        groups: dict[str, list[Record]] = {}
        for record in self.records:
            destination = record.ready.destination
            if destination is not first and destination.name != first.name:
                groups.setdefault(destination.name, []).append(record)
        yield from groups.values()

    def overflow(self, *, most: int, most_bytes: int) -> list[Record]:
        """The records at the end that do not fit into one request."""
        size = 1 + sum(len(_body(part)) + 1 for part in self._parts)
        if self.count <= most and size <= most_bytes:
            return []
        size, records = 1, self.records
        for index, record in enumerate(records):
            size += len(record.ready.body) + 1
            if index > 0 and (index >= most or size > most_bytes):
                return records[index:]
        return []


def _way(part: Run | Record) -> Route | Ready:
    return part.plain.route if isinstance(part, Run) else part.ready


def _body(part: Run | Record) -> bytes:
    return part.plain.body if isinstance(part, Run) else part.ready.body
