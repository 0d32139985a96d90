"""Why an address cannot be listened on."""

import os
import socket


def why_not(error: OSError | UnicodeError) -> str:
    """The system's own words; asyncio words them anew, around the address."""
    if isinstance(error, UnicodeError):
        return "this is no name of a host"
    if isinstance(error, socket.gaierror) or not error.errno:
        # A name that is not found has a code that is none of the system's.
        return error.strerror or str(error)
    return os.strerror(error.errno)
