"""The dead letters: find them, and choose what to act on."""

from typing import Any

from starlette.responses import Response

from mixrelay.console.dashboard import filters
from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.dashboard.counting import Counted, begin_beside, go_on
from mixrelay.console.dashboard.failing import words_for
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Number
from mixrelay.shared.queue.letter_heads import HEAD_BYTES, about
from mixrelay.shared.reading import count as read_count

PER_PAGE = 50
SELECTED_AT_MOST = 500
_IN_ORDER = ("profile_update", "group_update")
_MOVES = {"replay": "replayed", "discard": "discarded"}
WHY_MISSING = "Say why the letters are discarded: it is noted in the audit."


def letters(call: Call) -> Response:
    """One page of those that match, the newest first."""
    asked = filters.asked_for(call.query, call.queue)
    if asked.mistakes:
        return call.page("letters.html", 400, **_empty(call, asked))
    box = call.queue.letters
    try:
        cursor = call.query.get("cursor") or None
        page = box.page(asked.wanted, cursor, limit=PER_PAGE, head=HEAD_BYTES)
    except ValueError as error:
        return call.page("letters.html", 400, **_empty(call, asked, str(error)))
    groups = box.groups()
    return call.page(
        "letters.html",
        asked=asked,
        mistakes=(),
        rows=[(letter, about(letter)) for letter in page.letters],
        ambiguous=sum(letter.reason == Reason.AMBIGUOUS for letter in page.letters),
        late=any(letter.type in _IN_ORDER for letter in page.letters),
        page=page,
        inbox=call.place.inboxes.read(call.queue),
        counted=begin_beside(call.queue, asked.wanted, groups),
        said=_said(call),
        **_words(),
    )


def _words() -> dict[str, Any]:
    return {"reasons": filters.REASONS, "types": filters.TYPES}


def _empty(call: Call, asked: filters.Asked, *mistakes: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"rows": [], "page": None, "counted": None, "said": ""}
    nothing |= {"ambiguous": 0, "late": False}
    told = {"asked": asked, "mistakes": (*asked.mistakes, *mistakes)}
    return told | nothing | {"inbox": call.place.inboxes.read(call.queue)} | _words()


def counted(call: Call) -> Response:
    """Goes on counting where a filter has no index; the page asks until it is exact."""
    asked = filters.asked_for(call.query, call.queue)
    if asked.mistakes:
        return words_for(call.request, 400, " ".join(asked.mistakes))
    begun = Counted.read(call.query, asked.wanted)
    return call.page("letters_counted.html", counted=go_on(call.queue, begun))


def selected(call: Call) -> Response:
    """Replays or discards the letters that were ticked."""
    numbers = [Number(number) for number in call.form.getlist("id")[:SELECTED_AT_MOST]]
    back = {name: call.form.get(name, "") for name in (*filters.NAMES, "cursor")}
    move = call.form.get("move", "")
    if move not in _MOVES or not numbers:
        return call.to("letters", query=back | {"said": "none"})
    why = call.form.get("why", "").strip()
    if move == "discard" and not why:
        return call.to("letters", query=back | {"said": "why"})
    moved = getattr(call.queue, move)(numbers, who=call.user, why=why)
    told = {"said": move, "moved": moved, "of": len(numbers)}
    return call.to("letters", query=back | told)


def _said(call: Call) -> str:
    """What the last action came to, in our own words: an address must not put words in ours."""
    what = call.said
    moved, of = (read_count(call.query.get(name, "")) for name in ("moved", "of"))
    if what == "why":
        return WHY_MISSING
    if what == "none":
        return "No letter was chosen: nothing was done."
    if what in _MOVES and moved is not None and of is not None:
        return outcome(what, moved, of)
    return ""


def outcome(move: str, moved: int, of: int) -> str:
    """How many letters a move took, and what became of the others."""
    done = f"{moved:,} of {of:,} {_MOVES[move]}."
    gone = of - moved
    return done if not gone else f"{done} {gone:,} had been moved by someone else before."


ROUTES = [
    route("/letters", "letters", letters),
    route("/letters/counted", "letters_counted", counted),
    route("/letters/selected", "letters_selected", selected, "POST"),
]
