"""`mixrelay dlq replay` and `mixrelay dlq discard`."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer
from redis import Redis

from mixrelay.console import terminal
from mixrelay.console.dlq.moving import move
from mixrelay.console.dlq.selection import ByFilter, ById, Chosen, Selection
from mixrelay.console.failures import CommandError
from mixrelay.console.options import Where, connected, from_table
from mixrelay.console.text import count
from mixrelay.shared.queue import LetterFilter, Number, Queue
from mixrelay.worker.bulk import start_discard, start_replay

_IN_ORDER = ("profile_update", "group_update")


@dataclass(frozen=True, slots=True)
class Decision:
    """Options that replay and discard share."""

    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the letters that it would take.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False
    background: Annotated[
        bool, typer.Option("--background", help="Have a worker do it; return at once.")
    ] = False
    rq_redis_url: Annotated[str, from_table("rq_redis_url", "URL")] = ""


@dataclass(frozen=True, slots=True)
class _Verb:
    do: str
    done: str
    doing: str
    asked: str
    move: Callable[[Queue, Sequence[Number]], int]
    hand_over: Callable[[Redis, str, LetterFilter], str]


_REPLAY = _Verb("replay", "Replayed", "Replaying", "Replay {letters}?", Queue.replay, start_replay)
_DISCARD = _Verb(
    "discard",
    "Discarded",
    "Discarding",
    "Discard {letters} for good?",
    Queue.discard,
    start_discard,
)


def replay(
    where: Where,
    selection: Selection,
    decision: Decision,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="N", min=0.01, help="Letters a second; without it as fast as it goes."
        ),
    ] = None,
) -> None:
    """Put letters back into their lanes, each once; one that fails again keeps its history."""
    if rate is not None and decision.background:
        raise typer.BadParameter(
            "A worker's job keeps no rate: run the command again without --background, or "
            "without --rate."
        )
    _decide(where, selection, decision, _REPLAY, rate)


def discard(where: Where, selection: Selection, decision: Decision) -> None:
    """Delete letters for good; the books count them as discarded."""
    _decide(where, selection, decision, _DISCARD, None)


def _demand(selection: Selection, decision: Decision) -> None:
    chosen = bool(selection.id) or selection.is_filter
    if chosen and decision.everything:
        raise typer.BadParameter("--all means every letter: leave it out beside --id or filters.")
    if not chosen and not decision.everything:
        raise typer.BadParameter("Say which letters: --id, a filter such as --reason, or --all.")
    if selection.id and decision.background:
        raise typer.BadParameter(
            "A worker's job takes filters or --all: run the command again without --background, "
            "which does ids at once."
        )


def _decide(
    where: Where, selection: Selection, decision: Decision, verb: _Verb, rate: float | None
) -> None:
    _demand(selection, decision)
    with where.open() as queue:
        chosen = selection.resolve(queue)
        kinds = chosen.by_type()
        total = kinds.total()
        # Looked for beforehand: what is moved is no letter any more.
        missing = chosen.missing if isinstance(chosen, ById) else []
        if decision.dry_run:
            typer.echo(f"Would {verb.do} {count(total, 'letter')}.")
        else:
            _agree(kinds, decision, verb)
            if decision.background and isinstance(chosen, ByFilter):
                _hand_over(where, chosen, decision, verb)
            else:
                _carry_out(chosen, total, verb, rate)
    if missing:
        raise CommandError(f"No dead letter: {', '.join(missing)}.")


def _agree(kinds: Counter[str], decision: Decision, verb: _Verb) -> None:
    """Says what the operator should know, and asks on a terminal.

    Raises:
        CommandError: the answer is no.
    """
    if late := sum(kinds[kind] for kind in _IN_ORDER) if verb is _REPLAY else 0:
        terminal.warn(
            f"{count(late, 'profile or group update')} will arrive late, after "
            "what was updated since: an old value may replace a newer one."
        )
    question = verb.asked.format(letters=count(kinds.total(), "letter"))
    if kinds and not decision.yes and not terminal.confirm(question):
        raise CommandError("Nothing was changed.")


def _hand_over(where: Where, chosen: ByFilter, decision: Decision, verb: _Verb) -> None:
    with connected(decision.rq_redis_url or where.redis_url) as redis:
        job = verb.hand_over(redis, where.queue, chosen.wanted)
    typer.echo(f"A worker will {verb.do} them: RQ job {job}.")


def _carry_out(chosen: Chosen, total: int, verb: _Verb, rate: float | None) -> None:
    moved = 0
    try:
        for part in move(
            chosen, total, partial(verb.move, chosen.queue), doing=verb.doing, rate=rate
        ):
            moved += part
    finally:
        # Also after Ctrl-C or a lost connection: what was moved, was moved.
        typer.echo(f"{verb.done} {count(moved, 'letter')}.")
