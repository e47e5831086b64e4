"""What images and PDF files cost, read from their base64 text without decoding the whole of it."""

import binascii
import math
import re
import struct

from app.tokens.families import Family

UNKNOWN_IMAGE_TOKENS = 1_500
# Anthropic, "PDF support": 1,500 to 3,000 tokens of text a page.
PDF_PAGE_TOKENS = 2_500
UNKNOWN_PDF_TOKENS = 4 * PDF_PAGE_TOKENS

_PIXELS_PER_TOKEN = 750
_PDF_PIECES = 16
_PDF_PIECE_BYTES = 64 * 1024
# A file whose page objects are compressed shows none: 100 KB a page is a common size.
_PDF_BYTES_PER_PAGE = 100_000
# Anthropic, "PDF support": most pages one request may have.
_PDF_MAX_PAGES = 600
_PDF_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_JPEG_MAX_SEGMENTS = 200
# Start of frame: FFC0 to FFCF except DHT (C4), JPG (C8) and DAC (CC).
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_tokens(data: str, family: Family) -> int:
    """Tokens of a base64 image: width * height / 750 after scaling to the family's longest edge, capped."""
    size = image_size(data)
    if size is None:
        return UNKNOWN_IMAGE_TOKENS
    width, height = size
    scale = min(1.0, family.image_edge / max(width, height))
    pixels = width * height * scale * scale
    return max(1, min(family.image_cap, math.ceil(pixels / _PIXELS_PER_TOKEN)))


def image_size(data: str) -> tuple[int, int] | None:
    """(width, height) in pixels of a base64 PNG, JPEG, GIF or WebP; None when its header cannot be read."""
    head = _decoded(data, 0, 30)
    size = _jpeg_size(data) if head.startswith(b"\xff\xd8") else _webp_size(head) or _png_or_gif_size(head)
    return size if size and min(size) > 0 else None


def _png_or_gif_size(head: bytes) -> tuple[int, int] | None:
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR" and len(head) >= 24:
        width, height = struct.unpack_from(">II", head, 16)
        return width, height
    if head[:6] in (b"GIF87a", b"GIF89a") and len(head) >= 10:
        width, height = struct.unpack_from("<HH", head, 6)
        return width, height
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """Size from the first chunk of a WebP container: lossy (VP8), lossless (VP8L) or extended (VP8X)."""
    if len(head) < 30 or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    chunk = head[12:16]
    if chunk == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    return None


def _jpeg_size(data: str) -> tuple[int, int] | None:
    """Size from the frame header, found by walking the segments; metadata in front of it is stepped over."""
    offset = 2
    for _ in range(_JPEG_MAX_SEGMENTS):
        segment = _decoded(data, offset, 9)
        if len(segment) < 9 or segment[0] != 0xFF:
            return None
        marker, length, _precision, height, width = struct.unpack(">xBHBHH", segment)
        if marker in _JPEG_FRAMES:
            return width, height
        # 0xFF may be repeated in front of a marker; the others here are not followed by a length.
        is_fill = marker == 0xFF
        offset += 1 if is_fill else 2 + length
    return None


def pdf_tokens(data: str) -> int:
    """Tokens of a base64 PDF by its page objects, counted in at most 1 MB spread over the file."""
    size = len(data) * 3 // 4
    if size <= _PDF_PIECES * _PDF_PIECE_BYTES:
        scanned = size
        pages = len(_PDF_PAGE.findall(_decoded(data, 0, size)))
    else:
        step = size // _PDF_PIECES
        pieces = (_decoded(data, number * step, _PDF_PIECE_BYTES) for number in range(_PDF_PIECES))
        scanned = _PDF_PIECES * _PDF_PIECE_BYTES
        pages = sum(len(_PDF_PAGE.findall(piece)) for piece in pieces)
    estimated_pages = pages * size / scanned if pages else size / _PDF_BYTES_PER_PAGE
    return PDF_PAGE_TOKENS * max(1, min(_PDF_MAX_PAGES, round(estimated_pages)))


def _decoded(data: str, offset: int, size: int) -> bytes:
    """`size` bytes at `offset` of what `data` encodes, decoding only those; fewer or none when broken."""
    first = offset // 3 * 4
    piece = data[first : -(-(offset + size) // 3) * 4]
    try:
        decoded = binascii.a2b_base64(piece + "=" * (-len(piece) % 4))
    except ValueError:
        return b""
    return decoded[offset % 3 : offset % 3 + size]
