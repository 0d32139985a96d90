"""Gzip by the fastest library that is installed: whoever packs a body, it unpacks to the same.

Intel's library (isal, the extra `mixrelay[fast]`) takes a fifth of the time of zlib's first
level, and packs better than that. Smaller still is what zlib is for.
"""

import zlib

try:
    from isal.isal_zlib import compress as compress_fast
except ModuleNotFoundError:
    from zlib import compress as compress_fast

FASTEST = 1
_GZIP_HEADER = 31


def gzipped(body: bytes, level: int) -> bytes:
    """Pack a body; `level` is zlib's, 1 (fast) to 9 (small)."""
    compress = compress_fast if level == FASTEST else zlib.compress
    return compress(body, level, wbits=_GZIP_HEADER)
