"""A lookup table is replaced by one request, and a refusal says what to change."""

import base64
import socket
from uuid import UUID

import pytest

from mixrelay.producer import (
    ConfigurationError,
    ConnectionFailedError,
    Credentials,
    InvalidPropertyError,
    ServerError,
)
from mixrelay.producer.lookup import replace_lookup_table
from mixrelay.sandbox import Options, Sandbox
from tests.support.console import called

TABLE = "d1b6d2e0-1330-4ad6-b520-d948ede3b1a7"
SONGS = b"id,Genre\ns1,Pop\ns2,Rock\n"
RECEIVED = (200, b'{"code":200,"status":"OK"}')
ACCOUNT = Credentials.service_account("relay.a1b2c3", "a-very-secret-secret", "42")
VARIABLES = {
    "MIXPANEL_SERVICE_ACCOUNT_USERNAME": "relay.a1b2c3",
    "MIXPANEL_SERVICE_ACCOUNT_SECRET": "a-very-secret-secret",
    "MIXPANEL_PROJECT_ID": "42",
}


@pytest.fixture
def songs(tmp_path):
    path = tmp_path / "songs.csv"
    path.write_bytes(SONGS)
    return path


@pytest.fixture(autouse=True)
def _received(mixpanel):
    mixpanel.answer = RECEIVED


def sent(mixpanel):
    ((path, headers, body),) = mixpanel.requests
    _, _, pair = headers["Authorization"].partition("Basic ")
    return path, headers["Content-Type"], base64.b64decode(pair).decode(), body


def test_a_file_replaces_the_table(mixpanel, songs):
    rows = replace_lookup_table(UUID(TABLE), songs, credentials=ACCOUNT, api_host=mixpanel.address)
    assert rows == 2
    assert sent(mixpanel) == (
        f"/lookup-tables/{TABLE}?project_id=42",
        "text/csv",
        "relay.a1b2c3:a-very-secret-secret",
        SONGS,
    )


