"""The spool on a machine with other users: theirs to read is nothing, and nothing to put in."""

import os
import stat
from pathlib import Path

import pytest

from mixrelay.producer.errors import SpoolError
from mixrelay.producer.spool.spool import Spool

ROOM = 1_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mixrelay" / "queue"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_read_a_spool_whatever_the_umask_is(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        spool = Spool(folder, ROOM, fsync=False)
        spool.append([b"secret"])
        with spool.drain_lock(0.0) as mine:
            assert mine
            assert spool.oldest()
        spool.append([b"more"])
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "lock": 0o600,
        "spool.jsonl": 0o600,
        "spool-00000001.jsonl": 0o600,
    }


@pytest.mark.parametrize("name", ["spool.jsonl", "lock"])
def test_what_a_link_points_to_is_never_written_to(folder: Path, tmp_path: Path, name: str) -> None:
    folder.mkdir(parents=True, mode=0o700)
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (folder / name).symlink_to(target)
    spool = Spool(folder, ROOM, fsync=False)
    if name == "lock":
        with pytest.raises(OSError), spool.drain_lock(0.0):  # noqa: PT011 - ELOOP, or EMLINK on BSD
            pass
    else:
        with pytest.raises(SpoolError, match="takes nothing"):
            spool.append([b"x"])
    assert target.read_bytes() == b"precious"


def test_a_folder_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(SpoolError):
        Spool(folder, ROOM, fsync=False).append([b"x"])
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_refused(folder: Path, bits: int) -> None:
    folder.mkdir(parents=True)
    folder.chmod(bits)
    with pytest.raises(SpoolError, match="chmod 700"):
        Spool(folder, ROOM, fsync=False).append([b"x"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
@pytest.mark.parametrize("whose", ["the folder", "the folder above"])
def test_a_folder_that_another_user_made_in_a_shared_place_is_refused(
    tmp_path: Path, whose: str
) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    folder = shared / "mixrelay-0" / "queue"
    folder.mkdir(parents=True, mode=0o700)
    os.chown(folder if whose == "the folder" else folder.parent, 12345, 12345)
    with pytest.raises(SpoolError, match="another user's"):
        Spool(folder, ROOM, fsync=False).append([b"x"])
