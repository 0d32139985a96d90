"""`mixrelay dlq fix`: the same correction of many letters, which are sent then."""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from mixrelay.console import masking, terminal
from mixrelay.console.dlq import fix_views
from mixrelay.console.dlq.correcting import Corrector
from mixrelay.console.dlq.deciding import demand_letters, warn_of_replay
from mixrelay.console.dlq.operations import READERS, Operation
from mixrelay.console.dlq.operator import operator
from mixrelay.console.dlq.selection import ByFilter, ById, Selection
from mixrelay.console.dlq.survey import Planned, Survey, mark
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import Command, examples
from mixrelay.console.options import Where, flat
from mixrelay.console.text import count
from mixrelay.shared.queue import Corrected, Correction, Queue

_ORDER = "mixrelay.operations"


class _Ordered(Command):
    """Notes in which order the options stood: operations of several kinds follow one another."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        *_, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_ORDER] = [one.name for one in order if one.name in READERS]
        return super().parse_args(ctx, args)


def register(dlq: typer.Typer) -> None:
    shown = examples(
        "mixrelay dlq fix --event 'Checked Out' --delete properties.Debug --dry-run",
        "mixrelay dlq fix --reason invalid --truncate properties.Cart --rename properties.Fee=fee",
        "mixrelay dlq fix --id 0-42 --set 'properties.plan=\"free\"' --yes",
    )
    dlq.command("fix", **shown | {"cls": _Ordered})(flat(fix))


@dataclass(frozen=True, slots=True)
class Operations:
    """What becomes of each record."""

    set: Annotated[
        list[str],
        typer.Option(metavar="PATH=JSON", help="Give a value, such as properties.price=4.5."),
    ] = field(default_factory=list)
    delete: Annotated[
        list[str], typer.Option(metavar="PATH", help="Leave out, such as properties.Debug.")
    ] = field(default_factory=list)
    rename: Annotated[
        list[str],
        typer.Option(metavar="OLD=NEW", help="Give another name: properties.Fee=fee."),
    ] = field(default_factory=list)
    truncate: Annotated[
        list[str],
        typer.Option(
            metavar="PATH[=N]",
            help="Cut a text, list or object to N characters, elements or keys; without N to what "
            "Mixpanel allows, its nesting too.",
        ),
    ] = field(default_factory=list)

    def read(self, order: list[str]) -> list[Operation]:
        """The operations in the order in which they were written.

        Raises:
            typer.BadParameter: one cannot be read, or there is none.
        """
        if not order:
            raise typer.BadParameter("Say what to correct: --set, --delete, --rename, --truncate.")
        left = {name: iter(getattr(self, name)) for name in READERS}
        found = []
        for name in order:
            try:
                found.append(READERS[name](next(left[name])))
            except ValueError as error:
                raise typer.BadParameter(str(error), param_hint=f"--{name}") from error
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """How it is done."""

    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would change.")] = (
        False
    )
    as_json: Annotated[bool, typer.Option("--json", help="One object, with all counts.")] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")
    ] = ""


def fix(
    ctx: typer.Context, where: Where, selection: Selection, operations: Operations, asked: Asked
) -> None:
    """Correct all letters that match, and put those back into their lanes that break no rule then.

    Operations are done in the order in which they stand; PATH is a place in the record, such as
    properties.price or $set.email. A letter that would still break a rule stays as it is.
    """
    demand_letters(selection, everything=asked.everything)
    read = operations.read(ctx.meta[_ORDER])
    with where.open() as queue:
        chosen = selection.resolve(queue)
        fixing = _Fixing(queue, chosen, Corrector(read, queue.books().now_ms), asked)
        fixing.look()
        if not asked.as_json:
            fix_views.show(fixing.survey, is_dry=asked.dry_run)
        try:
            if fixing.survey.planned and not asked.dry_run:
                fixing.agree()
                fixing.apply()
        finally:
            # Also after Ctrl-C or a lost connection: what was moved, was moved.
            fixing.report()
        fixing.demand_found()


class _Fixing:
    def __init__(
        self, queue: Queue, chosen: ById | ByFilter, corrector: Corrector, asked: Asked
    ) -> None:
        self._queue = queue
        self._chosen = chosen
        self._corrector = corrector
        self._asked = asked
        self._done = Corrected()
        self._is_agreed = False
        self.survey = Survey()

    def look(self) -> None:
        """Judges all letters that are meant, and changes none."""
        with terminal.progress() as bar:
            task = bar.add_task("Checking", total=self._queue.books().dead)
            for looked in self.survey.look(self._chosen.letters(), self._corrector):
                bar.update(task, completed=looked)

    def agree(self) -> None:
        """Says what the operator should know, and asks on a terminal.

        Raises:
            CommandError: the answer is no.
        """
        warn_of_replay(self.survey.late, self.survey.ambiguous)
        question = f"Correct and re-queue {count(len(self.survey.planned), 'letter')}?"
        if not self._asked.yes and not terminal.confirm(question):
            raise CommandError("Nothing was changed.")
        self._is_agreed = True

    def apply(self) -> None:
        """Corrects and re-queues, some letters in each step; after a crash, run it again."""
        wanted = self._chosen.wanted if isinstance(self._chosen, ByFilter) else None
        with terminal.progress() as bar:
            task = bar.add_task("Correcting", total=len(self.survey.planned))
            for some in self.survey.slices():
                corrections = self._corrections(some)
                missing = len(some) - len(corrections)
                self._done += Corrected(gone=missing)
                self._done += self._queue.corrections.apply(
                    corrections,
                    what=self._corrector.words,
                    who=operator(),
                    why=self._asked.why,
                    wanted=wanted,
                )
                bar.update(task, advance=len(some))

    def _corrections(self, some: list[Planned]) -> list[Correction]:
        """Of those that are still as they were looked at."""
        marks = {one.number: one.mark for one in some}
        found = []
        for letter in self._queue.letters.get_many([one.number for one in some]):
            payload = self._corrector.judge(letter).payload
            if payload is not None and mark(letter) == marks[letter.id]:
                found.append(Correction(letter, payload))
        return found

    def report(self) -> None:
        if self._asked.as_json:
            typer.echo(json.dumps(self._told()))
        elif self._is_agreed:
            fix_views.say_done(self._done, len(self.survey.planned))

    def _told(self) -> dict[str, Any]:
        return {
            **self.survey.to_json(),
            "dry_run": self._asked.dry_run,
            "requeued": self._done.moved,
            "skipped": self._done.skipped,
            "samples": [
                {
                    "id": letter.id,
                    "before": masking.readable(letter.payload),
                    "after": masking.readable(payload),
                }
                for letter, payload in self.survey.samples
            ],
        }

    def demand_found(self) -> None:
        """Raise CommandError where letters were named that are none."""
        if isinstance(self._chosen, ById) and self.survey.matched < len(self._chosen.numbers):
            missing = len(self._chosen.numbers) - self.survey.matched
            raise CommandError(
                f"{count(missing, 'id')} named no dead letter.", "See mixrelay dlq list."
            )
