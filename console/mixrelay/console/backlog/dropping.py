"""`mixrelay queue drop`: takes what an operator names out of what waits."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from mixrelay.console import terminal
from mixrelay.console.backlog import views
from mixrelay.console.dlq.operator import operator
from mixrelay.console.failures import CommandError
from mixrelay.console.options import Where as Server
from mixrelay.console.text import count, duration
from mixrelay.shared.mixpanel.proving import masked
from mixrelay.shared.queue import HOLDABLE, Books, Lane, LetterFilter, Queue
from mixrelay.shared.queue.messages.backlog import Store, Waiting, Where
from mixrelay.shared.queue.messages.subject import Subject, subjects_of
from mixrelay.shared.queue.messages.taking_out import Gone, Taking, whole

_SAMPLES = 3
_EVENT_LANES = (Lane.EVENT, Lane.IMPORT)


class HeldLane(StrEnum):
    """A lane that an operator may pause."""

    EVENT = "event"
    IMPORT = "import"
    PROFILE_UPDATE = "profile_update"
    GROUP_UPDATE = "group_update"


@dataclass(frozen=True, slots=True)
class Meant:
    """Which messages: all that is given must match."""

    lane: Annotated[
        HeldLane | None,
        typer.Option("--lane", metavar="LANE", help=f"Only this lane: {', '.join(HeldLane)}."),
    ] = None
    type: Annotated[
        HeldLane | None,
        typer.Option("--type", metavar="TYPE", help=f"The message's type: {', '.join(HeldLane)}."),
    ] = None
    event: Annotated[str | None, typer.Option(metavar="NAME", help="The event's name.")] = None
    token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="The project token, whole or as `queue top` shows it."),
    ] = None
    distinct_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The user that it is about.")
    ] = None
    everything: Annotated[
        bool, typer.Option("--all", help="Every message of the lane that --lane names.")
    ] = False

    def check(self) -> None:
        """Refuses what names nothing, or more than one meant.

        Raises:
            typer.BadParameter: say which messages.
        """
        filters = (self.type, self.event, self.token, self.distinct_id)
        if not self.everything and all(one is None for one in filters):
            raise typer.BadParameter(
                "Say which messages: --type, --event, --token, --distinct-id, or --all of a --lane."
            )
        if self.everything and (self.lane is None or any(one is not None for one in filters)):
            raise typer.BadParameter("--all goes with --lane, and with no other filter.")

    @property
    def lanes(self) -> Sequence[Lane]:
        """Where such messages can wait."""
        if self.lane is not None:
            return [Lane(self.lane)]
        # An event that is too old for `/track` waits in the import lane.
        if self.event is not None or self.type == HeldLane.EVENT:
            return _EVENT_LANES
        return [Lane(self.type)] if self.type is not None else HOLDABLE

    def matches(self, payload: bytes) -> bool:
        """Whether a message is meant: of a list, whether every record is."""
        if self.everything:
            return True
        subjects = subjects_of(payload)
        return bool(subjects) and all(map(self._means, subjects))

    def _means(self, one: Subject) -> bool:
        return (
            self.type in (None, one.kind)
            and self.event in (None, one.name if one.kind in _EVENT_LANES else None)
            and self.distinct_id in (None, one.distinct_id)
            and (self.token is None or _is_token(self.token, one.token))
        )

    def matches_incoming(self, payload: bytes) -> bool:
        """The same of what has no lane yet."""
        kinds = {one.kind for one in subjects_of(payload)}
        return kinds <= set(map(str, self.lanes)) and bool(kinds) and self.matches(payload)

    def for_audit(self) -> str:
        wanted = LetterFilter(type=self.type, event=self.event, distinct_id=self.distinct_id)
        return orjson.dumps(wanted.to_json()).decode()


def _is_token(given: str, found: str | None) -> bool:
    return found is not None and given in (found, masked(found))


@dataclass(frozen=True, slots=True)
class How:
    """What becomes of them."""

    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")
    ]
    for_good: Annotated[
        bool,
        typer.Option(
            "--for-good", help="Do not keep them as dead letters: nothing can restore them."
        ),
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count, and show samples; change nothing.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="One object, with all counts.")] = False


@dataclass
class _Drop:
    queue: Queue
    meant: Meant
    how: How
    taking: Taking = field(init=False)

    def __post_init__(self) -> None:
        self.taking = Taking(
            self.queue.backlog,
            lambda payload: whole(payload, self.meant.matches),
            "dropped",
            operator(),
            self.how.why.strip(),
            keeps=not self.how.for_good,
            wanted=self.meant.for_audit(),
        )

    def stores(self, *kinds: Where) -> list[Store]:
        found = [one for kind in kinds for one in self.queue.backlog.stores(kind)]
        return [one for one in found if one.lane is None or one.lane in self.meant.lanes]

    def preview(self) -> tuple[int, list[str]]:
        """How many messages would go, and some of them."""
        stores = self.stores(Where.SCHEDULED, Where.LANE, Where.INCOMING)
        number = 0
        samples: list[str] = []
        with terminal.progress() as bar:
            task = bar.add_task("Counting", total=sum(one.length for one in stores))
            for store in stores:
                for one, _gone in self._previewed(store):
                    number += 1
                    if len(samples) < _SAMPLES:
                        samples.append(views.line(one))
                bar.advance(task, store.length)
        return number, samples

    def _previewed(self, store: Store) -> Iterator[tuple[Waiting, Gone]]:
        judge = self.meant.matches_incoming if store.where is Where.INCOMING else self.meant.matches
        looking = Taking(
            self.queue.backlog, lambda payload: whole(payload, judge), "dropped", "", ""
        )
        return looking.preview([store])

    def carry_out(self) -> int:
        """Drops slice by slice; returns how many messages were looked at."""
        route_waiting(self.queue)
        stores = self.stores(Where.SCHEDULED, Where.LANE)
        looked = 0
        with terminal.progress() as bar:
            task = bar.add_task("Dropping", total=sum(one.length for one in stores))
            try:
                for store in stores:
                    for some in self.taking.sift(store):
                        looked += some
                        bar.advance(task, some)
            except BaseException:
                # Ctrl-C, or Redis went away: each slice is whole, and none needs to be undone.
                gone = count(self.taking.taken.messages, "message")
                terminal.say(
                    f"{gone} dropped so far stay so. To go on, run the same command again."
                )
                raise
            finally:
                self.taking.tell()
        return looked


def route_waiting(queue: Queue, stop: Callable[[], bool] = lambda: False) -> None:
    """Moves to the lanes what waits in the incoming list now, as workers do."""
    left = sum(one.length for one in queue.backlog.stores(Where.INCOMING))
    while left > 0 and not stop():
        moved, _behind = queue.route()
        if not moved:
            return
        left -= moved


def drop(server: Server, meant: Meant, how: How) -> None:
    """Drop messages that wait: they become dead letters with the reason `dropped`.

    Their lane must be paused, so that none is sent meanwhile. What is dropped by mistake comes back
    with: mixrelay dlq replay --reason dropped
    """
    meant.check()
    if not how.why.strip():
        raise typer.BadParameter("Say why: whoever finds the messages dropped will want to know.")
    with server.open() as queue:
        dropping = _Drop(queue, meant, how)
        if how.dry_run:
            _show(*dropping.preview(), as_json=how.as_json)
            return
        books = queue.books()
        _demand_paused(books, meant.lanes)
        _agree(dropping, how)
        began = time.monotonic()
        looked = dropping.carry_out()
        seconds = time.monotonic() - began
        _tell(dropping, looked, seconds, (books, queue.books()))


def _show(number: int, samples: Sequence[str], *, as_json: bool) -> None:
    """What a drop would take."""
    if as_json:
        told = {"dry_run": True, "matched": number, "samples": list(samples)}
        typer.echo(orjson.dumps(told).decode())
        return
    typer.echo(f"Would drop {count(number, 'message')}.")
    for sample in samples:
        typer.echo(f"  {sample}")


def _demand_paused(books: Books, lanes: Sequence[Lane]) -> None:
    held = {hold.lane for hold in books.held}
    if going := [lane for lane in lanes if lane not in held]:
        pauses = "; ".join(f"mixrelay pause {lane} --why …" for lane in going)
        raise CommandError(
            f"Nothing was dropped: {', '.join(going)} would go on being sent meanwhile.",
            f"Pause first: {pauses}. Or name one lane with --lane.",
        )


def _agree(dropping: _Drop, how: How) -> None:
    """Counts where someone is asked, or where the dead letters have a limit.

    Raises:
        CommandError: the answer is no, or other dead letters would be lost for these.
    """
    outlook = dropping.queue.retention.outlook()
    most = outlook.max_letters if outlook and not how.for_good else None
    if how.yes and most is None:
        return
    number, _samples = dropping.preview()
    if most is not None and outlook is not None and outlook.letters + number > most:
        raise CommandError(
            f"Nothing was dropped: {number:,} more dead letters would push out others, since "
            f"MIXRELAY_DLQ_MAX_LETTERS is {most:,}.",
            "Raise it and restart the workers, or drop them with --for-good.",
        )
    if not how.yes and number and not terminal.confirm(f"Drop {count(number, 'message')}?"):
        raise CommandError("Nothing was changed.")


def _tell(dropping: _Drop, looked: int, seconds: float, around: tuple[Books, Books]) -> None:
    taking = dropping.taking
    # What came back meanwhile may have moved others to where nobody looked.
    in_hand = max(sum(books.leased[lane] for lane in dropping.meant.lanes) for books in around)
    if dropping.how.as_json:
        told = {
            "dry_run": False,
            "dropped": taking.taken.messages,
            "looked_at": looked,
            "for_good": dropping.how.for_good,
            "in_flight": in_hand,
            "seconds": round(seconds, 3),
            "longest_step_ms": round(taking.longest_ms, 1),
        }
        typer.echo(orjson.dumps(told).decode())
    else:
        typer.echo(
            f"Dropped {count(taking.taken.messages, 'message')} of {looked:,} "
            f"in {duration(seconds)}."
        )
    if taking.taken.messages:
        terminal.say(f"The longest step took Redis at most {taking.longest_ms:.0f} ms.")
    if taking.taken.messages and not dropping.how.for_good:
        terminal.say("Restore them: mixrelay dlq replay --reason dropped")
    held = {hold.lane for hold in around[1].held}
    if resumed := [lane for lane in dropping.meant.lanes if lane not in held]:
        terminal.warn(f"{', '.join(resumed)} was resumed meanwhile: some may have been sent.")
    if in_hand:
        terminal.warn(
            f"{count(in_hand, 'message')} in flight were not looked at: run the command again "
            "once they are delivered or scheduled for retry."
        )
