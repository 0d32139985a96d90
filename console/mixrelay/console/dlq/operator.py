"""Who acts, for the audit."""

import getpass
import os
import socket
from contextlib import suppress


def operator() -> str:
    """The user and the machine, such as `ann@web-1`."""
    name = f"uid {os.getuid()}" if hasattr(os, "getuid") else "someone"
    # In a container the user may have no name.
    with suppress(OSError, KeyError):
        name = getpass.getuser()
    return f"{name}@{socket.gethostname()}"
