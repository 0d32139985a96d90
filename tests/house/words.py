"""Words that docs/glossary.md replaces, as patterns, and the texts that a user reads.

`python -m tests.house.words` lists each use of a replaced word. Contracts are left out: code, JSON
keys, metrics, variables, commands, names of log events and of Python.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from typer.main import get_command

from mixrelay.console.app import command_line

ROOT = Path(__file__).parents[2]
HISTORY = {"CHANGELOG.md"}
"""Says what was called so then."""
GLOSSARY = ROOT / "docs" / "glossary.md"
"""Names the words that it replaces."""

_SOME = r"[^.;:|]{0,40}"
"""Some words of the same sentence or cell."""


class Replaced(NamedTuple):
    """A word that is not used, how it is found, and what to write."""

    word: str
    pattern: str
    instead: str


REPLACED = (
    Replaced("not yet in a lane", r"\bnot yet in a lane\b", "incoming list"),
    # "waits for", "waiting until" and the like are what everyone says.
    Replaced("waiting", r"\bwaiting\b(?! (for|on|until|at|in line|time)\b)", "queued, or backlog"),
    Replaced("parked", r"\bpark(s|ed|ing)?\b", "scheduled for retry"),
    Replaced("odd", r"\bodd\b", "unroutable"),
    # A lane is paused, by an operator; a destination's circuit is open.
    Replaced(
        "paused, of a destination",
        rf"\bdestinations?\b{_SOME}\bpaus(e|es|ed|ing)\b|\bpaus(e|es|ed|ing)\b{_SOME}\bdestinations?\b"
        r"|\bpaused by (wrong settings|an outage|itself|`configuration`)|\bin flight or paused\b",
        "circuit open",
    ),
    Replaced("pace", r"\bpaces?\b|\bbegin(s|ning)? slowly\b", "concurrency limit"),
    # A worker holds batches and a lease holds; an operator pauses.
    Replaced(
        "hold, of a lane",
        r"\b(hold|holds|held|holding) (a |an |the |each )?lanes?\b"
        r"|\blanes? (is|was|are|were) held\b|\bheld lanes?\b"
        r"|\b(the|a|an|first|no|this|its) hold\b|\b(who|he|she|nobody|someone|operator) holds it\b",
        "paused by NAME",
    ),
    Replaced("books", r"(?<![./])\bbooks\b", "reconciliation"),
    # Of the reconciliation: a label. "The difference is" is what everyone says.
    Replaced("difference", r"^\W*difference\W*$", "unaccounted"),
    # A worker, a process or a node may die.
    Replaced(
        "died, of a message",
        rf"\bletters?\b{_SOME}\b(die|dies|died)\b|\b(die|dies|died)\b{_SOME}\bletters?\b"
        r"|\bdied (before|then|at)\b|\bwhat died\b|\bmessages? (die|dies|died)\b"
        r"|\bnothing dies\b|\bbur(y|ied|ies|ial|ials)\b",
        "failed, became a dead letter",
    ),
    Replaced("what was said", r"\bwhat \w+ said\b", "error"),
    Replaced("about, of a column", r"^\W*about\W*$|\bUTC\)\s+about\b", "subject"),
    Replaced("why they died", r"\bwhy (they|it) died\b", "failure group, reason"),
    Replaced(
        "moved, of a letter",
        rf"\bletters?\b{_SOME}\bmoved\b|\bwhat was moved\b|\bplanned, moved\b",
        "replayed, re-queued, processed",
    ),
    Replaced("doubtful", r"\bdoubtful\b", "outcome unknown"),
    Replaced("95 of 100 within", r"\b95 of 100\b", "p95"),
    Replaced(
        "needs an eye", r"\b(needs?|wants?) an eye\b|\bthings? to look at\b", "degraded, 2 problems"
    ),
    Replaced("tell, told", r"\b(tells?|told|telling)\b", "notify, log, report or store"),
    Replaced("cornered", r"\b(cornered|rivals?|convict(s|ed)?)\b", "suspect, bypass trial"),
    # "Read alike" and "plain text" are what everyone says.
    Replaced(
        "alike, plain", r"\b(alike|plain) (batch(es)?|ways?|paths?|records?)\b", "bulk decode"
    ),
    Replaced("plain check", r"\bplain check\b", "strict check"),
    Replaced("mood", r"\bmoods?\b|\bPASSING\b", "transient error"),
    Replaced("strays", r"\bstrays?\b", "undrained lists"),
    # Not the path of the job's function, which lies in Redis.
    Replaced("shift", r"(?<![.\w-])shifts?\b(?!\.\w)", "drain job"),
)


class Text(NamedTuple):
    """A text that a user reads, and where it stands."""

    where: str
    text: str


class Use(NamedTuple):
    """A replaced word in a text."""

    where: str
    line: str
    replaced: Replaced


def uses(texts: Iterator[Text]) -> Iterator[Use]:
    """Each line that holds a replaced word."""
    for where, text in texts:
        for line in text.splitlines():
            for replaced in REPLACED:
                if re.search(replaced.pattern, line, re.IGNORECASE):
                    yield Use(where, line.strip(), replaced)


def every_text() -> Iterator[Text]:
    """All that the glossary holds for."""
    yield from help_texts()
    yield from templates()
    yield from papers()


def help_texts(command: Any = None, path: str = "mixrelay") -> Iterator[Text]:
    """The help of every command, with its options' and its examples."""
    command = command or get_command(command_line())
    for text in (command.help, command.short_help, command.epilog):
        yield Text(path, text or "")
    for parameter in command.params:
        yield Text(f"{path}: {parameter.name}", getattr(parameter, "help", None) or "")
    for name, child in getattr(command, "commands", {}).items():
        yield from help_texts(child, f"{path} {name}")


