"""What the first bytes of a letter's message say, where the whole is not fetched for a list."""

import json
import re

from mixrelay.shared.queue.letters.letter import Letter, subjects

HEAD_BYTES = 4_096
"""Of each message in a list: names stand at its start, and one message may have megabytes."""

# In a tuple's text the record stands quoted, so its own quotation marks have backslashes.
_TEXT = r"\\*\"\s*:\s*\\*\"((?:[^\"\\]|\\+u[0-9a-fA-F]{4})*)"
_EVENT = re.compile(r"\\*\"event" + _TEXT)
_WHO = re.compile(r"\\*\"\$?(?:distinct_id|group_id)" + _TEXT)


def about(letter: Letter) -> tuple[str, str]:
    """The event's name and whom a letter is about, of its first record; empty where unknown.

    Of a message that was cut, what its start says.
    """
    found = next(subjects(letter.payload), None)
    event, who = found or _of_head(letter.payload)
    return event or "", who or ""


def name_of(letter: Letter) -> str:
    """What a letter is called among others: its event's name, or the type of an update."""
    return about(letter)[0] or letter.type


def _of_head(head: bytes) -> tuple[str, str]:
    text = head.decode(errors="replace")
    # The tuple's own first word is no name of an event.
    return _first(_EVENT, text), _first(_WHO, text)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    if found is None:
        return ""
    try:
        # Quoted once or twice: an escape of either is read.
        return str(json.loads('"' + re.sub(r"\\+u", r"\\u", found[1]) + '"'))
    except ValueError:
        return found[1]
