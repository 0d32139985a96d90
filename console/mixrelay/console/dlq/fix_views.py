"""What `dlq fix` shows: counts, rules that are still broken, and the first letters as diffs."""

import difflib
from collections.abc import Iterator

import typer

from mixrelay.console import masking, terminal
from mixrelay.console.dlq.applying import Applying
from mixrelay.console.dlq.survey import Survey
from mixrelay.console.text import count, cut
from mixrelay.shared.queue import Letter

_LINES = 30
"""Of one letter's diff."""
_COLUMNS = 160
_RULES = 10
_AROUND = 2
"""Lines around a change."""


def show(survey: Survey, *, is_dry: bool) -> None:
    """The preview."""
    if not survey.matched:
        terminal.say("No letter matches.")
        return
    for letter, payload in survey.samples:
        typer.echo(f"Letter {letter.id}, {cut(letter.reason, _COLUMNS)}:")
        for line in _diff(letter, payload):
            typer.echo(f"  {line}")
    shown, planned = len(survey.samples), len(survey.planned)
    if planned > shown:
        typer.echo(f"  … and {count(planned - shown, 'letter')} more.")
    would = "would be corrected and re-queued" if is_dry else "to correct and re-queue"
    typer.echo(
        f"{count(survey.matched, 'letter')} matched: {planned:,} {would}, {survey.right:,} already "
        f"right, {survey.breaking:,} still breaking a rule."
    )
    _rules(survey)
    if survey.right:
        typer.echo(
            "Those already right break no rule that is known here and are left as they are; "
            "mixrelay dlq replay sends them again."
        )


def _rules(survey: Survey) -> None:
    for rule, letters in survey.breaches.most_common(_RULES):
        typer.echo(f"  {letters:,} stay dead: {cut(rule, _COLUMNS)}")
    if (more := len(survey.breaches) - _RULES) > 0:
        typer.echo(f"  … and for {count(more, 'other rule')}.")


def _diff(letter: Letter, payload: bytes) -> Iterator[str]:
    before, after = (masking.pretty(one).splitlines() for one in (letter.payload, payload))
    lines = [
        line
        for line in difflib.unified_diff(before, after, lineterm="", n=_AROUND)
        if not line.startswith(("---", "+++", "@@"))
    ]
    for line in lines[:_LINES]:
        yield cut(line, _COLUMNS)
    if len(lines) > _LINES:
        yield f"… ({len(lines) - _LINES} lines more)"


def say_done(applying: Applying, planned: int) -> None:
    """What came of it."""
    job, done = applying.job, applying.done
    if job.background and not job.state.is_over:
        typer.echo(
            f"Corrected {count(done.moved, 'letter')}; a worker re-queues them: job {job.id}."
        )
    else:
        typer.echo(f"Corrected and re-queued {count(job.moved, 'letter')}.")
    if applying.skipped:
        terminal.say(
            f"{count(applying.skipped, 'letter')} skipped: changed, replayed or discarded by "
            "someone else meanwhile."
        )
    if not job.background and (waiting := done.moved - job.moved - job.skipped):
        terminal.say(
            f"{count(waiting, 'letter')} corrected and not re-queued yet. A worker goes on with: "
            f"mixrelay dlq resume {job.id}"
        )
    if left := planned - done.moved - done.skipped:
        terminal.say(
            f"{count(left, 'letter')} not reached yet: run the same command again to go on."
        )
    if done.moved:
        terminal.say(f"What becomes of them: mixrelay dlq jobs {job.id} --wait")
        terminal.say(f"To take it back: mixrelay dlq fix --undo {job.id}")
