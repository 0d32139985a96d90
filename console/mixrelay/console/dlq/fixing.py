"""`mixrelay dlq fix`: the same correction of many letters, which are sent then."""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from mixrelay.console import masking, terminal
from mixrelay.console.dlq import fix_views
from mixrelay.console.dlq.applying import Applying, undo
from mixrelay.console.dlq.background import warn_if_it_waits
from mixrelay.console.dlq.correcting import Corrector
from mixrelay.console.dlq.deciding import demand_letters, warn_of_replay
from mixrelay.console.dlq.operations import Operation
from mixrelay.console.dlq.programs import ALL_READERS
from mixrelay.console.dlq.selection import ByFilter, ById, Selection
from mixrelay.console.dlq.survey import Survey
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import Command, examples
from mixrelay.console.options import Where, flat, from_table, number
from mixrelay.console.text import count
from mixrelay.shared.queue import LetterFilter, Queue
from mixrelay.shared.queue.jobs.jobs import MOST_RATE
from mixrelay.shared.settings import rq_address

_ORDER = "mixrelay.operations"


class _Ordered(Command):
    """Notes in which order the options stood: operations of several kinds follow one another."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        *_, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_ORDER] = [one.name for one in order if one.name in ALL_READERS]
        return super().parse_args(ctx, args)


def register(dlq: typer.Typer) -> None:
    shown = examples(
        "mixrelay dlq fix --event 'Checked Out' --delete properties.Debug --dry-run",
        "mixrelay dlq fix --reason invalid --truncate properties.Cart --rename properties.Fee=fee",
        "mixrelay dlq fix --group 421831a2 --program fix.py --background --rate 100",
        "mixrelay dlq fix --undo 5f3ac0de11",
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
    program: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="A Python file whose function fix(record) changes a record, or returns another.",
        ),
    ] = field(default_factory=list)
    jq: Annotated[
        list[str],
        typer.Option(metavar="EXPR", help="An expression of jq; needs the library jq."),
    ] = field(default_factory=list)

    def read(self, order: list[str]) -> list[Operation]:
        """The operations in the order in which they were written.

        Raises:
            typer.BadParameter: one cannot be read, or there is none.
        """
        if not order:
            raise typer.BadParameter(
                "Say what to correct: --set, --delete, --rename, --truncate, --program, --jq."
            )
        left = {name: iter(getattr(self, name)) for name in ALL_READERS}
        found = []
        for name in order:
            try:
                found.append(ALL_READERS[name](next(left[name])))
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
    rate: Annotated[
        float | None,
        number(
            "rate", "Letters a second; without it as fast as it goes.", least=0.01, most=MOST_RATE
        ),
    ] = None
    background: Annotated[
        bool,
        typer.Option(
            "--background", help="Have a worker re-queue them, once they are corrected (dlq jobs)."
        ),
    ] = False
    undo: Annotated[
        str | None,
        typer.Option(
            metavar="JOB", help="Take a fix back: letters not re-queued yet, or failed again."
        ),
    ] = None
    rq_redis_url: Annotated[str, from_table("rq_redis_url", "URL")] = ""


def fix(
    ctx: typer.Context, where: Where, selection: Selection, operations: Operations, asked: Asked
) -> None:
    """Correct all letters that match, and put those back into their lanes that break no rule then.

    Operations are done in the order in which they stand; PATH is a place in the record, such as
    properties.price or $set.email. A letter that would still break a rule stays as it is. It is a
    bulk job: see mixrelay dlq jobs.
    """
    if asked.undo is not None:
        if selection.id or selection.is_filter or asked.everything or ctx.meta[_ORDER]:
            raise typer.BadParameter("--undo JOB takes back the whole job: leave out the rest.")
        with where.open() as queue:
            undo(queue, asked.undo, why=asked.why, as_json=asked.as_json)
        return
    demand_letters(selection, everything=asked.everything)
    read = operations.read(ctx.meta[_ORDER])
    # Asked before anything is begun: it may not be usable.
    rq_url = rq_address(asked.rq_redis_url, where.redis_url) if asked.background else ""
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
            # Also after Ctrl-C or a lost connection: what was corrected, was corrected.
            fixing.report()
        if asked.background and fixing.applying is not None:
            warn_if_it_waits(rq_url, where.queue, fixing.applying.job)
        fixing.demand_found()


class _Fixing:
    def __init__(
        self, queue: Queue, chosen: ById | ByFilter, corrector: Corrector, asked: Asked
    ) -> None:
        self._queue = queue
        self._chosen = chosen
        self._corrector = corrector
        self._asked = asked
        self.applying: Applying | None = None
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

    def apply(self) -> None:
        """Corrects the letters, and has them re-queued."""
        wanted = self._chosen.wanted if isinstance(self._chosen, ByFilter) else LetterFilter()
        asked = self._asked
        self.applying = Applying(
            self._queue, self._corrector, wanted, why=asked.why, rate=asked.rate
        )
        with terminal.progress() as bar:
            task = bar.add_task("Correcting", total=len(self.survey.planned))
            for some in self.applying.correct(self.survey):
                bar.update(task, advance=some)
        self.applying.send(background=asked.background)

    def report(self) -> None:
        if self._asked.as_json:
            typer.echo(json.dumps(self._told()))
        elif self.applying is not None:
            fix_views.say_done(self.applying, len(self.survey.planned))

    def _told(self) -> dict[str, Any]:
        return {
            **self.survey.to_json(),
            "dry_run": self._asked.dry_run,
            "job": self.applying.job.id if self.applying else None,
            "corrected": self.applying.done.moved if self.applying else 0,
            "requeued": self.applying.job.moved if self.applying else 0,
            "skipped": self.applying.skipped if self.applying else 0,
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
