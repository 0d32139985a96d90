"""Bulk jobs: plan one, start it, watch it, change its rate, cancel and resume it."""

from starlette.responses import Response

from mixrelay.console.dashboard import filters
from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.dashboard.counting import Counted, ambiguous, begin, go_on
from mixrelay.shared.queue import JobKind, Plan, new_id


def jobs(call: Call) -> Response:
    return call.page("jobs.html", jobs=call.queue.jobs.newest())


def plan(call: Call) -> Response:
    """What an action by a filter would take, and the form that starts it."""
    return _plan(call, filters.asked_for(call.query), call.path["kind"])


def _plan(call: Call, asked: filters.Asked, kind: str, *mistakes: str) -> Response:
    wrong = (*asked.mistakes, *mistakes)
    if kind not in set(JobKind):
        return call.to("letters")
    counted = None if asked.mistakes else begin(call.queue, asked.wanted)
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


def _doubtful(call: Call, kind: str, counted: Counted | None) -> Plan | None:
    """Letters of a replay that may be counted twice."""
    if kind != JobKind.REPLAY or counted is None or not counted.plan.is_exact:
        return None
    return ambiguous(call.queue, counted.plan.wanted)


def plan_counted(call: Call) -> Response:
    """Counts on; the form appears once the number is known."""
    counted = go_on(call.queue, Counted.read(call.query))
    asked = filters.asked_for(call.query)
    kind = call.path["kind"]
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
    asked = filters.asked_for(call.form)
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
    if rate and not _is_rate(rate):
        mistakes.append("The rate is a number of letters a second, above 0.")
    if mistakes or asked.mistakes:
        return _plan(call, asked, kind, *mistakes)
    job = call.queue.jobs.start(
        JobKind(kind),
        asked.wanted,
        job_id=call.form.get("job_id") or new_id(),
        who=call.user,
        why=why,
        rate=float(rate) if rate else None,
        planned=int(planned) if planned.isdigit() else None,
    )
    call.place.hand_over(job.id)
    return call.to("job", job_id=job.id)


def _is_rate(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
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
    return call.page(template, job=found)


def change(call: Call) -> Response:
    """Cancels, resumes, or sets the rate."""
    job_id, what = call.path["job_id"], call.path["change"]
    queue, why = call.queue, call.form.get("why", "").strip()
    if what == "cancel":
        queue.jobs.cancel(job_id, who=call.user, why=why)
    elif what == "resume":
        queue.jobs.resume(job_id, who=call.user, why=why)
        call.place.hand_over(job_id)
    elif what == "rate":
        rate = call.form.get("rate", "").strip()
        if not rate or _is_rate(rate):
            queue.jobs.set_rate(job_id, float(rate) if rate else None, who=call.user, why=why)
    return call.to("job", job_id=job_id)


ROUTES = [
    route("/jobs", "jobs", jobs),
    route("/jobs/plan/{kind}", "plan", plan),
    route("/jobs/plan/{kind}/counted", "plan_counted", plan_counted),
    route("/jobs/start/{kind}", "job_start", start, "POST"),
    route("/jobs/{job_id}", "job", job),
    route("/jobs/{job_id}/live", "job_live", job_live),
    route("/jobs/{job_id}/{change}", "job_change", change, "POST"),
]
