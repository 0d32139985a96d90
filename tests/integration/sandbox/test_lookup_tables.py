"""Lookup tables (Mixpanel: Replace a Lookup Table)."""

import gzip
from datetime import UTC, datetime

import pytest

from mixrelay.sandbox import Options, lookups

TABLE = "f077cb07-008a-4955-8a4a-b4c163db3a87"
SONGS = "id,artist,is_platinum\nc994bb,Drake,True\nd8d949,Gipsy Kings,False\n"
HOW = {"auth": ("svc.user", "svc-secret"), "params": {"project_id": "98765"}}
ACCOUNT = {
    "service_account_username": "svc.user",
    "service_account_secret": "svc-secret",
    "project_id": "98765",
}


@pytest.fixture
def tables(client_of):
    return client_of(
        Options(
            tokens=["tok"], api_secrets=["sec"], lookup_tables={TABLE: "Songs"}, keep=50, **ACCOUNT
        )
    )


def put(client, body: str | bytes, table: str = TABLE, **how):
    url = f"{client.sandbox.url}/lookup-tables/{table}"
    headers = {"Content-Type": "text/csv", **how.pop("headers", {})}
    how = {**HOW, "headers": headers, "timeout": 30, **how}
    return client.session.put(url, data=body, **how)


def test_a_table_is_replaced_as_a_whole(tables) -> None:
    first = put(tables, SONGS)
    assert (first.status_code, first.json()) == (200, {"code": 200, "status": "OK"})
    assert tables.sandbox.lookup_tables[TABLE].rows == [
        {"id": "c994bb", "artist": "Drake", "is_platinum": "True"},
        {"id": "d8d949", "artist": "Gipsy Kings", "is_platinum": "False"},
    ]

    put(tables, 'id,name\n1,"with a , and ""quotes"""\n')

    table = tables.sandbox.lookup_tables[TABLE]
    assert (table.name, table.header) == ("Songs", ("id", "name"))
    assert table.rows == [{"id": "1", "name": 'with a , and "quotes"'}]
    shown = tables.get("/_sandbox/lookup-tables").json()["lookup_tables"]
    assert [(one["name"], one["total"]) for one in shown] == [("Songs", 1)]


def test_the_tables_are_listed(tables) -> None:
    answer = tables.get("/lookup-tables", **HOW)

    assert answer.json() == {
        "code": 200,
        "status": "OK",
        "results": [{"id": TABLE, "name": "Songs"}],
    }


@pytest.mark.parametrize(
    ("body", "index", "message"),
    [
        ("id,a\n,1\n", 0, "primary key is required and cannot be blank"),
        ("id,a\n1,1\n2\n", 1, "invalid row: wrong number of fields"),
        ("id,a\n1,1\n1,2\n", 1, "primary key must be unique"),
        ("id,a,a\n1,1,1\n", 0, "the values in the header must be unique"),
        ("", 0, "the header row is required"),
        (b"id,a\n\xff,1\n", 0, "invalid CSV"),
        ('id,a\n"1,1\n', 0, "invalid CSV"),
    ],
)
def test_an_invalid_table_replaces_nothing(tables, body, index, message) -> None:
    put(tables, SONGS)

    answer = put(tables, body)

    assert answer.status_code == 400
    assert answer.json()["error"] == "Some data points in the request failed validation."
    (failed,) = answer.json()["failed_records"]
    assert failed["index"] == index
    assert failed["message"].startswith(message)
    assert len(tables.sandbox.lookup_tables[TABLE].rows) == 2


def test_an_unknown_table_is_404_where_tables_are_given(tables, client) -> None:
    answer = put(tables, SONGS, "another")
    assert answer.status_code == 404
    assert answer.json()["error"] == "Lookup table with id 'another' was not found."

    assert put(client, SONGS, "any").status_code == 200
    assert list(client.sandbox.lookup_tables) == ["any"]


@pytest.mark.parametrize(
    "how",
    [
        {"auth": None},
        {"auth": ("svc.user", "wrong")},
        {"params": {}},
        {"auth": ("tok", ""), "params": {}},
    ],
    ids=repr,
)
def test_a_table_wants_a_service_account(tables, how) -> None:
    answer = put(tables, SONGS, **how)

    assert (answer.status_code, answer.json()["error"]) == (401, "Invalid credentials")
    assert tables.sandbox.lookup_tables[TABLE].rows == []


def test_a_project_secret_may_replace_a_table(tables) -> None:
    assert put(tables, SONGS, auth=("sec", ""), params={}).status_code == 200


def test_a_compressed_table_is_unpacked(tables) -> None:
    packed = gzip.compress(SONGS.encode())

    assert put(tables, packed, headers={"Content-Encoding": "gzip"}).status_code == 200
    assert len(tables.sandbox.lookup_tables[TABLE].rows) == 2


def test_a_table_over_100_mb_is_413(tables) -> None:
    assert lookups.MAX_BYTES == 104_857_600
    bomb = gzip.compress(b"id,a\n" + b" " * lookups.MAX_BYTES)

    answer = put(tables, bomb, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 413


def test_a_project_replaces_tables_100_times_a_day(tables) -> None:
    today = datetime.now(UTC).date()
    statuses = [put(tables, SONGS).status_code for _ in range(lookups.MAX_A_DAY + 1)]
    if datetime.now(UTC).date() != today:
        pytest.skip("the day ended in between")

    assert statuses == [200] * lookups.MAX_A_DAY + [429]
    tables.sandbox.reset()
    assert put(tables, SONGS).status_code == 200


def test_lookup_tables_stand_in_the_log_and_meet_faults(tables) -> None:
    tables.sandbox.fault("status", endpoint="/lookup-tables", status=503, count=1)
    tables.sandbox.fault("reset_after", endpoint="/lookup-tables", count=1)

    assert put(tables, SONGS).status_code == 503
    assert tables.sandbox.lookup_tables[TABLE].rows == []
    with pytest.raises(OSError, match="reset by peer"):
        put(tables, SONGS)
    assert len(tables.sandbox.lookup_tables[TABLE].rows) == 2
    put(tables, SONGS)
    logged = [
        (one.method, one.endpoint, one.status, one.credentials) for one in tables.sandbox.requests
    ]
    assert logged == [
        ("PUT", "/lookup-tables", 503, "service_account"),
        ("PUT", "/lookup-tables", None, "service_account"),
        ("PUT", "/lookup-tables", 200, "service_account"),
    ]
    assert tables.sandbox.requests[2].query == {"project_id": "98765"}
