"""How often this process's ancestors forked; asking for a process's id at each call takes longer.

One handler for all that must begin anew in a child: the interpreter never forgets a handler, so
one for each tracker would be a leak where trackers are made for each request.
"""

from __future__ import annotations

import os

count = 0


def _forked() -> None:
    global count  # noqa: PLW0603 - a process is in one place
    count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
