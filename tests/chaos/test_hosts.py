"""Every kind of host meets every state of Redis: what is kept arrives, and no call takes long."""

from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from tests.chaos.conftest import FULL
from tests.chaos.hosts.cells import Cell, Found, check, deliver
from tests.chaos.hosts.drivers import HOSTS
from tests.chaos.hosts.names import NOTES, VARIABLE
from tests.chaos.hosts.states import STATES, Place

TOKEN = "00112233445566778899aabbccddeeff"
SHORT = [
    ("gunicorn gevent", "DNS silent"),
    ("uvicorn", "hung"),
    ("Celery", "away"),
    ("RQ", "failed over"),
    ("Lambda-like", "failed over"),
    ("cron-like", "DNS silent"),
]
"""One of each kind of host, and each state, for CI."""
CELLS = [(host, state) for host in HOSTS for state in STATES] if FULL else SHORT
PIECES = 12 if FULL else 6
SECONDS = 5.0 if FULL else 2.0


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("host", "state"), CELLS)
def test_what_is_kept_arrives_and_no_call_takes_long(
    host: str,
    state: str,
    *,
    redis_url: str,
    mixpanel: Sandbox,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    reason = HOSTS[host].why_not()
    if reason:
        Found(host, state, skipped=reason).note(request)
        pytest.skip(reason)
    with Place(tmp_path) as place:
        environment = {
            "MIXRELAY_REDIS_URL": place.url,
            "MIXRELAY_SPOOL_DIR": str(tmp_path / "spool"),
            "MIXPANEL_TOKEN": TOKEN,
            "PYTHONWARNINGS": "default",
            VARIABLE: str(place.names.file),
            NOTES: str(tmp_path / "notes.jsonl"),
        }
        with HOSTS[host](environment, redis_url, tmp_path) as running:
            cell = Cell(running, place, tmp_path / "notes.jsonl", tmp_path / "spool")
            cell.run(STATES[state], PIECES, SECONDS)
        deliver(place, mixpanel, tmp_path)
        found = cell.audit(host, state, mixpanel)
    found.note(request)
    check(found)