_TAGS = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_LITERAL = re.compile(r"'([^'\n]*)'")
_READ_ALOUD = re.compile(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"')
_HTML = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL)


def templates() -> Iterator[Text]:
    """What the pages' templates show: text, labels, and the texts inside of Jinja's tags."""
    for path in sorted(ROOT.glob("*/mixrelay/**/*.html")):
        source = path.read_text()
        quoted = [text for tag in _TAGS.findall(source) for text in _LITERAL.findall(tag)]
        literals = [text for text in quoted if " " in text or text[:1].isupper()]
        shown = _TAGS.sub("", source)
        labels = _READ_ALOUD.findall(shown)
        # A cell a line, so that a pattern may mean a whole label.
        text = _HTML.sub("\n", shown)
        yield Text(str(path.relative_to(ROOT)), "\n".join([text, *labels, *literals]))


_PAST = re.compile(r"<!-- last full run.*?<!-- /last full run -->", re.DOTALL)
"""A table with the names that attacks had when they ran."""
_CODE = re.compile(r"^```\w+\n.*?^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`[^`\n]*`|\]\([^)]*\)")


def papers() -> Iterator[Text]:
    """The README and the documents, without their code; a paragraph or a row is one line."""
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "deploy/README.md"]):
        if path.name in HISTORY or path == GLOSSARY:
            continue
        text = _INLINE.sub("`…`", _CODE.sub("", _PAST.sub("", path.read_text())))
        yield Text(str(path.relative_to(ROOT)), re.sub(r"(?<=[\w,.;:)…`])\n(?=\w|`)", " ", text))


def main() -> None:
    for use in uses(every_text()):
        found = re.search(use.replaced.pattern, use.line, re.IGNORECASE)
        assert found
        near = use.line[max(0, found.start() - 70) : found.end() + 50]
        sys.stdout.write(f"{use.where}: {use.replaced.word} -> {use.replaced.instead}: …{near}…\n")


if __name__ == "__main__":
    main()
