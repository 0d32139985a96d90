"""How connections that nobody uses for a while are kept from being cut, or used once they were.

Firewalls and NATs forget idle connections, some without a word: what is sent on such a one is
answered by nobody, and whoever sent it knows nothing of its end.
"""

import socket

IDLE_SECONDS = 60.0
"""After which a connection is opened anew before it is used. The shortest idle timeouts in use are
a little over a minute."""

KEEPALIVE: dict[int, int | bytes] = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}
"""TCP options, seconds and a count: an idle connection shows that it is alive, and one that waits
for an answer finds out within a minute that the other end is gone."""
