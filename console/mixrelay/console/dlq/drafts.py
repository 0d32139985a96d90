"""A letter's message as an operator edits it: laid out JSON, and back to a tuple."""

import json

from mixrelay.console import masking
from mixrelay.shared.tuples import write


def laid_out(payload: bytes) -> bytes:
    """The tuple as indented JSON with its message parsed, secrets included; or its own bytes."""
    shown = masking.readable(payload, raw=True)
    if isinstance(shown, str):
        return payload
    try:
        text = json.dumps(shown, indent=2, ensure_ascii=False)
    except RecursionError:
        return payload
    return text.encode(errors="surrogatepass") + b"\n"


def tidied(draft: bytes) -> bytes:
    """The documented form of a draft; what is no such tuple stays as it stands."""
    try:
        parsed = json.loads(draft)
        kind, message = parsed if isinstance(parsed, list) else (None, None)
        if not isinstance(kind, str) or isinstance(message, str):
            return draft.strip()
        return write(kind, json.dumps(message, ensure_ascii=False, separators=(",", ":")))
    except (ValueError, TypeError, RecursionError):
        return draft.strip()
