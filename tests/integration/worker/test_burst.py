"""A burst whose Redis does not answer ends, with words and an exit code that is not 0."""

import os
import sys
from pathlib import Path

from tests.support.killable import KillableRedis
from tests.support.processes import finished
from tests.support.works import TOKEN, Running, event, wait_until

IMPATIENT = """
import sys
from mixrelay.shared.settings import Settings
from mixrelay.worker.process import burst
from mixrelay.worker.process import main as run
from mixrelay.worker.base.settings import WorkerSettings
burst.PATIENCE_SECONDS = 1.0
settings = Settings.from_environment()
sys.exit(run.run(settings, WorkerSettings.from_environment(), burst=True))
"""


def environment(redis_url: str, **more: str) -> dict[str, str]:
    # Mixpanel is away: so the burst has something to wait for.
    return {
        **os.environ,
        "MIXRELAY_REDIS_URL": redis_url,
        "MIXPANEL_API_HOST": "http://127.0.0.1:1",
        "MIXPANEL_TOKEN": TOKEN,
        "MIXRELAY_LOG_FORMAT": "human",
        **more,
    }


def test_a_burst_whose_redis_never_answers_ends_with_words() -> None:
    ended = finished(
        [sys.executable, "-c", IMPATIENT],
        env=environment("redis://127.0.0.1:1/0"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 3
    assert "burst_ended: Redis has not answered for 1 s" in ended.stderr
    assert "nobody knows what waits" in ended.stderr


def test_a_burst_whose_redis_goes_away_in_the_middle_ends_with_words(tmp_path: Path) -> None:
    server = KillableRedis()
    try:
        server.client.rpush("mixpanel_queue", event("a"))
        running = Running(
            [sys.executable, "-c", IMPATIENT],
            environment(server.url, MIXRELAY_PROCESSES="2"),
            tmp_path / "log",
        )
        wait_until(lambda: "shift_started" in running.log, "a drain job")
        server.kill()
        assert running.exit_code(60) == 3
        assert "burst_ended: Redis has not answered for 1 s" in running.log
    finally:
        running.end()
        server.kill()
