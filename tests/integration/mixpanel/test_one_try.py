"""A request is tried once: whoever asked decides what comes then."""

import contextlib
import socket
import threading

from mixrelay.shared.mixpanel.endpoints import Destination, Endpoint
from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.transport import Transport


def test_a_handshake_that_fails_is_tried_once() -> None:
    seen: list[bytes] = []

    def hang_up(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    seen.append(connection.recv(65_536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up, args=(listener,))
        thread.start()
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        transport = Transport()
        failure = transport.post(Destination(Endpoint.TRACK, address), b"[]")
        transport.close()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.TLS_HANDSHAKE, False)
    assert len(seen) == 1
