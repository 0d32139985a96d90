"""The null sink, but it notes when each body came, and tells of each event when it was sent.

`python -m benchmarks.timing_sink PORT [LATENCY_SECONDS]`. Bodies are unpacked only when
`GET /taken` asks, which answers with [when tracked, when received], in seconds since the epoch, for
each event that has a property `sent`.
"""

import asyncio
import gzip
import time
from collections.abc import Iterator

import orjson

from benchmarks.null_sink import ANSWER, LENGTH, run

Body = tuple[float, bytes]


async def serve_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float, bodies: list[Body]
) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET"):
                await _tell(writer, bodies)
                continue
            found = LENGTH.search(head)
            body = await reader.readexactly(int(found[1]) if found else 0)
            bodies.append((time.time(), body))
            if latency:
                await asyncio.sleep(latency)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _tell(writer: asyncio.StreamWriter, bodies: list[Body]) -> None:
    text = orjson.dumps([pair for body in bodies for pair in _pairs(body)])
    bodies.clear()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    await writer.drain()


def _pairs(body: Body) -> Iterator[tuple[float, float]]:
    received, packed = body
    text = gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed
    for record in orjson.loads(text):
        if "sent" in record["properties"]:
            yield record["properties"]["sent"], received


if __name__ == "__main__":
    taken: list[Body] = []
    run(lambda reader, writer, latency: serve_connection(reader, writer, latency, taken))
