"""A lookup table's CSV is checked before it replaces what Mixpanel has."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixrelay.producer import InvalidPropertyError
from mixrelay.producer.records import lookup_csv
from mixrelay.producer.records.lookup_csv import csv_of_file, csv_of_rows

SONGS = b'id,Genre,Title\ns1,Pop,"Gangnam style, live"\ns2,,"two\nlines"\n'


@pytest.fixture
def table(tmp_path):
    def written(content):
        path = tmp_path / "songs.csv"
        path.write_bytes(content)
        return path

    return written


@pytest.mark.parametrize(
    ("content", "sent", "rows"),
    [
        (SONGS, SONGS, 2),
        (b"\xef\xbb\xbf" + SONGS, SONGS, 2),
        (SONGS.replace(b"\n", b"\r\n"), SONGS.replace(b"\n", b"\r\n"), 2),
        (b"id\ns1\n\ns2", b"id\ns1\n\ns2", 2),
    ],
    ids=["as written", "byte order mark", "CRLF", "one column and an empty line"],
)
def test_a_file_is_sent_as_it_is(table, content, sent, rows):
    assert csv_of_file(table(content)) == (sent, rows)


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b"", "songs.csv", "is empty; a lookup table begins with a header"),
        (b"\n\n", "songs.csv", "is empty"),
        (b"id,Genre\n", "songs.csv", "has a header and no rows"),
        (b"id,\ns1,Pop\n", "songs.csv, line 1", "has a column without a name"),
        (b"id,a,a\ns1,1,2\n", "songs.csv, line 1", "names the column 'a' twice"),
        (b"id,a\ns1,Pop\ns2\n", "songs.csv, line 3", "has 1 fields, and the header has 2"),
        (b"id,a\ns1,Pop,x\n", "songs.csv, line 2", "has 3 fields, and the header has 2"),
        (b"id,a\n ,Pop\n", "songs.csv, line 2", "has no key in its first column"),
        (b"id,a\ns1,1\ns2,1\ns1,2\n", "songs.csv, line 4", "has the key of an earlier row"),
        (b'id,a\ns1,"Pop\n', "songs.csv, line 2", "is no CSV"),
        (b"id,a\ns1,K\xf6ln\n", "songs.csv", "is not UTF-8 at byte 9"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_its_line(table, content, where, what):
    with pytest.raises(InvalidPropertyError) as caught:
        csv_of_file(table(content))
    assert caught.value.path.endswith(where)
    assert what in caught.value.reason


def test_a_table_over_100_mb_is_refused_unread(table, monkeypatch):
    monkeypatch.setattr(lookup_csv, "MAX_BYTES", len(SONGS))
    csv_of_file(table(SONGS))
    with pytest.raises(InvalidPropertyError, match="has 61 bytes, and Mixpanel takes"):
        csv_of_file(table(SONGS + b"s"))
    with pytest.raises(InvalidPropertyError, match="Mixpanel takes"):
        csv_of_rows([["id"], ["x" * len(SONGS)]])


def test_rows_of_dicts_have_the_first_ones_columns():
    rows = [
        {"id": "s1", "n": 1, "f": 0.5, "yes": True, "none": None},
        {"id": UUID(int=7), "n": Decimal(2), "yes": False},
        {"id": date(2026, 1, 2), "n": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)},
    ]
    body, count = csv_of_rows(rows)
    assert count == 3
    assert body.decode().splitlines() == [
        "id,n,f,yes,none",
        "s1,1,0.5,true,",
        "00000000-0000-0000-0000-000000000007,2,,false,",
        "2026-01-02T00:00:00,2026-01-02T03:04:05,,,",
    ]


def test_rows_of_lists_begin_with_the_header():
    assert csv_of_rows([("id", "a"), ["s1", 'say "hi"']]) == (b'id,a\r\ns1,"say ""hi"""\r\n', 1)
    assert csv_of_rows(iter([["id"], ["s1"]])) == (b"id\r\ns1\r\n", 1)


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ([], "rows"),
        (5, "table"),
        (b"id,a", "table"),
        ({"id": "a"}, "table"),
        ([{"id": "s1"}, {"id": "s2", "new": 1}], "rows[1]"),
        ([{"id": "s1"}, ["s2"]], "rows[1]"),
        ([["id"], {"id": "s2"}], "rows[1]"),
        ([["id"], "s2"], "rows[1]"),
        ([["id"], [""]], "rows[1]"),
        ([{"id": None}], "rows[0]"),
        ([{"id": "s1", "a": [1]}], "rows[0]"),
        ([{"id": "s1", "a": float("nan")}], "rows[0]"),
        ([{"id": "s1", "a": b""}], "rows[0]"),
        ([{1: "s1"}], "rows[0]"),
        ([["id", "id"]], "rows[0]"),
        ([["id"]], "rows"),
        ([{"id": 1}, {"id": "1"}], "rows[1]"),
    ],
)
def test_rows_that_are_no_table_are_refused_with_their_number(rows, where):
    with pytest.raises(InvalidPropertyError) as caught:
        csv_of_rows(rows)
    assert caught.value.path == where


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


@given(st.lists(st.lists(texts, min_size=2, max_size=2), min_size=1, max_size=5))
def test_a_csv_reader_reads_back_what_was_written(cells):
    rows = [["key", "value"], *([f"{n}{key}", value] for n, (key, value) in enumerate(cells))]
    body, count = csv_of_rows(rows)
    assert count == len(cells)
    assert list(csv.reader(io.StringIO(body.decode(), newline=""))) == rows
