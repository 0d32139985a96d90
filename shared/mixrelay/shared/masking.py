"""An address without its password, fit for a log, an error or a table."""

import re

# A password may hold any character, also where it should be escaped and is not: the last "@" ends
# it. Where only one name stands before the "@", it may be a password that was put there.
_ACCOUNT = re.compile(r"^([a-z0-9+.-]*://|)(?:([^:@/?#]*):)?.*@", re.IGNORECASE | re.DOTALL)
PASSWORD_ASKED = re.compile(r"([?&][^=&]*pass[^=&]*=)[^&]*", re.IGNORECASE)


def mask(url: str) -> str:
    """The address without its password, fit for a log or an error."""
    return PASSWORD_ASKED.sub(r"\1***", _ACCOUNT.sub(_masked_account, url))


def _masked_account(found: re.Match[str]) -> str:
    name = "" if found[2] is None else f"{found[2]}:"
    return f"{found[1]}{name}***@"