def test_rows_replace_it_by_the_environments_account(mixpanel, monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MIXPANEL_API_HOST", mixpanel.address)
    rows = replace_lookup_table(TABLE, [{"id": "s1", "Genre": "Pop"}, {"id": "s2"}])
    assert rows == 2
    assert sent(mixpanel)[-2:] == (
        "relay.a1b2c3:a-very-secret-secret",
        b"id,Genre\r\ns1,Pop\r\ns2,\r\n",
    )


def test_without_a_service_account_nothing_is_sent(mixpanel, songs, monkeypatch):
    monkeypatch.setenv("MIXPANEL_PROJECT_ID", "42")
    with pytest.raises(ConfigurationError, match=r"USERNAME and MIXPANEL_SERVICE_ACCOUNT_SECRET"):
        replace_lookup_table(TABLE, songs, api_host=mixpanel.address)
    with pytest.raises(ConfigurationError, match="service account"):
        replace_lookup_table(
            TABLE, songs, credentials=Credentials.key("k"), api_host=mixpanel.address
        )
    assert mixpanel.requests == []


@pytest.mark.parametrize("table_id", ["", "songs", f"{TABLE}/../x", f"{TABLE}?"])
def test_an_id_that_is_none_is_refused(mixpanel, songs, table_id):
    with pytest.raises(InvalidPropertyError, match="Lexicon"):
        replace_lookup_table(table_id, songs, credentials=ACCOUNT, api_host=mixpanel.address)
    assert mixpanel.requests == []


REFUSALS = {
    400: (b'{"code":400,"failed_records":[{"index":2,"message":"invalid row"}]}', "invalid row"),
    401: (b'{"code":401,"error":"Invalid service account credentials"}', "refused the service"),
    403: (b'{"code":403}', "role Owner or Admin"),
    404: (b'{"code":404}', "no lookup table with this id"),
    413: (b'{"code":413}', "100 MB"),
    429: (b'{"code":429}', "100 times a day"),
    500: (b"oops", "answered 500 with 'oops'"),
    302: (b"", "answered 302"),
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_says_what_to_change(mixpanel, songs, status):
    body, said = REFUSALS[status]
    mixpanel.answer = (status, body)
    with pytest.raises(ServerError, match=said) as caught:
        replace_lookup_table(TABLE, songs, credentials=ACCOUNT, api_host=mixpanel.address)
    assert caught.value.status == status


def test_a_proxys_page_is_no_acceptance(mixpanel, songs):
    mixpanel.answer = (200, b"<html>a-very-secret-secret</html>")
    with pytest.raises(ServerError, match="answered 200") as caught:
        replace_lookup_table(TABLE, songs, credentials=ACCOUNT, api_host=mixpanel.address)
    assert "a-very-secret-secret" not in f"{caught.value}{caught.value.body}"


def test_no_connection_is_told_apart_from_no_answer(songs):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConnectionFailedError) as caught:
            replace_lookup_table(TABLE, songs, credentials=ACCOUNT, api_host=address)
        assert caught.value.maybe_delivered is False
        unused.listen()
        with pytest.raises(ConnectionFailedError) as caught:
            replace_lookup_table(TABLE, songs, credentials=ACCOUNT, api_host=address, deadline=0.3)
        assert caught.value.maybe_delivered is True


def test_what_mixpanel_has_is_replaced_as_a_whole(songs, tmp_path):
    """Against the sandbox, which reads tables by Mixpanel's rules and not by ours."""
    account = {"service_account_username": "u", "service_account_secret": "s", "project_id": "7"}
    credentials = Credentials.service_account("u", "s", "7")
    with Sandbox(Options(lookup_tables={TABLE: "Songs"}, **account)) as box:
        replace_lookup_table(TABLE, songs, credentials=credentials, api_host=box.url)
        rows = [{"id": "s3", "Genre": 'say "hi",\r\n ü'}, {"id": 4, "Genre": None}]
        replace_lookup_table(TABLE, rows, credentials=credentials, api_host=box.url)
        [table] = box.lookup_tables.values()
        assert table.header == ("id", "Genre")
        assert table.rows == [
            {"id": "s3", "Genre": 'say "hi",\r\n ü'},
            {"id": "4", "Genre": ""},
        ]
        for known, by, said in (
            (TABLE, Credentials.service_account("u", "wrong", "7"), "refused the service account"),
            (TABLE.replace("d", "e"), credentials, "no lookup table with this id"),
        ):
            with pytest.raises(ServerError, match=said):
                replace_lookup_table(known, rows, credentials=by, api_host=box.url)


def replaced(mixpanel, *arguments, expect, **variables):
    told = {**VARIABLES, "MIXPANEL_API_HOST": mixpanel.address, **variables}
    return called("lookup", "replace", *map(str, arguments), expect=expect, **told)


def test_the_command_replaces_it(mixpanel, songs):
    written, _ = replaced(mixpanel, TABLE, songs, expect=0)
    assert written == "Replaced the table; it has 2 rows now.\n"
    assert sent(mixpanel)[0] == f"/lookup-tables/{TABLE}?project_id=42"


def test_the_command_says_what_is_wrong(mixpanel, songs, tmp_path):
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"id,a\ns1\n")
    _, said = replaced(mixpanel, TABLE, tmp_path / "none.csv", expect=2)
    assert "none.csv cannot be read: No such file" in said
    _, said = replaced(mixpanel, TABLE, broken, expect=2)
    assert "broken.csv, line 2: has 1 fields, and the header has 2." in said
    _, said = replaced(mixpanel, TABLE, songs, expect=2, MIXPANEL_PROJECT_ID="")
    assert "MIXPANEL_PROJECT_ID" in said
    no_account = dict.fromkeys(VARIABLES, "")
    _, said = replaced(mixpanel, TABLE, songs, expect=2, **no_account)
    assert "there is none: set MIXPANEL_SERVICE_ACCOUNT_USERNAME" in said
    assert mixpanel.requests == []
    mixpanel.answer = (404, b'{"code":404}')
    _, said = replaced(mixpanel, TABLE, songs, expect=1)
    assert "no lookup table with this id" in said
    assert "The table is as it was." in said


@pytest.mark.parametrize("status", [401, 403, 404, 413])
def test_a_proxys_page_is_not_taken_for_mixpanels_word(mixpanel, songs, status):
    mixpanel.answer = (status, b"<html>Blocked</html>")
    with pytest.raises(ServerError, match="Something other than Mixpanel answered") as raised:
        replace_lookup_table(TABLE, songs, credentials=ACCOUNT, api_host=mixpanel.address)
    assert "service account" not in str(raised.value)
    assert raised.value.status == status
