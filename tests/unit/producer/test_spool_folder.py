"""Where messages are kept if nobody says where."""

import os
import tempfile
from pathlib import Path

import pytest

from mixrelay.producer import ConfigurationError, RedisSink, Tracker
from mixrelay.producer.errors import SpoolError
from mixrelay.producer.options import QueueOptions, QueueSettings
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.spool.location import open_spool, spool_folder
from mixrelay.producer.spool.spool import Spool
from mixrelay.shared.options import options
from tests.support.ports import free_port

URL = "redis://user:secret@host:6379/0"


@pytest.fixture(autouse=True)
def _no_home(monkeypatch):
    for name in ("XDG_STATE_HOME", "HOME", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)


def test_it_is_below_the_users_state(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert spool_folder("", URL, "q").parent == tmp_path / ".local/state/mixrelay"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert spool_folder("", URL, "q").parent == tmp_path / "state/mixrelay"


def test_without_a_home_it_is_among_the_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert spool_folder("", URL, "q").parent == tmp_path / f"mixrelay-{os.geteuid()}"


def test_queues_and_servers_have_folders_of_their_own_whatever_the_password(tmp_path):
    folder = spool_folder(str(tmp_path), URL, "q")
    assert folder == spool_folder(str(tmp_path), URL.replace("secret", "other"), "q")
    assert folder != spool_folder(str(tmp_path), URL, "q2")
    assert folder != spool_folder(str(tmp_path), URL.replace("host", "host2"), "q")


def test_a_queues_name_cannot_lead_out_of_the_folder(tmp_path):
    assert spool_folder(str(tmp_path), URL, "../../etc").parent == tmp_path


@pytest.mark.parametrize("word", ["off", "OFF", " Off ", "false", "False", "no", "0", "none"])
def test_off_means_none(word, monkeypatch):
    assert open_spool(QueueSettings(spool_dir=word), URL, "q") is None
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", word)
    assert RedisSink().guard._spool() is None


@pytest.mark.parametrize("make", [RedisSink, AsyncRedisSink])
def test_false_is_off_and_true_is_no_folder(make):
    assert make(spool_dir=False).guard._spool() is None
    with pytest.raises(ConfigurationError, match="spool_dir=True names no folder"):
        make(spool_dir=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_home_that_the_user_may_not_search_is_passed_over(monkeypatch):
    """As of gunicorn --user nobody, which leaves HOME as root's."""
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        home, temporary = Path(folder, "root"), Path(folder, "tmp")
        Path(folder).chmod(0o755)
        home.mkdir(0o700)
        (home / ".local/state").mkdir(parents=True)
        temporary.mkdir()
        temporary.chmod(0o1777)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("TMPDIR", str(temporary))
        sink = RedisSink(f"redis://127.0.0.1:{free_port()}/0")
        os.seteuid(nobody)
        try:
            assert Tracker("t", sink=sink).track("u", "Kept")
            assert sink.guard._spool().folder.parent == temporary / f"mixrelay-{nobody}"
        finally:
            os.seteuid(0)
        assert sink.counters.spooled == 1


def test_a_folder_that_is_not_its_own_is_not_used(tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "spool").symlink_to(tmp_path / "else")
    with pytest.raises(SpoolError, match="another user's"):
        Spool(tmp_path / "spool", 1000, fsync=False).append([b"line"])


def test_what_is_kept_with_fsync_is_there(tmp_path):
    spool = Spool(tmp_path / "spool", 1000, fsync=True)
    spool.append([b"a", b"b"])
    assert (tmp_path / "spool/spool.jsonl").read_bytes().lstrip(b" \t") == b"a\nb\n"


def test_a_spool_that_is_full_keeps_what_it_has(tmp_path):
    spool = Spool(tmp_path / "spool", 64 + 10, fsync=False)
    spool.append([b"12345"])
    with pytest.raises(SpoolError):
        spool.append([b"6", b"78901"])
    spool.append([b"678"])
    assert (tmp_path / "spool/spool.jsonl").read_bytes().lstrip(b" \t") == b"12345\n678\n"


def test_long_spools_are_cut_into_segments_oldest_first(tmp_path):
    spool = Spool(tmp_path / "spool", 10**8, fsync=False)
    for number in range(10):
        spool.append([b"%d" % number * 500_000])
    firsts = [path.read_bytes().lstrip(b" \t")[:1] for path in spool.segments()]
    assert firsts == [b"0", b"5"]
    assert not (tmp_path / "spool/spool.jsonl").exists()


def test_every_keyword_is_a_setting():
    assert set(QueueOptions.__annotations__) == {one.name for one in options(QueueSettings)}
