"""What an operator does with a bulk job, and what is said where it does nothing."""

import pytest

from mixrelay.shared.queue import JobKind, LetterFilter, new_id
from tests.support.bench import event
from tests.support.pages import form_token
from tests.support.partitions import Partitioned


@pytest.fixture(params=[1, 3], ids=["one partition", "three"])
def job(redis, request):
    made = Partitioned(redis, request.param)
    made.queue.announce()
    for index in range(request.param):
        made.bury(index, *(event("a") for _ in range(5)))
    return made.queue.jobs.start(
        JobKind.REPLAY, LetterFilter(), job_id=new_id(), who="ann", rate=2.5
    )


@pytest.fixture
def change(page, job):
    """Presses a button of the job's page; what the page says then."""

    def press(what, **form):
        told = {"form_token": form_token(page)} | form
        answer = page.post(f"/jobs/{job.id}/{what}", data=told, follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    return press


@pytest.mark.parametrize("rate", ["x", "0", "-1", "nan", "1e999", "1e300", "1e-9"])
def test_a_rate_that_is_none_is_told_and_changes_nothing(change, queue, job, rate):
    assert "The rate is a number of letters a second, 0.001 to 1,000,000" in change(
        "rate", rate=rate
    )
    assert queue.jobs.get(job.id).rate == 2.5


def test_a_job_that_is_over_is_resumed_at_another_rate(change, queue, job):
    shown = change("cancel")
    assert "Set the rate" not in shown, "a job that is over takes none"
    assert 'name="rate" inputmode="decimal" size="8" placeholder="no limit" value="2.5"' in shown

    change("resume", rate="0.5")

    queue.refresh()
    resumed = queue.jobs.get(job.id)
    assert {part.rate for part in resumed.each} == {0.5}
    assert resumed.state in {"queued", "running"}


def test_a_wrong_rate_resumes_nothing(change, queue, job):
    change("cancel")
    assert "Nothing was changed" in change("resume", rate="fast")
    assert queue.jobs.get(job.id).state == "cancelled"


def test_a_button_that_comes_too_late_says_so(change):
    assert "resumed it already" in change("resume", rate="")
    change("cancel")
    for what in ("cancel", "rate"):
        assert "had ended before: nothing was changed" in change(what, rate="7")


def test_what_is_no_change_is_not_there(page, job):
    form = {"form_token": form_token(page)}
    assert page.post(f"/jobs/{job.id}/forget", data=form).status_code == 404
    assert page.post("/jobs/nothing/cancel", data=form).status_code == 404
