"""Reading Mixpanel's answers."""

from email.utils import formatdate

import pytest

from mixrelay.shared.mixpanel.answers import MAX_SAID, printable, retry_after, said
from mixrelay.shared.mixpanel.transport import Answer

NOW = 1_795_520_500.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("-1", 0.0),
        ("300", 300.0),
        ("301", 300.0),
        ("1000000000", 300.0),
        ("9" * 40, None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("\u0667", None),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW + 30).replace("-0000", ""), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        (formatdate(NOW + 86_400, usegmt=True), 300.0),
        ("Fri, 99 Foo 2026 99:99:99 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_a_servers_wish_is_heard_within_bounds_in_all_its_forms(value, seconds):
    assert retry_after(value, NOW) == seconds


def test_what_is_said_is_the_error_where_there_is_one():
    assert said(Answer(400, {}, b'{"status": 0, "error": " bad token "}')) == "bad token"
    assert said(Answer(502, {}, b"<h1>Bad Gateway</h1>")) == "<h1>Bad Gateway</h1>"
    assert said(Answer(400, {}, b'{"status":0,"error":null}')) == '{"status":0,"error":null}'
    assert said(Answer(503, {}, b"")) == ""


def test_what_is_said_is_cut_and_cannot_forge_a_log_line():
    assert len(said(Answer(500, {}, "ä".encode() * 1_000_000))) == MAX_SAID
    assert printable("a\nb\x1b[31m\x00\u202e\u2028c") == r"a\nb\x1b[31m\x00\u202e\u2028c"
    assert said(Answer(500, {}, b"\xff\xfe")) == "\ufffd\ufffd"
