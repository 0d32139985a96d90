"""How a setting's text is read, alike in every part: trimmed, and refused where nobody means it.

What stands here names no setting: the errors are words to put after "set it to".
"""

import re
from enum import StrEnum
from typing import Any

# All that Unicode calls white space, and what editors leave unseen: zero-width space, word joiner,
# byte order mark.
_AROUND = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + (
    "".join(map(chr, range(0x2000, 0x200C))) + "\u2060\ufeff"
)
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t", "enable", "enabled"})
_FALSE = frozenset({"0", "false", "no", "off", "n", "f", "disable", "disabled"})
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}(_[0-9]{1,40})*", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,15}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9][0-9_]*(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
HASH_TAG = re.compile(r"\{([^}]+)\}")
"""What a cluster hashes of a key's name, where there is one."""
PROXY = re.compile(r"https?://[^/?#\s]+/?")
PROXY_WANTED = (
    "http://host:port, or http://user:password@host:port with / ? # @ : % of the password as "
    "%2F %3F %23 %40 %3A %25"
)
_NAMES = {
    " ": "a space",
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a carriage return",
    "\0": "a NUL",
}
_ASCII_CONTROLS = frozenset(map(chr, [*range(32), 127]))
_SURROGATES = range(0xD800, 0xE000)


class Form(StrEnum):
    """What a text stands for, and so which characters may be inside it."""

    TEXT = "text"
    """Printable characters, and spaces."""
    WORD = "word"
    """The same without any white space: a token, a name."""
    LIST = "list"
    """The name of a list: printable characters; braces only as a hash tag."""
    ADDRESS = "address"
    """A URL: its password may hold a space, its host and path none."""
    PROXY = "proxy"
    """A URL of a scheme and a host alone."""
    PATH = "path"
    """A file's name, in whatever encoding."""
    PASSWORD = "password"  # noqa: S105 - the name of a form
    """Any bytes but control characters."""


class Unusable(ValueError):
    """A text that means nothing here; the message is what to set instead."""


def trimmed(text: str) -> str:
    """The text without white space and unseen characters around it."""
    return text.strip(_AROUND)


def boolean(text: str) -> bool:
    """Read a word for on or off. Raises `Unusable`."""
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise Unusable("on or off")
    return word in _TRUE


def count(text: str) -> int | None:
    """Read a count in ASCII digits, of at most fifteen: Python reads no number of 5,000."""
    return int(text) if _COUNT.fullmatch(text) else None


def number(text: str, kind: type[int] | type[float]) -> Any:
    """Read a number in ASCII digits. Raises `Unusable`, without words."""
    if not (_WHOLE if kind is int else _NUMBER).fullmatch(text):
        raise Unusable
    try:
        return kind(text)
    except ValueError:
        raise Unusable from None


def check_characters(text: str, form: Form) -> None:
    """Raise `Unusable` where a text holds a character that its form has no use for."""
    wrong = _wrong_in(text, form)
    if wrong:
        named = _NAMES.get(wrong) or f"the character U+{ord(wrong):04X}"
        raise Unusable(f"one without {named} inside")
    if form is Form.PROXY and text and not PROXY.fullmatch(text):
        raise Unusable(PROXY_WANTED)
    if form is Form.LIST and "}" in text:
        tagged = HASH_TAG.search(text)
        # Redis hashes what stands between the first brace and the first closing one after it.
        if tagged is None or text.index("{") != tagged.start():
            raise Unusable("a name without braces, or with a hash tag such as {name}:events")


def _wrong_in(text: str, form: Form) -> str:
    """The first character that cannot be meant; the empty text where all can."""
    if text.isascii() and text.isprintable() and " " not in text:
        return ""
    if form in {Form.PATH, Form.PASSWORD}:
        return next((one for one in text if one in _ASCII_CONTROLS), "")
    if form in {Form.ADDRESS, Form.PROXY}:
        place = text.rpartition("@")[2]
        spaces = (one for one in place if one.isspace())
        return next(spaces, "") or next(filter(_is_unseen, text), "")
    if form is Form.WORD:
        return next((one for one in text if one.isspace() or not one.isprintable()), "")
    return next((one for one in text if not one.isprintable()), "")


def _is_unseen(one: str) -> bool:
    # Bytes that are no UTF-8 come from the environment as lone surrogates, also in passwords.
    return not one.isprintable() and ord(one) not in _SURROGATES


def shown_value(value: object, most: int = 60) -> str:
    """A value as an error repeats it: cut after so many characters, in one line."""
    if isinstance(value, int) and abs(value) > 10**most:
        return f"a number of over {most} digits"
    if isinstance(value, str) and _NUMBER.fullmatch(value[:most]) and len(value) <= most:
        return value
    text = repr(value[: most + 1] if isinstance(value, str) else value)
    return text if len(text) <= most + 2 else f"{text[:most]}…"
