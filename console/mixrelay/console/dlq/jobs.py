"""`mixrelay dlq jobs`, `cancel`, `resume` and `rate`: bulk jobs, and `audit`: what was done."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mixrelay.console import terminal
from mixrelay.console.dlq import outcomes
from mixrelay.console.dlq.background import warn_if_it_waits
from mixrelay.console.dlq.operator import operator
from mixrelay.console.dlq.running import watch
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat, from_table
from mixrelay.console.tables import plain_table
from mixrelay.console.text import count, cut, iso, safe
from mixrelay.shared.options import named_option
from mixrelay.shared.queue import Entry, Job, LetterFilter
from mixrelay.shared.queue.jobs.jobs import LEAST_RATE, MOST_RATE
from mixrelay.shared.settings import rq_address

_SHOWN = 80
_NARROW = 100
"""Columns of a terminal below which a table has fewer."""
_RATE = named_option("rate", 0.0, "The rate", "", unit="letters a second", maximum=MOST_RATE)
_JobId = Annotated[str, typer.Argument(metavar="JOB", help="As `dlq jobs` shows it.")]
_Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")]


def register(dlq: typer.Typer) -> None:
    dlq.command(
        "jobs",
        **examples(
            "mixrelay dlq jobs",
            "mixrelay dlq jobs 5f3ac0de  # one job, followed until it is over",
            "mixrelay dlq jobs 5f3ac0de --wait  # until its letters are delivered or failed again",
            "mixrelay dlq jobs --json | jq 'select(.failed_again > 0)'",
        ),
    )(flat(jobs))
    dlq.command("cancel", **examples("mixrelay dlq cancel 5f3ac0de --why 'wrong filter'"))(
        flat(cancel)
    )
    dlq.command("resume", **examples("mixrelay dlq resume 5f3ac0de"))(flat(resume))
    dlq.command(
        "rate", **examples("mixrelay dlq rate 5f3ac0de 500", "mixrelay dlq rate 5f3ac0de 0")
    )(flat(rate))
    dlq.command("audit", **examples("mixrelay dlq audit", "mixrelay dlq audit --limit 500"))(
        flat(audit)
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """How jobs are shown."""

    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=1_000_000_000, help="Jobs listed.")
    ] = 20
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="With JOB: also until what it re-queued is delivered or failed again."
        ),
    ] = False
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False
    wide: Annotated[bool, typer.Option("--wide", help="All columns.")] = False


def jobs(
    where: Where,
    listing: Listing,
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="One of them, followed until it is over.")
    ] = None,
) -> None:
    """List bulk jobs, the newest first, with what became of their letters; or follow one.

    What a job re-queued is counted when Mixpanel has taken it, or it has failed again.
    """
    if listing.wait and job is None:
        raise typer.BadParameter("--wait goes with one JOB.")
    with where.open() as queue:
        if job is not None:
            found = watch(queue, _demand(queue.jobs.get(job), job), settles=listing.wait)
            if listing.as_json:
                typer.echo(json.dumps(outcomes.to_json(found)))
            else:
                terminal.stdout().print(_page(found, queue.books().now_ms))
            return
        listed = queue.jobs.newest(listing.limit)
    if listing.as_json:
        for one in listed:
            typer.echo(json.dumps(outcomes.to_json(one)))
    elif listed:
        terminal.stdout().print(_list(listed, wide=listing.wide))
    else:
        terminal.say("There are no bulk jobs.")


def _list(listed: Sequence[Job], *, wide: bool) -> Table:
    columns = ("planned", "skipped", "began (UTC)", "who", "letters") if wide else ()
    shown = plain_table("job", "kind", "state", *columns, "outcome")
    for one in listed:
        row = (one.id, one.kind, one.state, *(_more(one) if wide else ()), outcomes.words(one))
        shown.add_row(*(Text(cell) for cell in row))
    return shown


def cancel(where: Where, job: _JobId, why: _Why = "") -> None:
    """End a bulk job before its next step; letters that it has processed stay so."""
    with where.open() as queue:
        ended = _demand(queue.jobs.cancel(job, who=operator(), why=why), job)
    typer.echo(f"Job {ended.id} is {ended.state}: {_progress(ended)}.")


def resume(
    where: Where,
    job: _JobId,
    why: _Why = "",
    rq_redis_url: Annotated[str, from_table("rq_redis_url", "URL")] = "",
) -> None:
    """Have a worker go on with a job that was cancelled or has failed."""
    rq_url = rq_address(rq_redis_url, where.redis_url)
    with where.open() as queue:
        resumed = _demand(queue.jobs.resume(job, who=operator(), why=why), job)
    typer.echo(f"Job {resumed.id} is {resumed.state}: {_progress(resumed)}.")
    warn_if_it_waits(rq_url, where.queue, resumed)


def rate(
    where: Where,
    job: _JobId,
    letters: Annotated[
        float,
        typer.Argument(metavar="N", parser=_RATE.read, help="Letters a second; 0 for no limit."),
    ],
    why: _Why = "",
) -> None:
    """Change the rate of a bulk job while it runs: start low, then raise it."""
    if 0 < letters < LEAST_RATE:
        raise typer.BadParameter(
            f"{letters:g} letters a second is no rate: give {LEAST_RATE:g} or more, or 0."
        )
    with where.open() as queue:
        changed = _demand(queue.jobs.set_rate(job, letters or None, who=operator(), why=why), job)
    at = f"{changed.rate:g} letters a second" if changed.rate else "as fast as it goes"
    typer.echo(f"Job {changed.id} is {changed.state}, {at}: {_progress(changed)}.")


def audit(
    where: Where,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=1_000_000_000, help="Entries shown.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="All columns, on a narrow terminal too.")
    ] = False,
) -> None:
    """Show who replayed, discarded, edited or imported letters, or paused a lane, newest first."""
    with where.open() as queue:
        entries = queue.audit.newest(limit)
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(_entry(entry)))
    elif entries:
        console = terminal.stdout()
        console.print(_trail(entries, wide=wide or console.width >= _NARROW))
    else:
        terminal.say("Nothing was done yet.")


def _trail(entries: Sequence[Entry], *, wide: bool) -> Table:
    columns = ("job", "which", "why") if wide else ()
    shown = plain_table("when (UTC)", "who", "what", ">letters", *columns)
    for entry in entries:
        when, many = entry.at.strftime("%m-%d %H:%M:%S"), "-" if entry.lane else f"{entry.count:,}"
        more = (entry.job or "-", _which(entry), entry.why) if wide else ()
        cells = (when, entry.who if wide else cut(entry.who, 16), entry.what, many, *more)
        shown.add_row(*(Text(cut(cell, _SHOWN)) for cell in cells))
    return shown


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": iso(entry.at),
        "who": entry.who,
        "what": entry.what,
        "letters": entry.count,
        "job": entry.job or None,
        "lane": entry.lane or None,
        "filter": entry.wanted.to_json() if entry.wanted else None,
        "ids": list(entry.numbers),
        "why": entry.why,
    }


def _demand(job: Job | None, asked: str) -> Job:
    if job is None:
        raise CommandError(
            f"There is no job {asked}.", "See mixrelay dlq jobs; they are kept for 30 days."
        )
    return job


def _more(job: Job) -> tuple[str, ...]:
    return (
        "-" if job.planned is None else f"{job.planned:,}",
        f"{job.skipped:,}",
        job.created.strftime("%m-%d %H:%M:%S"),
        safe(job.who),
        cut(_letters(job), _SHOWN),
    )


def _page(job: Job, now_ms: float) -> Table:
    facts = Table.grid(padding=(0, 2))
    failed = job.outcome.failed_again
    rows = (
        ("job", job.id),
        ("kind", job.kind),
        ("state", job.state + (f": {job.error}" if job.error else "")),
        ("letters", _letters(job)),
        ("planned", "unknown" if job.planned is None else f"{job.planned:,}"),
        ("outcome", outcomes.words(job)),
        *((("failed again", f"mixrelay dlq list --job {job.id}"),) if failed else ()),
        ("speed", outcomes.pace(job, now_ms) or "-"),
        ("skipped", f"{job.skipped:,} (moved by someone else, or dead once more)"),
        ("looked at", f"{job.looked:,}"),
        ("rate", f"{job.rate:g} a second" if job.rate else "as fast as it goes"),
        ("who", job.who),
        ("why", job.why or "-"),
        ("created", iso(job.created)),
        ("finished", iso(job.finished) if job.finished else "-"),
        *((("no letters", ", ".join(job.missing)),) if job.missing else ()),
    )
    for name, value in rows:
        facts.add_row(Text(name, style="bold"), Text(safe(value)))
    return facts


def _progress(job: Job) -> str:
    of = f" of {job.planned:,}" if job.planned is not None else ""
    return f"{outcomes.DONE[job.kind]} {job.moved:,}{of}"


def _letters(job: Job) -> str:
    return f"{count(job.named, 'letter')} by id" if job.named else described(job.wanted)


def described(wanted: LetterFilter) -> str:
    """A filter as the options that make it."""
    told = wanted.to_json()
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in told.items())


def _which(entry: Entry) -> str:
    if entry.lane:
        return f"lane {entry.lane}"
    return described(entry.wanted) if entry.wanted else " ".join(entry.numbers)
