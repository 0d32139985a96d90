"""A user reads one word for one thing: the glossary's."""

import re

import pytest

from tests.house.words import GLOSSARY, REPLACED, Text, every_text, help_texts, templates, uses


def test_no_help_page_or_document_uses_a_replaced_word():
    found = [f"{use.where}: {use.replaced.instead}: {use.line}" for use in uses(every_text())]
    assert found == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("370 messages waiting, and no worker runs", "waiting"),
        ("leased 0, parked 250", "parked"),
        ("The first refusal pauses the destination.", "paused, of a destination"),
        ("event is paused; an operator holds the lane", "hold, of a lane"),
        ("the books balance", "books"),
        ("difference", "difference"),
        ("oldest burial first", "died, of a message"),
        ("letters that died after it", "died, of a message"),
        ("the error handler was told", "tell, told"),
        ("another shift has it", "shift"),
        ("95 of 100 within 45 s", "95 of 100 within"),
    ],
)
def test_a_replaced_word_is_found(text, word):
    assert word in [use.replaced.word for use in uses(iter([Text("here", text)]))]


@pytest.mark.parametrize(
    "text",
    [
        "workers waiting for their turn",
        "its worker died, and the process was started again",
        "an operator paused the lane event",
        "The difference is where a call goes.",
        "A worker holds nothing that it could not lose.",
        "rq enqueue mixrelay.worker.shift.shift; MIXRELAY_SHIFT; --shift",
        "producers and workers read settings alike",
    ],
)
def test_what_everyone_says_is_left_alone(text):
    assert list(uses(iter([Text("here", text)]))) == []


def test_every_kind_of_text_is_read():
    assert any("until SIGTERM" in text for _, text in help_texts())
    assert any(where.endswith("help for since") or "since" in where for where, _ in help_texts())
    shown = dict(templates())
    live = shown["console/mixrelay/console/dashboard/templates/overview_live.html"]
    assert "in flight" in live, "text"
    assert "Resume…" in live, "a text inside of Jinja's tags"
    assert "hx-get" not in live


def test_the_glossary_names_what_is_replaced():
    last_column = " ".join(re.findall(r"\|([^|\n]*)\|$", GLOSSARY.read_text(), re.MULTILINE))
    missing = [
        replaced.word
        for replaced in REPLACED
        if replaced.word.split(",")[0].split()[0] not in last_column
    ]
    assert missing == []
