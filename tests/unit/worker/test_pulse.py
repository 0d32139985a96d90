"""A worker's sign of life is a file that its loops touch, and that nothing else does."""

import logging
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from mixrelay.worker import pulse
from mixrelay.worker.pulse import STALE_SECONDS, Pulse
from tests.support.processes import finished

DOCKERFILE = Path(__file__).parents[3] / "Dockerfile"


def test_it_is_touched_again_once_that_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.0)
    file = tmp_path / "alive"
    beating = Pulse(str(file))
    assert not file.exists()
    for _ in range(2):
        beating.beat()
        assert time.time() - file.stat().st_mtime < STALE_SECONDS
        os.utime(file, (1, 1))
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 60.0)
    beating.beat()
    os.utime(file, (1, 1))
    beating.beat()
    assert file.stat().st_mtime == 1, "not at every turn of a loop"


def test_a_file_that_cannot_be_written_ends_nothing_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.0)
    beating = Pulse(str(tmp_path / "nowhere" / "alive"))
    with caplog.at_level(logging.WARNING):
        beating.beat()
        beating.beat()
    assert [one.getMessage().partition(":")[0] for one in caplog.records] == ["health_file"]
    Pulse("").beat()


@pytest.mark.parametrize(
    ("age", "healthy"), [(None, True), (0, True), (40, True), (STALE_SECONDS + 10, False)]
)
def test_the_image_s_check_is_of_this_file(
    tmp_path: Path, age: int | None, *, healthy: bool
) -> None:
    line = next(one for one in DOCKERFILE.read_text().splitlines() if one.startswith("HEALTHCHECK"))
    told = re.search(r'CMD \["sh", "-c", "(.*)"\]', line)
    assert told is not None
    file = tmp_path / "alive"
    if age is not None:
        file.touch()
        os.utime(file, (time.time() - age, time.time() - age))
    ended = finished(
        ["sh", "-c", told[1].replace('\\"', '"')],
        env={"PATH": os.environ["PATH"], "MIXRELAY_HEALTH_FILE": str(file)},
        stdout=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    assert (ended.returncode == 0) is healthy
