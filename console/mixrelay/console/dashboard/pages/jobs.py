"""Bulk jobs: plan one, start it, watch it, change its rate, cancel and resume it."""

from starlette.responses import Response

from mixrelay.console.dashboard import filters
from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.dashboard.counting import Counted, ambiguous, begin, go_on
from mixrelay.console.dlq import outcomes
from mixrelay.console.dlq.applying import put_back
from mixrelay.console.dlq.background import why_it_waits
from mixrelay.shared.queue import JobKind, JobState, Plan, new_id
from mixrelay.shared.queue.base.ids import is_id
from mixrelay.shared.queue.jobs.jobs import LEAST_RATE, MOST_RATE
from mixrelay.shared.reading import count as read_count

NO_RATE = f"The rate is a number of letters a second, {LEAST_RATE:g} to {MOST_RATE:,.0f}."
_SAID = {
    "rate": f"{NO_RATE} Nothing was changed.",
    "over": "The job had ended before: nothing was changed.",
    "runs": "Someone else had resumed it already: nothing was changed.",
    "no fix": "Only a fix can be undone: nothing was changed.",
}


_COUNTED = {
    "fix": "{moved:,} of {of:,} corrected. A worker re-queues them.",
    "undo": "{moved:,} of {of:,} letters are as before the fix.",
}


def jobs(call: Call) -> Response:
    return call.page("jobs.html", jobs=call.queue.jobs.newest())


def plan(call: Call) -> Response:
    """What an action by a filter would take, and the form that starts it."""
    return _plan(call, filters.asked_for(call.query, call.queue), call.path["kind"])


def _plan(call: Call, asked: filters.Asked, kind: str, *mistakes: str) -> Response:
    wrong = (*asked.mistakes, *mistakes)
    if kind not in (JobKind.REPLAY, JobKind.DISCARD):
        return call.to("letters")
    counted = None if asked.mistakes else _counted(call, asked)
    return call.page(
        "plan.html",
        422 if wrong else 200,
        kind=kind,
        asked=asked,
        mistakes=wrong,
        counted=counted,
        doubtful=_doubtful(call, kind, counted),
        job_id=new_id(),
        form=call.form,
    )


def _counted(call: Call, asked: filters.Asked) -> Counted:
    """The first portion; where no script runs, the one that the link of the last one asks for."""
    if call.query.get("place"):
        return go_on(call.queue, Counted.read(call.query, asked.wanted))
    return begin(call.queue, asked.wanted)


def _doubtful(call: Call, kind: str, counted: Counted | None) -> Plan | None:
    """Letters of a replay that may be counted twice."""
    if kind != JobKind.REPLAY or counted is None or not counted.plan.is_exact:
        return None
    return ambiguous(call.queue, counted.plan.wanted)


def plan_counted(call: Call) -> Response:
    """Counts on; the form appears once the number is known."""
    asked = filters.asked_for(call.query, call.queue)
    kind = call.path["kind"]
    if asked.mistakes:
        return _plan(call, asked, kind)
    counted = go_on(call.queue, Counted.read(call.query, asked.wanted))
    return call.page(
        "plan_form.html",
        kind=kind,
        asked=asked,
        counted=counted,
        doubtful=_doubtful(call, kind, counted),
        job_id=new_id(),
        form=call.form,
    )


def start(call: Call) -> Response:
    """Starts the job that was planned: what died since is not meant."""
    asked = filters.asked_for(call.form, call.queue)
    kind = call.path["kind"]
    typed = call.form.get("typed", "").replace(",", "").strip()
    planned = call.form.get("planned", "")
    why, rate = call.form.get("why", "").strip(), call.form.get("rate", "").strip()
    mistakes = []
    if asked.wanted.until is None:
        mistakes.append("The plan has no end in time: plan again.")
    if not typed or typed != planned:
        mistakes.append("Type the number of letters, so that it is the number you mean.")
    if kind == JobKind.DISCARD and not why:
        mistakes.append("Say why the letters are discarded: it is noted in the audit.")
    if rate and not is_rate(rate):
        mistakes.append(NO_RATE)
    job_id = call.form.get("job_id") or new_id()
    if not is_id(job_id):
        mistakes.append("The form's id of the job is not one of this page's: plan again.")
    if mistakes or asked.mistakes:
        return _plan(call, asked, kind, *mistakes)
    job = call.queue.jobs.start(
        JobKind(kind),
        asked.wanted,
        job_id=job_id,
        who=call.user,
        why=why,
        rate=float(rate) if rate else None,
        planned=read_count(planned),
    )
    return call.to("job", job_id=job.id)


