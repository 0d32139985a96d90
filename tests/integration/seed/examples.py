"""The code blocks of a guide, by heading, and those of Mixpanel's Ruby documentation."""

import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Literals of the Ruby examples that have no counterpart: Python's names are other ones.
RUBYS_OWN = {"mixpanel-ruby", "w+", "r+", "\\n", "Jan 2 2013", "$ignore_time", "true"}
LITERAL = re.compile("['\"\u2018\u201c]([^'\"\u2018\u2019\u201c\u201d\\n]+)['\"\u2019\u201d]")


class Block(NamedTuple):
    """A fenced block; its language is empty where none is named."""

    heading: str
    language: str
    code: str


def blocks_of(guide: str) -> list[Block]:
    found = []
    text = (ROOT / "docs" / guide).read_text()
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        heading = section.partition("\n")[0]
        found += [Block(heading, *parts) for parts in FENCED.findall(section)]
    return found


def ruby_examples() -> dict[str, list[str]]:
    """The seed's examples, by the heading that each stands under."""
    examples: dict[str, list[str]] = {}
    for line in (ROOT / "tests/data/ruby-documentation.jsonl").read_text().splitlines():
        example = json.loads(line)
        examples.setdefault(example["heading"], []).append(example["code"])
    return examples


def literals(ruby: str) -> set[str]:
    """The names and values of a Ruby example, which its twin must have too."""
    code = "\n".join(re.sub(r"(?<!\S)(#|//).*", "", line) for line in ruby.splitlines())
    return set(LITERAL.findall(code)) - RUBYS_OWN
