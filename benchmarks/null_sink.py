"""An HTTP server that accepts every request and looks at nothing: the least a sink can cost.

`python -m benchmarks.null_sink PORT [LATENCY_SECONDS]`
"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
BODY = b'{"status":1,"code":200,"error":null}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY


async def serve_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float
) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = LENGTH.search(head)
            await reader.readexactly(int(found[1]) if found else 0)
            if latency:
                await asyncio.sleep(latency)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, float], Awaitable[None]]


def run(serve: Serve) -> None:
    """Serves on the port, and with the latency, that the command line names."""
    port, latency = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0

    async def main() -> None:
        server = await asyncio.start_server(
            lambda reader, writer: serve(reader, writer, latency),
            "127.0.0.1",
            port,
            limit=8 * 1024 * 1024,
        )
        async with server:
            await server.serve_forever()

    asyncio.run(main())


if __name__ == "__main__":
    run(serve_connection)