def is_rate(text: str) -> bool:
    try:
        return LEAST_RATE <= float(text) <= MOST_RATE
    except ValueError:
        return False


def job(call: Call) -> Response:
    return _job(call, "job.html")


def job_live(call: Call) -> Response:
    """The part of a job's page that is fetched anew while it runs."""
    return _job(call, "job_live.html")


def _job(call: Call, template: str) -> Response:
    found = call.queue.jobs.get(call.path["job_id"])
    if found is None:
        return call.page("gone.html", 404, what="job", number=call.path["job_id"])
    waits = ""
    if found.state is JobState.QUEUED:
        waits = why_it_waits(call.place.settings.rq_url, call.queue.name)
    return call.page(
        template,
        job=found,
        said=_said(call),
        waits=waits,
        outcome=outcomes.words(found),
        pace=outcomes.pace(found, call.queue.books().now_ms),
    )


def _said(call: Call) -> str:
    """What the change before came to."""
    moved, of = (read_count(call.query.get(name, "")) for name in ("moved", "of"))
    if call.said in _COUNTED and moved is not None and of is not None:
        return _COUNTED[call.said].format(moved=moved, of=of)
    return _SAID.get(call.said, "")


def change(call: Call) -> Response:
    """Cancels, resumes, or sets the rate."""
    job_id, what = call.path["job_id"], call.path["change"]
    found = call.queue.jobs.get(job_id)
    if found is None or what not in _CHANGES:
        return call.page("gone.html", 404, what="job", number=job_id)
    if found.state is JobState.DONE or found.state.is_over != (what == "resume"):
        return _back(call, "over" if found.state.is_over else "runs")
    rate = call.form.get("rate", "").strip()
    if rate and not is_rate(rate):
        return _back(call, "rate")
    why = call.form.get("why", "").strip()
    _CHANGES[what](call, why, float(rate) if rate else None)
    return _back(call)


def undo(call: Call) -> Response:
    """Takes a fix back, of letters that are not re-queued yet, or failed again."""
    job_id = call.path["job_id"]
    found = call.queue.jobs.get(job_id)
    if found is None:
        return call.page("gone.html", 404, what="job", number=job_id)
    if found.kind is not JobKind.FIX:
        return _back(call, "no fix")
    why = call.form.get("why", "").strip()
    undone = sum(n for _, n in put_back(call.queue, found, who=call.user, why=why))
    told = {"said": "undo", "moved": undone, "of": found.named}
    return call.to("job", job_id=job_id, query=told)


def _cancel(call: Call, why: str, _rate: float | None) -> None:
    call.queue.jobs.cancel(call.path["job_id"], who=call.user, why=why)


def _resume(call: Call, why: str, rate: float | None) -> None:
    """Goes on at the rate beside the button: a job that is over cannot be told one before."""
    job_id, jobs = call.path["job_id"], call.queue.jobs
    resumed = jobs.resume(job_id, who=call.user, why=why)
    if resumed and "rate" in call.form and resumed.rate != rate:
        jobs.set_rate(job_id, rate, who=call.user, why=why)


def _set_rate(call: Call, why: str, rate: float | None) -> None:
    call.queue.jobs.set_rate(call.path["job_id"], rate, who=call.user, why=why)


_CHANGES = {"cancel": _cancel, "resume": _resume, "rate": _set_rate}


def _back(call: Call, said: str = "") -> Response:
    return call.to("job", job_id=call.path["job_id"], query={"said": said})


ROUTES = [
    route("/jobs", "jobs", jobs),
    route("/jobs/plan/{kind}", "plan", plan),
    route("/jobs/plan/{kind}/counted", "plan_counted", plan_counted),
    route("/jobs/start/{kind}", "job_start", start, "POST"),
    route("/jobs/{job_id}", "job", job),
    route("/jobs/{job_id}/live", "job_live", job_live),
    route("/jobs/{job_id}/undo", "job_undo", undo, "POST"),
    route("/jobs/{job_id}/{change}", "job_change", change, "POST"),
]
