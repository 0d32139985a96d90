"""Which queues share a spool: none but one and the same."""

import pytest
import redis

from mixrelay.producer.spool.identity import spool_identity
from mixrelay.producer.spool.location import spool_folder
from mixrelay.shared.connection import Given


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("redis://h/0", "redis://h/1"),
        ("redis://h?db=1", "redis://h?db=2"),
        ("redis://h/1?db=2", "redis://h/1?db=3"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=2"),
        ("unix:///run/a.sock", "unix:///run/b.sock"),
        ("redis://ann:p@h/0", "redis://bob:p@h/0"),
        ("redis://ann@h/0", "redis://h/0"),
        ("redis://h/0?username=ann", "redis://h/0?username=bob"),
        ("redis://h:6379/0", "redis://h:6380/0"),
        ("redis+sentinel://a,b/main/0", "redis+sentinel://a,b/main/1"),
        ("redis+sentinel://a,b/main/0", "redis+sentinel://a,b/other/0"),
        ("redis+sentinel://ann:p@a/main", "redis+sentinel://bob:p@a/main"),
        ("redis+cluster://ann:p@a,b", "redis+cluster://bob:p@a,b"),
    ],
)
def test_two_databases_servers_or_users_share_no_spool(tmp_path, one, other):
    folders = {spool_folder(str(tmp_path), url, "q") for url in (one, other)}
    assert len(folders) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("redis://ann:old@h/0", "redis://ann:new@h/0"),
        ("redis://:old@h/0", "redis://:new@h/0"),
        ("redis://:secret@h/0", "redis://h/0"),
        ("redis://h/0?password=old", "redis://h/0?password=new&ssl_ca_certs=x"),
        ("redis://ann:p@h/0", "redis://h/0?username=ann&password=p"),
        ("redis://ann:p@h", "redis://ann:p@H:6379/0"),
        ("redis://h/0", "redis://h?db=0"),
        ("redis://h:6379/0", "rediss://h:6379/0"),
        ("redis+cluster://a,b", "redis+cluster://b:6379,a"),
        ("redis+sentinel://a,b/main", "rediss+sentinel://b,a:26379/main/0?sentinel_password=x"),
        ("redis://ann:a/b@h:x", "redis://ann:c?d@h:x"),
    ],
)
def test_a_password_or_another_spelling_leaves_it_as_it_is(tmp_path, one, other):
    folders = {spool_folder(str(tmp_path), url, "q") for url in (one, other)}
    assert len(folders) == 1


def test_no_password_is_part_of_it():
    for url in ("redis://u:s3cret@h", "redis://h?password=s3cret", "redis://u:a/s3cret@h:x"):
        assert "s3cret" not in spool_identity(url, "q")


def test_an_applications_own_client_has_its_users_spool(tmp_path):
    url = "redis://h:6379/3"
    as_ann = Given.of(redis.Redis(host="h", db=3, username="ann", password="p"))
    provided = redis.UsernamePasswordCredentialProvider("ann", "other")
    as_ann_too = Given.of(redis.Redis(host="h", db=3, credential_provider=provided))
    as_nobody = Given.of(redis.Redis(host="h", db=3))
    folders = [
        spool_folder(str(tmp_path), given.url, "q", given.user)
        for given in (as_ann, as_ann_too, as_nobody)
    ]
    assert folders[0] == folders[1] != folders[2]
    assert folders[0] == spool_folder(str(tmp_path), url.replace("//", "//ann:x@"), "q")
