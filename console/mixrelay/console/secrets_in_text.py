"""Masks secrets in text of any shape: JSON that is cut, quoted twice, or no JSON at all.

The names of secrets are looked for in the text as it would read without its coding: percent signs,
entities, escapes, backslashes and zero bytes (UTF-16) are undone, and each character remembers
where it came from. Masked is what stands behind the name, up to what looks like another pair:
rather too much than too little. Base64 that holds such a name is masked as a whole.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator

MASK = "***"

_KEYS = r"api[_-]?key|api[_-]?secret|(?:service[_-]?account|project)[_-]?secret"
KEYS = re.compile(_KEYS, re.IGNORECASE)
"""Names whose values are secrets wherever they stand."""
ALL = re.compile(rf"{_KEYS}|token|secret|passw(?:or)?d|authorization", re.IGNORECASE)
"""And those that are masked where nothing can be read, so that nobody knows what they are."""

_BEHIND = re.compile(r"[^0-9A-Za-z]{1,16}")
"""Between a name and its value: quotes, a colon, an equals sign, a comma, or a bracket."""
_NEXT = re.compile(
    # Another pair, or the end of a quoted value.
    r"""["'\s]{0,8}[,;&][\s{\["']{0,8}[\w$.-]{1,64}["'\s]{0,8}[:=]|["']\s{0,8}(?:[}\])]|$)""",
)
_CODED = re.compile(
    # As often as it was coded: %2522, \\u0022.
    r"%(?:25)*([0-9a-fA-F]{2})|&(?:quot|#34|#x22|#39|apos);|\x00"
)
_ESCAPED = re.compile(r"\\+(?:u00([0-9a-fA-F]{2})|x([0-9a-fA-F]{2}))?")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_GROUP = 4


def mask_text(text: str, names: re.Pattern[str] = ALL) -> str:
    """Return the text with each secret replaced by MASK."""
    plain, places = _plain(text)
    shown, last = [], 0
    for start, end in _spans(plain, names):
        shown += [text[last : places[start]], MASK]
        last = places[end]
    return "".join([*shown, text[last:]])


def _spans(plain: str, names: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where secrets stand in a text without coding, in order and apart."""
    spans = [*_named(plain, names), *_packed(plain, names)]
    last = 0
    for start, end in sorted(spans):
        if end > last:
            yield max(start, last), end
            last = end


def _named(plain: str, names: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    at = 0
    while name := names.search(plain, at):
        at = name.end()
        behind = _BEHIND.match(plain, at)
        if behind and behind.end() < len(plain):
            found = _NEXT.search(plain, behind.end())
            at = found.start() if found else len(plain)
            yield behind.end(), at


def _packed(plain: str, names: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for run in _BASE64.finditer(plain):
        # What stands before it in the same alphabet, as a path does, shifts it.
        if any(names.search(_unpacked(run[0][shift:])) for shift in range(_GROUP)):
            yield run.span()


def _unpacked(run: str) -> str:
    whole = run[: len(run) - len(run) % _GROUP].translate(_STANDARD)
    try:
        return base64.b64decode(whole).decode("latin-1")
    except binascii.Error:
        return ""


_STANDARD = str.maketrans("-_", "+/")


def _plain(text: str) -> tuple[str, list[int]]:
    """The text without its coding, and where each of its characters begins; the end too."""
    places = list(range(len(text) + 1))
    for coding, meaning in ((_CODED, _of_code), (_ESCAPED, _of_escape)):
        text, places = _undone(text, places, coding, meaning)
    return text, places


def _undone(
    text: str, places: list[int], coding: re.Pattern[str], meaning: Callable[[re.Match[str]], str]
) -> tuple[str, list[int]]:
    shown, kept, last = [], [], 0
    for found in coding.finditer(text):
        means = meaning(found)
        shown += [text[last : found.start()], means]
        kept += places[last : found.start()]
        kept += [places[found.start()]] * len(means)
        last = found.end()
    return "".join([*shown, text[last:]]), kept + places[last:]


def _of_code(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return "" if found[0] == "\x00" else '"'


def _of_escape(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)) if digits else ""
