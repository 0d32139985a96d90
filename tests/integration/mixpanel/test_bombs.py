"""A small answer that unpacks to a large one."""

import socket
import threading
import tracemalloc
import zlib

from mixrelay.shared.mixpanel.endpoints import Destination, Endpoint
from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.transport import Transport


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    body = packer.compress(bytes(size)) + packer.flush()
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_packed_answer_takes_no_more_memory_than_a_plain_one_may() -> None:
    answer = bomb(100_000_000)

    def explode(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(answer)
            connection.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=explode, args=(listener,))
        thread.start()
        transport = Transport(max_answer_bytes=200_000)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        tracemalloc.start()
        try:
            failure = transport.post(Destination(Endpoint.TRACK, address), b"[]")
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            transport.close()
        thread.join(10)
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.TOO_LARGE
    assert most < 10_000_000
