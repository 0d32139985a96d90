"""When a line counts as kept."""

import os
from pathlib import Path

import pytest

from mixrelay.producer.spool.spool import Spool


@pytest.mark.parametrize("fsync", [True, False])
def test_with_fsync_the_disk_is_waited_for_before_a_line_counts_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool
) -> None:
    on_disk: list[bytes] = []

    def remember(file: int) -> None:
        on_disk.append(os.pread(file, 100, 0).lstrip(b" \t"))

    monkeypatch.setattr(os, "fsync", remember)
    Spool(tmp_path / "spool", 1_000, fsync=fsync).append([b"a", b"b"])
    assert on_disk == ([b"a\nb\n"] if fsync else [])
