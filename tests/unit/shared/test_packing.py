"""Both libraries pack what zlib unpacks to the same bytes."""

import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixrelay.shared.mixpanel import packing
from tests.support.processes import finished

BODY = b"[" + b",".join(b'{"event":"E %d"}' % n for n in range(2_000)) + b"]"
EITHER = pytest.mark.parametrize("library", ["isal", "zlib"])


def use(monkeypatch, library):
    if library == "isal":
        compress = pytest.importorskip("isal.isal_zlib").compress
    else:
        compress = zlib.compress
    monkeypatch.setattr(packing, "compress_fast", compress)


def unpacked(packed):
    reader = zlib.decompressobj(31)
    body = reader.decompress(packed)
    assert reader.eof
    assert reader.unused_data == b""
    return body


@EITHER
@pytest.mark.parametrize("level", [1, 2, 6, 9])
def test_what_is_packed_unpacks_to_the_same(monkeypatch, library, level):
    use(monkeypatch, library)
    packed = packing.gzipped(BODY, level)
    assert unpacked(packed) == BODY
    assert len(packed) < len(BODY) / 5


@EITHER
def test_any_bytes_unpack_to_the_same(library):
    @given(st.binary(max_size=2_000), st.integers(1, 400))
    def check(body, times):
        assert unpacked(packing.gzipped(body * times, 1)) == body * times

    with pytest.MonkeyPatch.context() as monkeypatch:
        use(monkeypatch, library)
        check()


def test_the_fast_library_is_taken_where_it_is_installed():
    fast = pytest.importorskip("isal.isal_zlib").compress
    assert packing.compress_fast is fast


def test_without_the_fast_library_zlib_does_it():
    code = (
        "import sys; sys.modules['isal'] = None; import zlib;"
        "from mixrelay.shared.mixpanel import packing;"
        "assert packing.compress_fast is zlib.compress;"
        "assert zlib.decompress(packing.gzipped(b'x', 1), 31) == b'x'"
    )
    finished([sys.executable, "-c", code], check=True, timeout=30)
