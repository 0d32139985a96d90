"""Mixpanel's `Date` decides where Redis's clock and the host's are apart."""

import time
from email.utils import formatdate

import pytest

from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.worker.base import mixpanel_clock
from mixrelay.worker.base.mixpanel_clock import MixpanelClock

OWN = b'{"code": 200, "num_records_imported": 1, "status": "OK"}'


def answer(date: str, body: bytes = OWN) -> Answer:
    return Answer(200, {"date": date}, body)


def apart(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("off", [-3_600, -600, 600, 3_600])
def test_a_host_that_is_wrong_gets_mixpanels_time(off: int) -> None:
    clock = MixpanelClock()
    clock.hear(answer(apart(off)))
    assert abs(clock.host() - time.time() - off) < 5


@pytest.mark.parametrize("off", [-30, 0, 30])
def test_a_host_that_is_right_keeps_its_own(off: int) -> None:
    clock = MixpanelClock()
    clock.hear(answer(apart(off)))
    assert abs(clock.host() - time.time()) < 5


def test_a_host_whose_clock_is_set_is_still_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MixpanelClock()
    clock.hear(answer(apart(0)))
    right = time.time
    monkeypatch.setattr(mixpanel_clock.time, "time", lambda: right() - 660)
    assert abs(clock.host() - right()) < 5


@pytest.mark.parametrize(
    "given",
    [
        answer(apart(600), b"<html>blocked</html>"),
        answer("yesterday"),
        answer(""),
        answer("Mon, 01 Jan 99999 00:00:00 GMT"),
        Answer(200, {}, OWN),
    ],
)
def test_what_is_not_mixpanels_or_no_date_says_nothing(given: Answer) -> None:
    clock = MixpanelClock()
    clock.hear(given)
    assert abs(clock.host() - time.time()) < 5


def test_a_failure_says_nothing_and_the_next_answer_is_heard() -> None:
    clock = MixpanelClock()
    clock.hear(Failure(FailureKind.NO_ANSWER, sent=True, detail="reset"))
    clock.hear(answer(apart(600)))
    assert abs(clock.host() - time.time() - 600) < 5
