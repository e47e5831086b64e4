"""A compressed body -> its bytes, within bounds, in each way that servers write `gzip` and `deflate`."""

from __future__ import annotations

import zlib
from typing import Any

from app.errors import UpstreamBroken

MAX_EMPTY_BYTES = 65536
"""Compressed bytes in a row out of which nothing comes."""
_KNOWN = {"gzip", "x-gzip", "deflate"}
"""They come although `identity` was asked for; anything else cannot be read."""
_GZIP = b"\x1f\x8b"
_ZLIB_METHOD = 8


class Inflater:
    """`feed` pieces of any size, each followed by what is `left` of it.

    gzip may come in several members (RFC 1952, 2.2); `deflate` with the wrapping of RFC 1950 or, against the standard
    and common, without.
    """

    def __init__(self, encoding: str) -> None:
        self._is_known = encoding in _KNOWN
        self._may_be_raw = encoding == "deflate"
        self._stream: Any = None
        self._start = b""
        self._empty = 0
        self.left = b""
        self.ended = False
        """Whether the body may end here; what follows and is no gzip is ignored, as browsers do."""

    def feed(self, compressed: bytes, most: int) -> bytes:
        """At most `most` bytes, maybe none.

        Raises zlib.error, UpstreamBroken for what never comes to anything and for an encoding that is not known here.
        """
        if not self._is_known:
            raise UpstreamBroken("The upstream compressed its answer in a way that was not asked for.")
        compressed, self._start, self.left = self._start + compressed, b"", b""
        if self._stream is None and len(compressed) < len(_GZIP):
            self._start = compressed
            return b""
        stream = self._stream = self._stream or self._begun(compressed[:2])
        data: bytes = b""
        if stream:
            data = stream.decompress(compressed, most)
            self.left = stream.unconsumed_tail or stream.unused_data
            self.ended = stream.eof
            self._stream = None if stream.eof else stream
        self._empty = 0 if data else self._empty + len(compressed)
        if self._empty > MAX_EMPTY_BYTES:
            raise UpstreamBroken("The upstream's compressed answer comes to nothing.")
        return data

    def _begun(self, start: bytes) -> Any:
        """What inflates a body or member that starts so; None behind the end."""
        if self.ended and start != _GZIP:
            return None
        is_wrapped = start == _GZIP or (start[0] & 15 == _ZLIB_METHOD and int.from_bytes(start, "big") % 31 == 0)
        return zlib.decompressobj(-zlib.MAX_WBITS if self._may_be_raw and not is_wrapped else zlib.MAX_WBITS | 32)
