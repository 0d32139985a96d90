"""Which letters a command means."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from mixrelay.console import moments
from mixrelay.console.dlq.filter_words import check_group, check_reason, check_word
from mixrelay.shared.queue import LETTERS_AT_MOST, Letter, LetterFilter, Number, Queue
from mixrelay.shared.queue.base.ids import check_id


class Type(StrEnum):
    EVENT = "event"
    IMPORT = "import"
    PROFILE_UPDATE = "profile_update"
    GROUP_UPDATE = "group_update"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters, all of which must match; or letters by their id."""

    id: Annotated[
        list[str], typer.Option("--id", metavar="ID", help="A letter by its id; may be repeated.")
    ] = field(default_factory=list)
    reason: Annotated[
        str | None, typer.Option(metavar="REASON", help="The reason, such as invalid.")
    ] = None
    type: Annotated[
        str | None, typer.Option(metavar="TYPE", help=f"The message's type: {', '.join(Type)}.")
    ] = None
    status: Annotated[
        int | None,
        typer.Option(metavar="CODE", min=0, max=999, help="HTTP status of the answer; 0 for none."),
    ] = None
    event: Annotated[str | None, typer.Option(metavar="NAME", help="The event's name.")] = None
    distinct_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The user or the group of the message.")
    ] = None
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Failed since: 2026-11-24T10:00Z, or 2h, 3d ago."),
    ] = None
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Failed before; written likewise.")
    ] = None
    min_attempts: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=1_000_000_000, help="At least so many attempts."),
    ] = None
    max_attempts: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=1_000_000_000, help="At most so many attempts."),
    ] = None
    min_replays: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=1_000_000_000, help="At least so many replays."),
    ] = None
    max_replays: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=1_000_000_000,
            help="At most so many replays: leaves out letters that fail every time.",
        ),
    ] = None

    group: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Died of one cause, as `dlq stats` names it."),
    ] = None
    job: Annotated[
        str | None,
        typer.Option(
            metavar="JOB", help="Failed again after this bulk job re-queued them (`dlq jobs`)."
        ),
    ] = None

    text: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Stands somewhere in the message or the error."),
    ] = None

    @property
    def is_filter(self) -> bool:
        return any(value is not None for value in self._filters())

    def resolve(self, queue: Queue) -> "ById | ByFilter":
        """The letters that are meant now, by the clock of Redis.

        Raises:
            typer.BadParameter: ids are mixed with filters, or a value cannot be one.
        """
        if self.id and self.is_filter:
            raise typer.BadParameter("--id names letters and filters choose them: use one of both.")
        if self.id:
            return ById(queue, tuple(Number(number) for number in dict.fromkeys(self.id)))
        self._check_words(queue)
        # Letters that die from now on are not meant: a replay would meet its own again.
        now = datetime.fromtimestamp(queue.books().now_ms / 1000, UTC) + timedelta(milliseconds=1)
        since, until = (
            _moment("--since", self.since, now),
            _moment("--until", self.until, now),
        )
        if self.text is not None and not is_text(self.text):
            raise typer.BadParameter("it is empty, or no UTF-8.", param_hint="--text")
        if since and until and since >= until:
            raise typer.BadParameter("--since is not before --until: no letter can match.")
        until = min(until, now) if until else now
        return ByFilter(queue, LetterFilter(**self._plain(), since=since, until=until))

    def _check_words(self, queue: Queue) -> None:
        checks: tuple[tuple[str, str | None, Callable[[str], None]], ...] = (
            ("--reason", self.reason, lambda word: check_reason(queue, word)),
            ("--type", self.type, lambda word: check_word(word, "type", Type)),
            ("--group", self.group, check_group),
            ("--job", self.job, lambda word: check_id(word, "a job's id")),
        )
        for option, word, check in checks:
            try:
                if word is not None:
                    check(word)
            except ValueError as error:
                raise typer.BadParameter(str(error), param_hint=option) from error

    def _plain(self) -> dict[str, Any]:
        """What the queue's filter takes as it stands."""
        return {name: getattr(self, name) for name in _PLAIN}

    def _filters(self) -> tuple[object, ...]:
        return (*self._plain().values(), self.since, self.until)


_PLAIN = (
    "reason",
    "type",
    "status",
    "event",
    "distinct_id",
    "min_attempts",
    "max_attempts",
    "min_replays",
    "max_replays",
    "group",
    "job",
    "text",
)


@dataclass(frozen=True, slots=True)
class Chosen(ABC):
    """Letters of a queue that a command means."""

    queue: Queue

    @abstractmethod
    def letters(self) -> Iterator[Letter]:
        """Those that are there now."""


@dataclass(frozen=True, slots=True)
class ById(Chosen):
    numbers: tuple[Number, ...]

    def letters(self) -> Iterator[Letter]:
        for start in range(0, len(self.numbers), LETTERS_AT_MOST):
            yield from self.queue.letters.get_many(self.numbers[start : start + LETTERS_AT_MOST])


@dataclass(frozen=True, slots=True)
class ByFilter(Chosen):
    wanted: LetterFilter

    def letters(self) -> Iterator[Letter]:
        yield from self.queue.letters.find(self.wanted)


def is_text(text: str) -> bool:
    """Whether it can stand in a message."""
    return bool(text) and not any("\ud800" <= one <= "\udfff" for one in text)


def _moment(option: str, text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return moments.parse(text, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
