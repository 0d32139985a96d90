"""The same correction of all letters of a cause: choose, see the difference, apply."""

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from mixrelay.console.dashboard import filters
from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.dashboard.groups import fixing, form
from mixrelay.console.dashboard.pages.jobs import NO_RATE, is_rate
from mixrelay.console.text import cut
from mixrelay.shared.queue import Letter

_CHANGED = "Other letters match by now than those of the preview: look at it again."
_TOO_MANY = (
    "More letters match than one request corrects: run the command below, which shows how far "
    "it is."
)


def fix(call: Call) -> Response:
    """The form, and once something was chosen what it would do."""
    asked = filters.asked_for(call.query, call.queue)
    return _page(call, asked, _lines(call.query))


def _lines(given: Any) -> list[form.Line]:
    return form.lines_of(given.getlist("op"), given.getlist("path"), given.getlist("value"))


def _page(
    call: Call, asked: filters.Asked, lines: list[form.Line], *wrong: str, status: int = 200
) -> Response:
    mistakes = [*asked.mistakes, *wrong]
    sample = None if asked.mistakes else _sample(call, asked)
    operations, unread = form.read(lines)
    mistakes += unread
    seen = None
    if operations and not mistakes and sample is not None:
        asked = _bounded(call, asked)
        seen = fixing.preview(call.queue, asked.wanted, operations)
        mistakes += [] if seen.is_whole else [_TOO_MANY]
    shown = lines or ([form.proposed(sample)] if sample else [])
    return call.page(
        "fix.html",
        422 if mistakes else status,
        asked=asked,
        mistakes=mistakes,
        sample=sample,
        lines=[*shown, *[form.Line()] * form.ROWS][: form.ROWS],
        paths=form.paths_of(sample) if sample else [],
        seen=seen,
        command=_command(asked, lines),
        masked=call.place.dashboard.mask,
    )


def _sample(call: Call, asked: filters.Asked) -> Letter | None:
    """The newest letter that matches, whose fields the form offers."""
    return next(iter(call.queue.letters.page(asked.wanted, limit=1).letters), None)


def _bounded(call: Call, asked: filters.Asked) -> filters.Asked:
    """What dies after the preview is not meant by it."""
    if asked.wanted.until is not None:
        return asked
    until = datetime.fromtimestamp(call.queue.books().now_ms / 1000, UTC)
    given = dict(asked.given) | {"until": until.isoformat()}
    return replace(asked, wanted=replace(asked.wanted, until=until), given=given)


def _command(asked: filters.Asked, lines: list[form.Line]) -> str:
    """What does the same in a terminal."""
    chosen = [
        f"--{name.replace('_', '-')} {shlex.quote(value)}" for name, value in asked.given.items()
    ]
    done = [f"--{line.op} {shlex.quote(line.text)}" for line in lines]
    return " ".join(["mixrelay dlq fix", *(chosen or ["--all"]), *done, "--dry-run"])


def apply(call: Call) -> Response:
    """Corrects what the preview showed, and has a worker re-queue it."""
    asked = filters.asked_for(call.form, call.queue)
    lines = _lines(call.form)
    operations, mistakes = form.read(lines)
    if asked.mistakes or mistakes or not operations or asked.wanted.until is None:
        return _page(call, asked, lines, "Nothing was changed: look at the preview first.")
    seen = fixing.preview(call.queue, asked.wanted, operations)
    if not seen.is_whole:
        return _page(call, asked, lines)
    if str(len(seen.survey.planned)) != call.form.get("planned", ""):
        return _page(call, asked, lines, _CHANGED)
    rate = call.form.get("rate", "").strip()
    if rate and not is_rate(rate):
        return _page(call, asked, lines, NO_RATE)
    job = fixing.apply(
        call.queue,
        asked.wanted,
        operations,
        seen.survey,
        who=call.user,
        why=cut(call.form.get("why", "").strip(), 500),
        rate=float(rate) if rate else None,
    )
    told = {"said": "fix", "moved": job.named, "of": len(seen.survey.planned)}
    return call.to("job", job_id=job.id, query=told)


ROUTES = [
    route("/letters/fix", "fix", fix),
    route("/letters/fix", "fix_apply", apply, "POST"),
]
