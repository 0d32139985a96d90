"""What dead letters say of a queue's health."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mixrelay.console.health.kinds import AMBIGUOUS, FAILING, LETTERS, LETTERS_GO, NEW_CAUSE
from mixrelay.console.health.recent import Recent, RecentCause
from mixrelay.console.status.problem import Problem
from mixrelay.console.text import count, cut
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import HOLDABLE

if TYPE_CHECKING:
    from mixrelay.console.status.seen import QueueSeen

_ERROR_SHOWN, _NAME_SHOWN = 160, 60


def letter_problems(figures: "QueueSeen") -> Iterator[Problem]:
    """Messages that fail, causes that are new, letters that a limit will drop, letters kept."""
    recent = figures.recent
    if recent.is_failing:
        yield _failing(recent)
    yield from _new_causes(recent)
    yield from _limits(figures)
    if recent.ambiguous:
        yield Problem(
            AMBIGUOUS,
            "",
            f"The outcome of {count(recent.ambiguous, 'increment')} is unknown: no answer came "
            "within the last five minutes, and Mixpanel may have counted what was sent again.",
            "Compare the profiles in Mixpanel; MIXRELAY_ON_AMBIGUOUS=dead-letter keeps such "
            "increments as dead letters.",
            is_urgent=False,
            is_page=False,
        )
    if kept := _kept(figures):
        yield Problem.note(LETTERS, kept)


def _failing(recent: Recent) -> Problem:
    since = _since(recent)
    summary = f"{percent(recent.share)} of messages failing{since}: {_most_frequent(recent)}."
    top = recent.causes[0].cause if recent.causes else None
    todo = f"{top.look} lists them; {top.mend} tries a way out." if top else "mixrelay dlq stats."
    return Problem(FAILING, "", summary, f"Nothing is lost: {todo}")


def percent(share: float) -> str:
    """`48 %`, `1.2 %`."""
    hundred = 100 * share
    return f"{hundred:.0f} %" if hundred >= 10 else f"{hundred:.1f} %"  # noqa: PLR2004 - one digit


def _since(recent: Recent) -> str:
    if recent.since_ms is None:
        return ""
    if recent.is_since_longer:
        return " for an hour or longer"
    return f" since {datetime.fromtimestamp(recent.since_ms / 1000, UTC):%H:%M} UTC"


def _most_frequent(recent: Recent) -> str:
    """The cause that most died of, with its number and its event."""
    if not recent.causes:
        return f"{recent.dead:,} new dead letters within five minutes"
    top = recent.causes[0]
    # Of more letters than are looked at, the newest tell the share.
    exact = recent.looked >= recent.dead
    letters = top.letters if exact else round(recent.dead * top.letters / recent.looked)
    about = "" if exact else "about "
    name = f", {cut(top.name, _NAME_SHOWN)}" if top.name else ""
    more = count(len(recent.causes) - 1, "other cause")
    others = f"; {more}" if len(recent.causes) > 1 else ""
    return f"{cause_in_words(top)} ({about}{letters:,}{name}){others}"


def cause_in_words(seen: RecentCause) -> str:
    """The field and its error, or the reason where there is no error."""
    return cut(seen.cause.instance or seen.cause.reason, _ERROR_SHOWN).rstrip(".")


def _new_causes(recent: Recent) -> Iterator[Problem]:
    """Causes that no other letter died of are a ticket: by themselves they stop nothing."""
    new = [one for one in recent.causes if one.is_new]
    if recent.is_failing:
        # The most frequent cause is the problem's own.
        new = [one for one in new if one is not recent.causes[0]]
    if not new:
        return
    top, letters = new[0], sum(one.letters for one in new)
    name = f", {cut(top.name, _NAME_SHOWN)}" if top.name else ""
    of = "a cause that no other has" if len(new) == 1 else f"{len(new):,} causes that no other has"
    most = "" if len(new) == 1 else "most of them "
    yield Problem(
        NEW_CAUSE,
        "",
        f"{count(letters, 'new dead letter')} of {of}: {most}{cause_in_words(top)} "
        f"({top.cause.reason}{name}).",
        f"{top.cause.look} lists {'it' if top.letters == 1 else 'them'}.",
        is_urgent=False,
        is_page=False,
    )


def _limits(figures: "QueueSeen") -> Iterator[Problem]:
    """What a limit will drop soon; the one may be over while the other lasts."""
    outlook = figures.outlook
    if outlook is None:
        return
    alone = {
        "age": replace(outlook, max_letters=None),
        "count": replace(outlook, expire_within_a_day=0),
    }
    for limit, part in alone.items():
        for warning in part.warnings():
            yield Problem(
                LETTERS_GO,
                limit,
                f"{warning.partition(':')[0]}.",
                "Replay, export or discard them, or raise the limit.",
                is_page=False,
            )


def _kept(figures: "QueueSeen") -> str:
    """That there are letters: green beside a table of failures says two things at once."""
    books = figures.books
    if not books.dead:
        return ""
    dropped = sum(figures.lately(f"dead:{lane}:{Reason.DROPPED}") for lane in HOLDABLE)
    new = figures.lately("dead") - dropped
    lately = f", {count(new, 'new dead letter')} within two minutes" if new > 0 else ""
    return (
        f"{count(books.dead, 'dead letter')} kept until someone decides{lately}: mixrelay dlq "
        "stats shows the reasons."
    )
