"""`mixrelay dlq replay` and `mixrelay dlq discard`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from mixrelay.console import terminal
from mixrelay.console.dlq.background import warn_if_it_waits
from mixrelay.console.dlq.operator import operator
from mixrelay.console.dlq.running import run_here
from mixrelay.console.dlq.selection import ByFilter, ById, Selection
from mixrelay.console.failures import CommandError
from mixrelay.console.options import Where, from_table, number
from mixrelay.console.text import count
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import (
    IDS_AT_MOST,
    JobKind,
    LetterFilter,
    Number,
    Plan,
    Queue,
    new_job_id,
)
from mixrelay.shared.queue.jobs.jobs import MOST_RATE
from mixrelay.shared.settings import rq_address

IN_ORDER = ("profile_update", "group_update")


@dataclass(frozen=True, slots=True)
class Decision:
    """Options that replay and discard share."""

    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the letters that it would take.")
    ] = False
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
        typer.Option("--background", help="Have a worker do it; return at once (dlq jobs)."),
    ] = False
    rq_redis_url: Annotated[str, from_table("rq_redis_url", "URL")] = ""


@dataclass(frozen=True, slots=True)
class _Verb:
    kind: JobKind
    done: str
    doing: str
    asked: str
    forgets: bool = False


_REPLAY = _Verb(JobKind.REPLAY, "Replayed", "Replaying", "Replay {letters}?")
_DISCARD = _Verb(JobKind.DISCARD, "Discarded", "Discarding", "Discard {letters}?")


@dataclass(frozen=True, slots=True)
class _Meant:
    """The letters of a decision, counted."""

    wanted: LetterFilter | Sequence[Number]
    by_type: Counter[str]
    ambiguous: int
    missing: Sequence[Number] = ()
    """Named, but no letters."""


def replay(where: Where, selection: Selection, decision: Decision) -> None:
    """Put letters back into their lanes, each once; one that fails again keeps its history."""
    _decide(where, selection, decision, _REPLAY)


def discard(
    where: Where,
    selection: Selection,
    decision: Decision,
    for_good: Annotated[
        bool, typer.Option("--for-good", help="Not into the trash: nothing restores them.")
    ] = False,
) -> None:
    """Discard letters: they are counted, and stay in the trash for a time (dlq restore).

    With --for-good they do not.
    """
    _decide(where, selection, decision, replace(_DISCARD, forgets=for_good))


def demand_letters(selection: Selection, *, everything: bool) -> None:
    """Raise BadParameter where nothing says which letters are meant, or two things do."""
    chosen = bool(selection.id) or selection.is_filter
    if chosen and everything:
        raise typer.BadParameter("--all means every letter: leave it out beside --id or filters.")
    if not chosen and not everything:
        raise typer.BadParameter("Say which letters: --id, a filter such as --reason, or --all.")
    if len(selection.id) > IDS_AT_MOST:
        raise typer.BadParameter(f"--id names {IDS_AT_MOST:,} letters at most: use a filter.")


def _decide(where: Where, selection: Selection, decision: Decision, verb: _Verb) -> None:
    demand_letters(selection, everything=decision.everything)
    with where.open() as queue:
        meant = _count(selection.resolve(queue))
        if decision.dry_run:
            typer.echo(f"Would {verb.kind} {count(meant.by_type.total(), 'letter')}.")
        else:
            _agree(meant, decision, verb)
            _carry_out(where, queue, meant, decision, verb)
    if meant.missing:
        raise CommandError(f"No dead letter: {', '.join(meant.missing)}.")


def _count(chosen: ById | ByFilter) -> _Meant:
    """The letters that are meant now: the same as the action takes."""
    if isinstance(chosen, ById):
        letters = list(chosen.letters())
        found = [letter.id for letter in letters]
        missing = [number for number in chosen.numbers if number not in set(found)]
        ambiguous = sum(letter.reason == Reason.AMBIGUOUS for letter in letters)
        return _Meant(found, Counter(letter.type for letter in letters), ambiguous, missing)
    plan = _plan(chosen.queue, chosen.wanted)
    return _Meant(plan.wanted, plan.by_type, _ambiguous(chosen.queue, plan.wanted))


def _ambiguous(queue: Queue, wanted: LetterFilter) -> int:
    if wanted.reason not in (None, Reason.AMBIGUOUS):
        return 0
    return _plan(queue, replace(wanted, reason=Reason.AMBIGUOUS)).by_type.total()


def _plan(queue: Queue, wanted: LetterFilter) -> Plan:
    """The letters that match, all of them counted."""
    jobs = queue.jobs
    plan = jobs.plan(wanted)
    with terminal.progress() as bar:
        task = bar.add_task("Counting", total=plan.out_of, completed=plan.looked)
        while not plan.is_exact:
            plan = jobs.count_on(plan)
            bar.update(task, total=plan.out_of, completed=plan.looked)
    return plan


def _agree(meant: _Meant, decision: Decision, verb: _Verb) -> None:
    """Says what the operator should know, and asks on a terminal.

    Raises:
        CommandError: the answer is no.
    """
    if verb.kind is JobKind.REPLAY:
        late = sum(meant.by_type[kind] for kind in IN_ORDER)
        warn_of_replay(late, meant.ambiguous)
    question = verb.asked.format(letters=count(meant.by_type.total(), "letter"))
    if meant.by_type and not decision.yes and not terminal.confirm(question):
        raise CommandError("Nothing was changed.")


def warn_of_replay(late: int, ambiguous: int) -> None:
    """Says what a replay may do that its name does not tell.

    Args:
        late: updates of profiles and groups.
        ambiguous: letters that may have been counted already.
    """
    if late:
        terminal.warn(
            f"{count(late, 'profile or group update')} will arrive late, after "
            "what was updated since: an old value may replace a newer one."
        )
    if ambiguous:
        terminal.warn(
            f"{count(ambiguous, 'ambiguous letter')} may have been counted already, when "
            "no answer came: an increment or append sent again counts twice. Compare with the "
            "profiles in Mixpanel first, and replay only what is missing there, by --id."
        )


def _carry_out(where: Where, queue: Queue, meant: _Meant, decision: Decision, verb: _Verb) -> None:
    if not meant.by_type:
        typer.echo(f"{verb.done} 0 letters.")
        return
    # Asked before anything is begun: it may not be usable.
    rq_url = rq_address(decision.rq_redis_url, where.redis_url) if decision.background else ""
    job = queue.jobs.start(
        verb.kind,
        meant.wanted,
        job_id=new_job_id(),
        who=operator(),
        why=decision.why,
        rate=decision.rate,
        planned=meant.by_type.total(),
        background=decision.background,
        forgets=verb.forgets,
    )
    if not decision.background:
        run_here(queue, job, doing=verb.doing, done=verb.done)
        return
    typer.echo(f"A worker will {verb.kind} them: job {job.id}.")
    terminal.say(f"How far it is: mixrelay dlq jobs {job.id}")
    warn_if_it_waits(rq_url, where.queue, job)
