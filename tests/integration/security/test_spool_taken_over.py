"""Another user of the machine, who can write where the spool's folders are to be.

Only root can play another user: these tests need it, as in a container.
"""

import os
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.producer import RedisSink, Tracker
from mixrelay.producer.errors import SpoolError
from mixrelay.producer.spool.location import spool_folder
from mixrelay.producer.spool.spool import Spool
from mixrelay.producer.spool.trusted_folder import open_own_folder
from tests.support.ports import free_port

ROOM = 1_000_000
EVE = 12345
FORGED = b'["profile_update","{\\"$distinct_id\\":\\"ann\\",\\"$set\\":{\\"role\\":\\"admin\\"}}"]'

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that everyone may write to, where there is no home."""
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("MIXRELAY_SPOOL_DIR", raising=False)
    monkeypatch.setenv("HOME", "/nonexistent/home")
    monkeypatch.setattr("mixrelay.producer.spool.location._may_write", lambda _: False)
    monkeypatch.setattr("mixrelay.producer.spool.location._LAST_RESORT", str(tmp_path / "var"))
    monkeypatch.setenv("TMPDIR", str(shared))
    return shared


@pytest.fixture
def lair(tmp_path: Path) -> Path:
    """Eve's own folder, which she lets everyone write to."""
    made = tmp_path / "lair"
    made.mkdir()
    made.chmod(0o777)
    os.chown(made, EVE, EVE)
    return made


def linked(link: Path, to: Path) -> None:
    link.symlink_to(to)
    os.lchown(link, EVE, EVE)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_linked_parent_folder_gets_no_message_and_nothing_from_it_is_pushed(
    tmp: Path, lair: Path, tmp_path: Path, redis: Redis, redis_url: str
) -> None:
    linked(tmp / "mixrelay-0", lair)
    heard: list[Exception] = []
    away = RedisSink(f"redis://127.0.0.1:{free_port()}/0", error_handler=heard.append)
    assert Tracker("secret-token", sink=away).track("ann@example.com", "Bought") is True
    assert files(lair) == []
    # It is kept all the same, and it is said where.
    spool = away.guard._spool()
    assert spool is not None
    assert spool.folder.parent == tmp_path / "var" / "mixrelay-0"
    [told] = [str(one) for one in heard if "instead" in str(one)]
    assert f"{tmp}/mixrelay-0 is a link that another user made (12345)" in told
    assert f"kept in {spool.folder} instead" in told

    # The folder of the same queue as Eve would have it: with an update of hers.
    there = lair / spool_folder(str(lair), redis_url, "mixpanel_queue").name
    there.mkdir(0o700)
    (there / "spool-00000001.jsonl").write_bytes(FORGED + b"\n")
    for path in (there, *files(there)):
        path.chmod(0o777)
    sink = RedisSink(redis_url, spool_dir=str(tmp / "mixrelay-0"), error_handler=heard.append)
    assert Tracker("secret-token", sink=sink).track("ann", "Bought") is True
    sink.close()
    assert [b"role" in one for one in redis.lrange("mixpanel_queue", 0, -1)] == [False]  # type: ignore[union-attr, unused-ignore]
    assert "is not used" in str(heard[-1])


@pytest.mark.parametrize("how", ["a link", "a folder of hers", "a link further up"])
def test_what_another_user_put_in_the_way_is_refused(tmp: Path, lair: Path, how: str) -> None:
    place = tmp / "mixrelay-0"
    if how == "a folder of hers":
        place.mkdir(0o777)
        place.chmod(0o777)
        os.chown(place, EVE, EVE)
    elif how == "a link":
        linked(place, lair)
    else:
        linked(tmp / "further", lair)
        (lair / "up").mkdir(0o700)
        place = tmp / "further" / "up"
    spool = Spool(place / "queue", ROOM, fsync=False)
    with pytest.raises(SpoolError, match=r"another user.* MIXRELAY_SPOOL_DIR"):
        spool.append([b"secret"])
    with pytest.raises(PermissionError), spool.drain_lock(0.0):
        pass
    assert files(tmp) == []
    assert files(lair) == []


@pytest.mark.parametrize("swapped", ["the folder", "the folder above", "a file"])
def test_what_is_put_in_place_later_is_neither_written_nor_read(
    tmp_path: Path, lair: Path, swapped: str
) -> None:
    """As by whoever may write to the folder above at that time, and not only at the first look."""
    folder = tmp_path / "state" / "queue"
    spool = Spool(folder, ROOM, fsync=False)
    spool.append([b"one"])
    hers = lair / "queue"
    hers.mkdir()
    for name in ("spool.jsonl", "spool-00000001.jsonl"):
        (hers / name).write_bytes(FORGED + b"\n")
    for path in (hers, *files(hers)):
        path.chmod(0o777)
        os.chown(path, EVE, EVE)
    if swapped == "a file":
        (hers / "spool.jsonl").replace(folder / "spool.jsonl")
    elif swapped == "the folder":
        folder.rename(folder.with_name("away"))
        hers.rename(folder)
    else:
        folder.parent.rename(tmp_path / "away")
        linked(folder.parent, lair)
    with pytest.raises(SpoolError, match="another user"):
        spool.append([b"secret"])
    with pytest.raises(OSError, match="another user"), spool.drain_lock(0.0):
        spool.oldest()
    assert not any(b"secret" in path.read_bytes() for path in files(tmp_path))


@pytest.mark.parametrize(
    ("mode", "group", "is_good"),
    [
        (0o755, 0, True),
        (0o775, 0, True),
        (0o1777, EVE, True),
        (0o777, 0, False),
        (0o775, EVE, False),
        (0o757, 0, False),
    ],
)
def test_a_folder_on_the_way_may_be_writable_by_us_alone(
    tmp_path: Path, mode: int, group: int, is_good: bool
) -> None:
    above = tmp_path / "above"
    above.mkdir()
    os.chown(above, 0, group)
    above.chmod(mode)
    spool = Spool(above / "mixrelay" / "queue", ROOM, fsync=False)
    if is_good:
        spool.append([b"line"])
    else:
        with pytest.raises(SpoolError, match=f"may write to {above}"):
            spool.append([b"line"])


def test_links_of_our_own_and_of_root_are_followed(tmp_path: Path) -> None:
    """As /tmp and /var of macOS, or a home that lies on another disk."""
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    (tmp_path / "home").symlink_to("disk/../disk/deep")
    folder = tmp_path / "home" / "state" / "queue"
    Spool(folder, ROOM, fsync=False).append([b"line"])
    assert (tmp_path / "disk/deep/state/queue/spool.jsonl").exists()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        open_own_folder(tmp_path / "a" / "queue", make=True)


def test_a_pipe_or_a_folder_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        folder = tmp_path / name
        folder.mkdir(0o700)
        make(folder / "spool.jsonl")
        with pytest.raises(SpoolError):
            Spool(folder, ROOM, fsync=False).append([b"line"])
