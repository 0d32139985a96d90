"""One dead letter: what it says, what Mixpanel said, its past; replay, edit, discard."""

from typing import Any

from starlette.responses import Response

from mixrelay.console.dashboard import payloads
from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.dashboard.filters import NAMES, Asked, asked_for
from mixrelay.console.dashboard.groups.curl import curl
from mixrelay.console.dashboard.groups.inbox import CORRECTABLE
from mixrelay.console.dashboard.groups.marking import marked
from mixrelay.console.dashboard.pages.letters import WHY_MISSING
from mixrelay.shared.mixpanel.endpoints import base_address
from mixrelay.shared.queue import Edited, Letter, Number
from mixrelay.shared.queue.letter_heads import HEAD_BYTES, about
from mixrelay.shared.queue.letters.paging import Place
from mixrelay.shared.tuples import MalformedTupleError

_SAID = {
    "edited": "The message was changed. Replay it to have it sent.",
    "why": WHY_MISSING,
    "gone": "It is no dead letter any more: someone has replayed or discarded it.",
}
_MASKED = "Values are masked on this page, so nothing can be edited: nothing was changed."
_NOT_HERE = (
    "This page cannot show the whole message: it holds a secret in another place than its own "
    "api_key, is no text, or is too large. Edit it with mixrelay dlq edit."
)


def letter(call: Call) -> Response:
    found = _find(call)
    return _gone(call) if found is None else _show(call, found)


def _find(call: Call) -> Letter | None:
    return call.queue.letters.get(Number(call.path["number"]))


def _gone(call: Call) -> Response:
    return call.page("gone.html", 404, what="letter", number=call.path["number"])


def _filter(call: Call) -> Asked:
    """The filter of the list that one came from; none where it cannot be read."""
    source = call.form or call.query
    asked = asked_for({name: source.get(name, "") for name in NAMES}, call.queue)
    return asked if not asked.mistakes else asked_for({}, call.queue)


def _beside(call: Call, found: Letter, asked: Asked, *, newer: bool) -> str | None:
    """The letter behind this one in that list, or before it."""
    page = call.queue.letters.page(
        asked.wanted, Place.of(found).cursor, limit=1, newest_first=not newer, head=HEAD_BYTES
    )
    return page.letters[0].id if page.letters else None


def _show(call: Call, found: Letter) -> Response:
    mask = call.place.dashboard.mask
    asked = _filter(call)
    original = None if found.original is None else payloads.shown(found.original, mask=mask)
    return call.page(
        "letter.html",
        letter=found,
        about=about(found),
        message=marked(found.payload, found.field, mask=mask),
        curl="" if mask else curl(found, base_address()),
        asked=asked,
        newer=_beside(call, found, asked, newer=True),
        older=_beside(call, found, asked, newer=False),
        may_be_fixed=found.reason in CORRECTABLE,
        original=original,
        may_edit=not mask and payloads.editable(found) is not None,
        said=_SAID.get(call.said, ""),
    )


def move(call: Call) -> Response:
    """Replays or discards this one."""
    number, how = Number(call.path["number"]), call.path["move"]
    if how not in ("replay", "discard"):
        return _gone(call)
    why = call.form.get("why", "").strip()
    if how == "discard" and not why:
        return call.to("letter", number=number, query={"said": "why"})
    queue = call.queue
    moving = queue.replay if how == "replay" else queue.discard
    moved = moving([number], who=call.user, why=why)
    return call.to("letters", query={**_filter(call).given, "said": how, "moved": moved, "of": 1})


def editor(call: Call) -> Response:
    found = _find(call)
    if found is None:
        return _gone(call)
    if call.place.dashboard.mask:
        return _edit_page(call, found, "", _MASKED)
    text = payloads.editable(found)
    return _edit_page(call, found, text or "", _NOT_HERE if text is None else "")


def edit(call: Call) -> Response:
    """Replaces the message; the one that was pushed is kept beside it."""
    found = _find(call)
    if found is None:
        return _gone(call)
    if call.place.dashboard.mask:
        return _edit_page(call, found, "", _MASKED)
    text, why = call.form.get("message", ""), call.form.get("why", "").strip()
    restores = call.form.get("restore") == "1" and found.original is not None
    payload = found.original if restores else payloads.edited(found, text)
    if call.form.get("seen") != _seen(found):
        return _edit_page(call, found, text, "Someone else changed it meanwhile: compare first.")
    try:
        done = call.queue.edit(found, payload or b"", who=call.user, why=why)
    except MalformedTupleError as error:
        return _edit_page(call, found, text, f"This is no message: {error}")
    if done is Edited.CHANGED:
        return _edit_page(call, found, text, "Someone else changed it meanwhile: compare first.")
    if done is Edited.GONE:
        return _gone(call)
    if call.form.get("then") == "replay":
        moved = call.queue.replay([found.id], who=call.user, why=why)
        return call.to("letters", query={"said": "replay", "moved": moved, "of": 1})
    return call.to("letter", number=found.id, query={"said": "edited"})


def _edit_page(call: Call, found: Letter, text: str, mistake: str) -> Response:
    may_edit = not (call.place.dashboard.mask or call.place.dashboard.read_only)
    values: dict[str, Any] = {"letter": found, "text": text, "mistake": mistake}
    values["may_edit"] = may_edit
    return call.page("letter_edit.html", 422 if mistake else 200, **values, seen=_seen(found))


def _seen(found: Letter) -> str:
    """Which of the letter's messages the editor saw."""
    return str(len(found.edits))


ROUTES = [
    route("/letters/{number}", "letter", letter),
    route("/letters/{number}/edit", "letter_editor", editor),
    route("/letters/{number}/edit", "letter_edit", edit, "POST"),
    route("/letters/{number}/{move}", "letter_move", move, "POST"),
]
